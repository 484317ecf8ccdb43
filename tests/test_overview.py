"""
What is gathered for a report.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from conftest import Connect, Simulate
from ledger_model import Ticking

from voicepush import Campaign, Cap, Ledger, VoiceMessage
from voicepush.campaign.overview import overview_of
from voicepush.errors import InputError
from voicepush.model.outcome import Outcome
from voicepush.model.overview import LocalHours
from voicepush.model.recipients import Destination, Recipient
from voicepush.screening.zones import zones_of

#: 2033-05-18 03:33:20 UTC, where `Ticking` begins; 23:33 of the day before in New York
#: and 09:03 in India.
NEW_YORK, INDIA = "+12125550101", "+919000000000"


@pytest.mark.parametrize(
    ("number", "zones"),
    [
        (NEW_YORK, ("America/New_York",)),
        (INDIA, ("Asia/Kolkata",)),
        ("+999000000001", ()),
        ("+870000000001", ()),
    ],
)
def test_zones_follow_from_the_longest_known_prefix(
    number: str, zones: tuple[str, ...]
) -> None:
    """
    A code that is nowhere has none.
    """
    assert zones == zones_of(number)


def test_a_code_of_a_continent_has_many_zones() -> None:
    """
    Freephone numbers belong to no place.
    """
    assert len(zones_of("+18005550101")) > 5


async def test_local_hours_are_those_of_the_people(
    ledger: Ledger,
    message: VoiceMessage,
    simulate: Simulate,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    By when their batch was claimed, where all of a number's zones agree.
    """
    simulator = await simulate()
    client = await connect(simulator)
    ticking = Ticking()
    ticking.patch(monkeypatch.setattr)
    people: list[Recipient] = [NEW_YORK, INDIA, "+919000000001", "+18005550101"]
    people += ["+999000000001", Destination(customer_id="c-7")]
    campaign = await Campaign.plan(ledger, "june", message, people)
    await campaign.dispatch(client)

    found = await overview_of(ledger, "june")

    calls = [0] * 24
    calls[23], calls[9] = 1, 2
    assert found.local_hours == LocalHours(calls=calls, several=1, unplaced=2, called=6)
    assert 6 == found.local_hours.looked_at
    assert {Outcome.ACCEPTED: 6} == {
        verdict.outcome: number for verdict, number in found.reasons.items()
    }
    assert ["planned", "joined", "left"] == [each.event for each in found.history]


async def test_settings_stand_under_the_names_of_the_options(ledger: Ledger) -> None:
    """
    What may be a secret is left out or masked.
    """
    message = VoiceMessage(
        media="welcome",
        cli="+999123456789",
        priority="high",
        notify_url="https://user:secret@example.org/receipts?token=secret",
        callback_data="secret",
        expiry=timedelta(hours=2),
        extra={"contactPolicy": "secret"},
    )
    await Campaign.plan(
        *(ledger, "june", message, ["+999000000001"]),
        rate=80,
        caps=[Cap(3, 30 * 86_400)],
        given={"country": "IN", "expiry": "2 hours"},
    )
    found = dict((await overview_of(ledger, "june")).settings)

    assert found.pop("expiry").endswith("Z")
    assert {
        "media": "welcome",
        "cli": "+99******6789",
        "priority": "high",
        "notify-url": "https://example.org/receipts",
        "callback-data": "given",
        "extra": "contactPolicy",
        "country": "IN",
        "rate": "80 destinations per second",
        "retry-internal-error": "yes",
        "on-unknown": "keep",
        "caps": "at most 3 within 30 days",
    } == found


async def test_there_is_nothing_to_tell_of_a_campaign_that_is_not_there(
    ledger: Ledger,
) -> None:
    """
    One line says so.
    """
    with pytest.raises(InputError, match="there is no campaign 'june' in this ledger"):
        await overview_of(ledger, "june")
