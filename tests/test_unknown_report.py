"""
What the receipts of a request speak for, in words and as JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from ledger_model import Ticking

from voicepush import clock
from voicepush.model.call import Calls, ReceiptCounts
from voicepush.model.status import CampaignState, CampaignStatus, UnknownBatch
from voicepush.report.json import dump
from voicepush.report.unknown import (
    Advice,
    Advised,
    advised,
    for_how_long,
    unknown_as_object,
    unknown_as_text,
)

#: A campaign of 10,000 whose other requests were answered.
STATUS = CampaignStatus(
    campaign="june",
    state=CampaignState.FINISHED,
    reason=None,
    read=10_000,
    planned=10_000,
    pending=0,
    in_flight=0,
    accepted=9_000,
    rejected=0,
    expired=0,
    not_sent=0,
    unknown=1_000,
    invalid=0,
    duplicate=0,
    suppressed=0,
    calls=Calls(reached=6_000, not_reached=2_900, on_its_way=100),
)


@pytest.fixture(autouse=True)
def ticking(monkeypatch: pytest.MonkeyPatch) -> Ticking:
    """
    A clock that stands nearly still.
    """
    found = Ticking()
    found.patch(monkeypatch.setattr)
    return found


def ago(**since: float) -> datetime:
    """
    A moment that long ago.
    """
    return clock.utc_now() - timedelta(**since)


def doubt(hours: float = 2, **changed: Any) -> UnknownBatch:
    """
    A request of 1,000 with no answer so many *hours* ago.
    """
    found = UnknownBatch(
        batch="0123456789-7",
        unknown=1_000,
        accepted=0,
        size=1_000,
        claimed=ago(hours=hours),
        reasons=("timed out",),
    )
    return attrs.evolve(found, **changed)


def told(
    batch: UnknownBatch,
    status: CampaignStatus = STATUS,
    *,
    last: datetime | None,
) -> Advised:
    """
    What is made of one request.

    Args:
        last: When the ledger received its last receipt.
    """
    last_at = None if last is None else last.timestamp()
    (found,) = advised([batch], status, ReceiptCounts(received=5, last_at=last_at))
    return found


def test_nearly_everyone_has_a_receipt() -> None:
    """
    The platform took the request, so sending it again would ring people twice.
    """
    found = told(
        doubt(unknown=2, accepted=998, receipts=998, last_receipt=ago(minutes=1)),
        last=ago(minutes=1),
    )
    text = unknown_as_text([found])

    assert Advice.TAKEN is found.advice
    assert "2 unknown, 998 of 1,000 have receipts, the last " in text
    assert "resending would ring people twice" in text


@pytest.mark.parametrize(("receipts", "accepted"), [(300, 300), (0, 5)])
def test_some_have_a_receipt_or_were_accepted(receipts: int, accepted: int) -> None:
    """
    Part of the request was taken; the rest may have been another attempt.
    """
    batch = doubt(unknown=1000 - accepted, accepted=accepted, receipts=receipts)
    found = told(batch, last=ago(minutes=1))

    assert Advice.PARTLY is found.advice
    assert "resending may ring people twice" in unknown_as_text([found])


def test_nobody_has_a_receipt_although_others_do() -> None:
    """
    After two hours that speaks for the request never having been taken; the decision
    stays with its owner.
    """
    found = told(doubt(), last=ago(hours=1))
    text = unknown_as_text([found])

    assert Advice.NOT_TAKEN is found.advice
    assert "1,000 unknown, no receipt after 2 hours: not taken" in text
    assert "that is for you to decide" in text


def test_a_campaign_that_was_lost_as_a_whole() -> None:
    """
    Receipts of other campaigns show that they arrive.
    """
    lost = attrs.evolve(STATUS, accepted=0, calls=None)

    assert Advice.NOT_TAKEN is told(doubt(), lost, last=ago(hours=1)).advice


@pytest.mark.parametrize(
    ("hours", "heard"),
    [(0.5, 9_000), (2, 4_000)],
    ids=["just sent", "others wait, too"],
)
def test_it_may_be_too_early(hours: float, heard: int) -> None:
    """
    Silence says nothing soon, nor while most others were not heard of either.
    """
    calls = Calls(reached=heard, on_its_way=9_000 - heard)
    status = attrs.evolve(STATUS, calls=calls)
    found = told(doubt(hours=hours), status, last=ago(minutes=1))

    assert Advice.TOO_EARLY is found.advice
    assert "look again" in unknown_as_text([found])


@pytest.mark.parametrize(
    "case", ["receiver is down", "none of this campaign", "unsent", "asked"]
)
def test_silence_may_have_another_cause(case: str) -> None:
    """
    The receiver may be down, or another address be told; that others were asked about
    is no receipt.
    """
    found = {
        "asked": lambda: told(
            doubt(), attrs.evolve(STATUS, asked=5_000), last=ago(hours=1)
        ),
        "receiver is down": lambda: told(doubt(), last=ago(hours=3)),
        "none of this campaign": lambda: told(
            doubt(), attrs.evolve(STATUS, calls=None), last=ago(hours=1)
        ),
        "unsent": lambda: told(doubt(claimed=None), last=ago(hours=1)),
    }[case]()

    assert Advice.UNCLEAR is found.advice
    assert "check that they arrive" in unknown_as_text([found])


def test_no_receipt_ever() -> None:
    """
    Nothing can be concluded, and it is said how to have some.
    """
    found = told(doubt(hours=48), last=None)
    text = unknown_as_text([found])

    assert Advice.NO_RECEIPTS is found.advice
    assert "no receipt after 2 days" in text
    assert "nothing can be concluded; send with --notify-url" in text


def several() -> Sequence[Advised]:
    """
    Many requests, of which one has receipts.
    """
    batches = [
        doubt(
            batch=f"0123456789-{number}", unknown=10, reasons=("timed out", "HTTP 504")
        )
        for number in range(30)
    ]
    batches[3] = attrs.evolve(batches[3], unknown=1, accepted=9, receipts=9)
    counts = ReceiptCounts(received=5, last_at=clock.now() - 60)
    return advised(batches, STATUS, counts)


def test_many_requests() -> None:
    """
    A long list is cut, and says by how much; what they come to stands at the end.
    """
    lines = unknown_as_text(several()).splitlines()

    assert "0123456789-0  " in lines[0]
    assert "(timed out; HTTP 504)" in lines[0]
    assert "and 10 more requests" == lines[20].strip()
    assert ["taken, 1 request with 1", "not taken, 29 requests with 290"] == [
        line.partition(" unknown:")[0] for line in lines[21:]
    ]


def test_the_same_for_programs() -> None:
    """
    With each request, a word for it, and all counts.
    """
    last = clock.now() - 60
    found = unknown_as_object(
        "june", several(), ReceiptCounts(received=5, last_at=last)
    )
    batches = found["batches"]
    assert isinstance(batches, list)

    assert ("june", 291, 30, 5) == (
        *(found["campaign"], found["unknown"], found["requests"]),
        found["receipts"],
    )
    assert {
        "taken": {"requests": 1, "unknown": 1},
        "not_taken": {"requests": 29, "unknown": 290},
    } == found["advice"]
    assert ("taken", 9, 1_000, 1) == tuple(
        batches[3][name] for name in ("advice", "receipts", "size", "unknown")
    )
    assert '"last_receipt":"2033-05-' in dump(found)


def test_nothing_is_unknown() -> None:
    """
    There is nothing to tell.
    """
    assert "" == unknown_as_text([])
    assert {} == unknown_as_object("june", [], ReceiptCounts())["advice"]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 seconds"),
        (-5, "0 seconds"),
        (1, "1 second"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (7_199, "119 minutes"),
        (7_200, "2 hours"),
        (172_800, "2 days"),
    ],
)
def test_how_long_it_was(seconds: float, expected: str) -> None:
    """
    In a unit that people count in.
    """
    assert expected == for_how_long(seconds)


def test_dates_are_told_in_utc_and_times_by_this_machine() -> None:
    """
    As everywhere.
    """
    claimed = datetime(2030, 4, 12, 12, tzinfo=UTC)

    assert "2030-04-12 12:00:00Z" in unknown_as_text(
        [told(doubt(claimed=claimed), last=None)]
    )
