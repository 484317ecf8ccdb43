"""
A second round: only whose call has ended is called again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path

import pytest
from conftest import Connect, Serve, Simulate, numbers
from ledger_model import Store, Ticking, given
from mishaps import LEDGER, say, sending
from sums import check_sums

from voicepush import (
    Call,
    CallState,
    Campaign,
    CampaignState,
    Destination,
    FollowUp,
    InputError,
    Ledger,
    NobodyToCallError,
    Outcome,
    Receipt,
    Report,
    VoiceMessage,
    open_ledger,
)
from voicepush.receipts.call_state import call_of

#: What became of the ten who were called first, by the last digit of their number.
BUSY, HEARD, RINGING, HUNG_UP, LOST = "7402", "7519", "7408", "7410", "7409"


async def report(
    ledger: Ledger, people: Iterable[str], code: str, *, at: float = 5.0
) -> None:
    """
    Let *people* have a receipt of their last call.
    """
    receipts = []
    for value in people:
        found = (await ledger.lookup(value))[-1]
        call: Call = call_of(code, "", "", at)
        report = Report(call=call, correlation_id=found.result.correlation_id)
        receipts.append(Receipt(body=b"{}", received_at=at, reports=[report]))
    await ledger.receive(receipts)


async def called(ledger: Ledger, name: str) -> list[str]:
    """
    Who is planned in the campaign *name*.
    """
    campaign = await Campaign.open(ledger, name)
    return [each.recipient async for each in campaign.results()]


@pytest.fixture
async def first(
    store: Store, simulate: Simulate, connect: Connect, message: VoiceMessage
) -> Store:
    """
    A ledger with a campaign of ten, of whom three were not reached, two picked up, two
    are ringing yet, and of three nothing was heard.
    """
    client = await connect(await simulate())
    campaign = await Campaign.plan(store.ledger, "june", message, numbers(10))
    await campaign.dispatch(client)
    await report(store.ledger, numbers(10)[:2], BUSY)
    await report(store.ledger, numbers(10)[2:3], HUNG_UP)
    await report(store.ledger, numbers(10)[3:5], HEARD)
    await report(store.ledger, numbers(10)[3:4], LOST)
    await report(store.ledger, numbers(10)[5:7], RINGING)
    return store


async def test_who_may_still_be_rung_is_not_called_again(
    first: Store, message: VoiceMessage
) -> None:
    """
    Nor who picked up, nor of whom nothing was heard.
    """
    ledger = first.ledger
    second = await Campaign.plan(ledger, "july", message, FollowUp(ledger, "june"))
    status = await second.status()

    assert numbers(3) == await called(ledger, "july")
    assert ("june", 3) == (status.follows, status.planned)
    check_sums(status)


async def test_a_late_receipt_takes_someone_out_of_the_second_round(
    first: Store, simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    They were reached after all: when it is their turn they are suppressed.
    """
    ledger, simulator = first.ledger, await simulate()
    client = await connect(simulator)
    second = await Campaign.plan(ledger, "july", message, FollowUp(ledger, "june"))
    await report_of_june(ledger, numbers(1)[0], HEARD)
    summary = await second.dispatch(client)
    status = await second.status()

    assert set(numbers(3)[1:]) == set(simulator.calls)
    assert (2, 1) == (summary.accepted, summary.suppressed)
    assert (CampaignState.FINISHED, 2, 1) == (
        *(status.state, status.planned),
        status.suppressed,
    )
    check_sums(status)
    (left,) = [each async for each in second.results(Outcome.SUPPRESSED)]
    assert (numbers(1)[0], "the earlier call is in another state by now") == (
        *(left.recipient,),
        left.description,
    )


async def report_of_june(ledger: Ledger, value: str, code: str) -> None:
    """
    Let *value* have a receipt of the first campaign's call.
    """
    (found,) = [each for each in await ledger.lookup(value) if each.campaign == "june"]
    said = Report(
        call=call_of(code, "", "", 9.0), correlation_id=found.result.correlation_id
    )
    await ledger.receive([Receipt(body=b"{}", received_at=9.0, reports=[said])])


async def test_nobody_is_called_by_two_second_rounds(
    first: Store, simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Another name takes those who are not called again yet; the next round follows up
    the calls of the last.
    """
    ledger = first.ledger
    july = await Campaign.plan(ledger, "july", message, FollowUp(ledger, "june"))
    with pytest.raises(NobodyToCallError, match=r"5 are on their way, and 3 are call"):
        await Campaign.plan(ledger, "again", message, FollowUp(ledger, "june"))
    await report(ledger, numbers(10)[5:6], BUSY)
    await Campaign.plan(ledger, "august", message, FollowUp(ledger, "june"))
    await july.dispatch(await connect(await simulate()))
    await report(ledger, numbers(10)[1:2], BUSY)
    await Campaign.plan(ledger, "third", message, FollowUp(ledger, "july"))

    assert numbers(10)[5:6] == await called(ledger, "august")
    assert numbers(10)[1:2] == await called(ledger, "third")


async def test_who_was_not_called_after_all_may_be_taken_again(
    first: Store, message: VoiceMessage
) -> None:
    """
    A second round that was cancelled has called nobody.
    """
    ledger = first.ledger
    july = await Campaign.plan(ledger, "july", message, FollowUp(ledger, "june"))
    await july.cancel()
    await Campaign.plan(ledger, "august", message, FollowUp(ledger, "june"))

    assert numbers(3) == await called(ledger, "august")


async def test_no_more_rounds_than_wanted(first: Store, message: VoiceMessage) -> None:
    """
    It says which there were.
    """
    ledger = first.ledger
    follow = FollowUp(ledger, "june", rounds=2)
    await Campaign.plan(ledger, "july", message, follow)

    with pytest.raises(InputError, match=r"'july' is round 2 \(june > july\)"):
        await Campaign.plan(
            ledger, "august", message, FollowUp(ledger, "july", rounds=2)
        )


async def test_it_waits_after_the_receipt(
    first: Store,
    simulate: Simulate,
    connect: Connect,
    message: VoiceMessage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    Two hours after the call has ended by a receipt, however long ago it was sent.
    """
    ledger, simulator = first.ledger, await simulate()
    client = await connect(simulator)
    follow = FollowUp(ledger, "june", after=timedelta(hours=2))
    second = await Campaign.plan(ledger, "july", message, follow)
    worker = await ledger.join("july", lambda _: message)
    (due,) = await given(worker)
    claim = await worker.claim(due.known.batch, range(3))
    await worker.leave(CampaignState.PAUSED)
    assert "--after" in getattr(claim, "reason", "")
    clock = Ticking()
    clock.microseconds = round(getattr(claim, "moment", 0.0) * 1_000_000)
    clock.patch(monkeypatch.setattr)
    summary = await second.dispatch(client)

    assert 3 == summary.accepted
    assert set(numbers(3)) == set(simulator.calls)


async def test_the_first_dispatch_waits(
    first: Store, simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Also where there is but one batch, which is deferred as soon as it is claimed.
    """
    ledger, simulator = first.ledger, await simulate()
    client = await connect(simulator)
    await report(ledger, numbers(10)[7:8], BUSY)
    follow = FollowUp(ledger, "june", after=timedelta(milliseconds=400))
    second = await Campaign.plan(ledger, "july", message, follow)
    summary = await second.dispatch(client)

    assert 4 == summary.accepted
    assert CampaignState.FINISHED is (await second.status()).state


async def test_several_in_one_destination_are_told_apart(
    store: Store, simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Only who was not reached is called again, and with an id of the new campaign.
    """
    ledger, simulator = store.ledger, await simulate()
    client = await connect(simulator)
    both = Destination(numbers(2), correlation_id="own")
    campaign = await Campaign.plan(ledger, "june", message, [both])
    await campaign.dispatch(client)
    for value, code in zip(numbers(2), (HEARD, BUSY), strict=True):
        said = Report(
            call=call_of(code, "", "", 5.0), correlation_id="own", recipient=value
        )
        await ledger.receive([Receipt(body=b"{}", received_at=5.0, reports=[said])])
    await Campaign.plan(ledger, "july", message, FollowUp(ledger, "june"))
    (found,) = [
        each for each in await ledger.lookup(numbers(2)[1]) if each.campaign == "july"
    ]

    assert numbers(2)[1:] == await called(ledger, "july")
    assert "own" != found.result.correlation_id


@pytest.mark.parametrize(
    "make",
    [
        lambda ledger: FollowUp(ledger, "june", states=[]),
        lambda ledger: FollowUp(ledger, "june", states=[CallState.ON_ITS_WAY]),
        lambda ledger: FollowUp(ledger, "june", rounds=1),
    ],
)
def test_what_can_not_be_followed_up(make: Callable[[object], FollowUp]) -> None:
    """
    It is said before anything is planned.
    """
    with pytest.raises(InputError):
        make(None)


async def test_an_unknown_campaign_can_not_be_followed_up(
    store: Store, message: VoiceMessage
) -> None:
    """
    Nothing is planned.
    """
    with pytest.raises(InputError, match="no campaign 'may'"):
        await Campaign.plan(
            store.ledger, "june", message, FollowUp(store.ledger, "may")
        )
    assert [] == await store.ledger.campaigns()


# The command


async def reported(*codes: str) -> None:
    """
    Let the people of the campaign ``june`` in the ledger here have receipts.
    """
    async with open_ledger(LEDGER) as ledger:
        for place, code in enumerate(codes):
            await report(ledger, [numbers(len(codes))[place]], code)


@pytest.mark.usefixtures("in_a_folder")
def test_the_command_plans_the_next_round(serve: Serve) -> None:
    """
    Under the name of the first with a number; the same again goes on with it.
    """
    simulator = serve()
    Path("june.csv").write_text("\n".join(["msisdn", *numbers(3)]), encoding="utf-8")
    options = sending(simulator)[2:]
    assert 0 == say("send", "june.csv", *options).code
    asyncio.run(reported(BUSY, HEARD, RINGING))

    rehearsed = say("send", "--from-campaign", "june", *options, "--dry-run", "--json")
    second = say("send", "--from-campaign", "june", *options, "--rounds", "2")
    again = say("send", "--from-campaign", "june", *options, "--rounds", "2")
    third = say("send", "--from-campaign", "june-2", *options, "--rounds", "2")
    status = say("status", "june-2").out

    assert 1 == json.loads(rehearsed.out)["planned"]
    assert (0, 0, 2) == (second.code, again.code, third.code)
    assert {numbers(3)[0]: 2} == {
        value: times for value, times in simulator.calls.items() if times > 1
    }
    assert "calls people of june again" in status
    assert "round 2: june > june-2" in status
    assert "in campaign june-2, a round after june" in say("lookup", numbers(1)[0]).out
    assert "is round 2 (june > june-2)" in third.complaint


@pytest.mark.usefixtures("in_a_folder")
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "either a FILE"),
        (["june.csv", "--from-campaign", "june"], "either a FILE"),
        (["june.csv", "--rounds", "2"], "--rounds belongs to --from-campaign"),
        (["--from-campaign", "june", "--column", "1"], "--column says how to read"),
        (["--from-campaign", "june", "--calls", "on-its-way"], "that have ended"),
        (["--from-campaign", "june", "--calls", "gone"], "--calls 'gone' is none of"),
        (["--from-campaign", "may"], "no campaign 'may'"),
    ],
)
def test_wrong_usage(serve: Serve, arguments: list[str], complaint: str) -> None:
    """
    One clear line, and nothing is planned.
    """
    simulator = serve()
    Path("june.csv").write_text("\n".join(["msisdn", *numbers(3)]), encoding="utf-8")
    options = sending(simulator)[2:]
    assert 0 == say("send", "june.csv", *options).code

    said = say("send", *arguments, *options)

    assert 2 == said.code
    assert complaint in said.complaint
