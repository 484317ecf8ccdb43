"""
How often someone may be called by all campaigns of a ledger.
"""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest
from conftest import Connect, Serve, Simulate, numbers
from hypothesis import given
from hypothesis import strategies as st
from ledger_model import Store, Ticking
from mishaps import LEDGER, say, sending
from sums import check_sums

from voicepush import (
    Campaign,
    Destination,
    FollowUp,
    InputError,
    Outcome,
    Receipt,
    Recipient,
    Report,
    Screening,
    VoiceMessage,
    open_ledger,
)
from voicepush.cli.caps import CallCaps
from voicepush.ledger.decisions import too_often
from voicepush.ledger.index import Places
from voicepush.ledger.plan import Cap
from voicepush.receipts.call_state import call_of

DAY = 86_400.0


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> Ticking:
    """
    A clock that the ledger lives by, and that the test moves.
    """
    clock = Ticking()
    clock.patch(monkeypatch.setattr)
    return clock


async def test_who_was_called_lately_is_not_planned(
    store: Store,
    ticking: Ticking,
    simulate: Simulate,
    connect: Connect,
    message: VoiceMessage,
) -> None:
    """
    By whatever campaign; a day later they may be.
    """
    ledger, client = store.ledger, await connect(await simulate())
    first = await Campaign.plan(ledger, "first", message, numbers(4))
    await first.dispatch(client)
    caps, screening = [Cap(1, DAY)], Screening()
    with pytest.raises(InputError, match="called too recently"):
        await Campaign.plan(ledger, "second", message, numbers(3), caps=caps)
    third = await Campaign.plan(
        ledger, "third", message, numbers(6), caps=caps, screening=screening
    )
    status = await third.status()
    ticking.move(DAY)
    later = await Campaign.plan(ledger, "later", message, numbers(6), caps=caps)

    assert (6, 2, 4) == (status.read, status.planned, status.suppressed)
    assert 4 == screening.suppressed
    assert 6 == (await later.status()).planned
    check_sums(status)


async def test_who_is_called_meanwhile_is_left_out_when_it_is_their_turn(
    store: Store, simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Each campaign looks at the others in the moment in which it claims.
    """
    ledger, simulator = store.ledger, await simulate()
    client = await connect(simulator)
    caps = [Cap(1, DAY)]
    ours = await Campaign.plan(ledger, "ours", message, numbers(5), caps=caps)
    both: list[Recipient] = [Destination(numbers(8)[4:6]), *numbers(8)[6:]]
    other = await Campaign.plan(ledger, "other", message, both, caps=caps)
    await ours.dispatch(client)
    summary = await other.dispatch(client)
    status = await other.status()

    # Of two in one destination both are left out: they have one id.
    assert set(numbers(5)) | set(numbers(8)[6:]) == set(simulator.calls)
    assert {1} == set(simulator.calls.values())
    assert (2, 2) == (summary.accepted, summary.suppressed)
    assert (2, 2, 4) == (status.planned, status.suppressed, status.read)
    check_sums(status)
    left = [each async for each in other.results(Outcome.SUPPRESSED)]
    assert {"was called within 1 day already"} == {each.description for each in left}


async def test_two_campaigns_at_once_call_nobody_twice(
    store: Store, simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Who is in flight counts as well.
    """
    ledger, simulator = store.ledger, await simulate(latency=0.01)
    caps = [Cap(1, DAY)]
    listed = numbers(400)
    campaigns = [
        await Campaign.plan(
            ledger, f"c{n}", message, listed[:: 1 if n else -1], caps=caps, batch_size=9
        )
        for n in range(2)
    ]
    await asyncio.gather(
        *[each.dispatch(await connect(simulator)) for each in campaigns]
    )
    found = [await each.status() for each in campaigns]

    assert dict.fromkeys(listed, 1) == simulator.calls
    assert 400 == sum(each.accepted for each in found)
    assert 400 == sum(each.suppressed for each in found)
    for status in found:
        check_sums(status)


async def test_three_times_are_counted(
    store: Store,
    ticking: Ticking,
    simulate: Simulate,
    connect: Connect,
    message: VoiceMessage,
) -> None:
    """
    Only as far back as the cap goes.
    """
    ledger, client = store.ledger, await connect(await simulate())
    caps = [Cap(3, 30 * DAY)]
    planned = []
    for day in range(5):
        campaign = await Campaign.plan(
            ledger, f"c{day}", message, [numbers(9)[0], numbers(9)[day + 1]], caps=caps
        )
        await campaign.dispatch(client)
        planned.append((await campaign.status()).planned)
        ticking.move(10 * DAY if day else DAY)

    assert [2, 2, 2, 1, 2] == planned


async def test_an_expired_call_does_not_count(
    store: Store, simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    The platform has never offered it to the network.
    """
    ledger, client = store.ledger, await connect(await simulate())
    first = await Campaign.plan(ledger, "first", message, numbers(2))
    await first.dispatch(client)
    (found,) = await ledger.lookup(numbers(1)[0])
    said = Report(
        call=call_of("7005", "", "", 1.0), correlation_id=found.result.correlation_id
    )
    await ledger.receive([Receipt(body=b"{}", received_at=1.0, reports=[said])])
    second = await Campaign.plan(
        ledger, "second", message, numbers(2), caps=[Cap(1, DAY)]
    )

    assert numbers(1) == [each.recipient async for each in second.results()]


@pytest.mark.usefixtures("in_a_folder")
def test_whom_their_owner_resends_is_called_again(serve: Serve) -> None:
    """
    The attempt that is decided about does not count, but whom another campaign has
    called meanwhile does.
    """
    simulator = serve()
    options = [*sending(simulator)[2:], "--not-within", "24h"]
    Path("june.csv").write_text("\n".join(["msisdn", *numbers(3)]), encoding="utf-8")
    Path("july.csv").write_text("\n".join(["msisdn", *numbers(1)]), encoding="utf-8")
    simulator.next_replies(504)
    lost = say("send", "june.csv", *options)
    decided = say("resolve", "june", "--resend", "--yes")
    other = say("send", "july.csv", *options)
    again = say("resume", "june", "--base-url", simulator.url)
    status = json.loads(say("status", "june", "--json").out)

    assert (1, 0, 0) == (lost.code, decided.code, other.code), lost.err
    assert 0 == again.code, again.err
    assert (2, 1) == (status["accepted"], status["suppressed"])
    assert dict.fromkeys(numbers(3), 2) == simulator.calls


@pytest.mark.parametrize(
    ("after", "planned"), [(None, 0), (timedelta(milliseconds=1), 2)]
)
async def test_a_second_round_after_a_time_goes_before_a_cap(
    store: Store,
    simulate: Simulate,
    connect: Connect,
    message: VoiceMessage,
    after: timedelta | None,
    planned: int,
) -> None:
    """
    Its owner has said when they are called again.
    """
    ledger, client = store.ledger, await connect(await simulate())
    first = await Campaign.plan(ledger, "first", message, numbers(2))
    await first.dispatch(client)
    for value in numbers(2):
        (found,) = await ledger.lookup(value)
        said = Report(
            call=call_of("7401", "", "", 1.0),
            correlation_id=found.result.correlation_id,
        )
        await ledger.receive([Receipt(body=b"{}", received_at=1.0, reports=[said])])
    follow = FollowUp(ledger, "first", after=after)
    if not planned:
        with pytest.raises(InputError, match="too recently"):
            await Campaign.plan(ledger, "second", message, follow, caps=[Cap(1, DAY)])
        return
    second = await Campaign.plan(ledger, "second", message, follow, caps=[Cap(1, DAY)])
    summary = await second.dispatch(client)

    assert planned == (await second.status()).planned == summary.accepted


@given(
    st.lists(st.floats(0, 100)),
    st.lists(st.builds(Cap, st.integers(1, 3), st.sampled_from([1.0, 50.0, DAY]))),
)
def test_a_cap_counts_what_lies_within_it(times: list[float], caps: list[Cap]) -> None:
    """
    One cap that would be broken is enough.
    """
    broken = any(
        len([at for at in times if at > 100 - cap.seconds]) >= cap.most for cap in caps
    )

    assert broken is (too_often(times, caps, 100.0) is not None)


@pytest.mark.slow
@given(st.lists(st.lists(st.text(max_size=3), max_size=5)), st.lists(st.text()))
def test_texts_are_found_in_very_many_columns(
    columns: list[list[str]], asked: list[str]
) -> None:
    """
    In a dictionary, and in arrays once there are many.
    """
    known = Places(few=3)
    for at, column in enumerate(columns):
        known.add(at, column)
    asked += [text for column in columns for text in column]
    found = known.find(asked)

    assert {
        at: [place for place, text in enumerate(asked) if text in column]
        for at, column in enumerate(columns)
        if set(column) & set(asked)
    } == {at: sorted(set(places)) for at, places in found.items()}
    assert bool(known) is any(columns)


# The command


@pytest.mark.slow
@pytest.mark.usefixtures("in_a_folder")
def test_the_command_leaves_them_out(serve: Serve) -> None:
    """
    It says how many and why, and the same command again goes on.
    """
    simulator = serve()
    options = sending(simulator)[2:]
    Path("june.csv").write_text("\n".join(["msisdn", *numbers(3)]), encoding="utf-8")
    Path("july.csv").write_text("\n".join(["msisdn", *numbers(5)]), encoding="utf-8")
    assert 0 == say("send", "june.csv", *options).code
    july = ["send", "july.csv", *options, "--not-within", "24h", "--at-most", "3/30d"]
    rehearsed = say(*july, "--dry-run", "--json")
    first, again = say(*july), say(*july)
    other = say(*july[:-1], "2/30d")

    assert (2, 3) == tuple(
        json.loads(rehearsed.out)[name] for name in ("planned", "suppressed")
    )
    assert (0, 0, 2) == (first.code, again.code, other.code)
    assert "3  was called too recently" in first.err
    assert "--at-most 3/30d, not with --at-most 2/30d" in other.complaint
    assert {1} == set(simulator.calls.values())

    async def caps() -> tuple[Cap, ...]:
        async with open_ledger(LEDGER) as ledger:
            plan = await ledger.plan("july")
            assert plan is not None
            return plan.caps

    assert (Cap(1, DAY), Cap(3, 30 * DAY)) == asyncio.run(caps())


#: The address of a service on another machine.
FAR = "https://api.imiconnect.io"


@pytest.mark.parametrize("text", ["3", "0/1d", "3/", "x/1d", "3/x", "-1/1d", "3/0s"])
def test_a_cap_that_can_not_be_understood(text: str) -> None:
    """
    One clear line.
    """
    with pytest.raises(InputError, match="--at-most"):
        CallCaps(at_most=text).build(FAR, again=False)


def test_nobody_is_called_twice_a_day_unless_their_owner_says_so() -> None:
    """
    Not to a service on this machine, and not in a second round; either option replaces
    that.
    """
    by_default = CallCaps()

    assert (Cap(1, DAY),) == by_default.build(FAR, again=False)
    assert () == by_default.build(FAR, again=True)
    assert () == by_default.build("http://127.0.0.1:8080", again=False)
    assert () == CallCaps(at_most="none").build(FAR, again=False)
    assert (Cap(1, 3600),) == CallCaps(not_within="1h").build(FAR, again=False)
    assert (Cap(2, DAY),) == CallCaps(at_most="2/24h").build(FAR, again=True)
