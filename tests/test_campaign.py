"""
Campaigns: planned in a real file, dispatched to the simulator, gone on with.
"""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from conftest import Connect, Simulate, numbers
from making import opened

from voicepush import (
    Campaign,
    CampaignHeldError,
    Destination,
    InputError,
    Ledger,
    LedgerError,
    Recipient,
    Screening,
    SourceError,
    Standing,
    State,
    VoiceMessage,
    open_ledger,
    read_file,
)
from voicepush.ledger.sqlite.worker import SQLiteLease
from voicepush.screening.refusals import Refusal
from voicepush.sources.blocks import Block


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    """
    An empty ledger in a real file.
    """
    async with open_ledger(tmp_path / "test.db") as ledger:
        yield ledger


def check_sums(standing: Standing) -> None:
    """
    Nobody is lost: both sums of the promise hold.
    """
    assert standing.planned == (
        standing.pending
        + standing.in_flight
        + standing.accepted
        + standing.rejected
        + standing.expired
        + standing.not_sent
        + standing.unknown
    )
    assert standing.read == (
        standing.planned + standing.invalid + standing.duplicate + standing.suppressed
    )


async def test_a_campaign_rings_everyone_once(
    ledger: Ledger, simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Planned, dispatched and finished, with the numbers to show for it.
    """
    simulator = await simulate()
    client = await connect(simulator)

    campaign = await Campaign.plan(ledger, "june", message, numbers(2_500))
    planned = await campaign.standing()
    summary = await campaign.dispatch(client)
    finished = await campaign.standing()

    assert (State.PLANNED, 2_500, 2_500) == (
        planned.state,
        planned.planned,
        planned.pending,
    )
    assert 2_500 == summary.accepted
    assert (State.FINISHED, 2_500, 0) == (
        finished.state,
        finished.accepted,
        finished.pending,
    )
    assert Counter(numbers(2_500)) == simulator.calls
    check_sums(finished)


async def test_duplicates_and_bad_numbers_are_counted(
    ledger: Ledger, message: VoiceMessage
) -> None:
    """
    What was read is planned, invalid or a duplicate.
    """
    recipients = ["+18005550100", "+1 800 555-0100", "+18005550101", "x", ""]

    campaign = await Campaign.plan(ledger, "mixed", message, recipients)
    standing = await campaign.standing()

    assert (5, 2, 2, 1) == (
        standing.read,
        standing.planned,
        standing.invalid,
        standing.duplicate,
    )
    check_sums(standing)


async def test_dispatching_again_rings_nobody_again(
    ledger: Ledger, simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    What has an outcome keeps it; only what was not sent goes again.
    """
    simulator = await simulate("drop@1/4")
    client = await connect(simulator, batch_size=10, concurrency=1)
    campaign = await Campaign.plan(ledger, "june", message, numbers(100), batch_size=10)

    first = await campaign.dispatch(client)
    before = simulator.rung
    second = await campaign.dispatch(client)
    standing = await campaign.standing()

    assert (80, 20) == (first.accepted, first.unknown)
    assert 0 == second.total
    assert before == simulator.rung
    assert 20 == standing.unknown
    assert {1} == set(simulator.calls.values())


async def test_what_was_not_sent_goes_when_the_service_is_back(
    ledger: Ledger,
    simulate: Simulate,
    connect: Connect,
    message: VoiceMessage,
    unused_tcp_port: int,
) -> None:
    """
    A service that is down costs nobody the call.
    """
    campaign = await Campaign.plan(ledger, "june", message, numbers(30))
    nowhere = await connect(f"http://127.0.0.1:{unused_tcp_port}", patience=0.1)

    await campaign.dispatch(nowhere)
    down = await campaign.standing()
    simulator = await simulate()
    await campaign.dispatch(await connect(simulator))
    up = await campaign.standing()

    assert (30, 0) == (down.not_sent, down.accepted)
    assert (0, 30) == (up.not_sent, up.accepted)
    assert Counter(numbers(30)) == simulator.calls


async def test_a_fatal_refusal_stops_it_and_is_kept(
    ledger: Ledger, simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    After a wrong key the rest is pending, and the reason is stored.
    """
    simulator = await simulate("7001", latency=0.02)
    client = await connect(simulator, concurrency=2)
    campaign = await Campaign.plan(
        ledger, "june", message, numbers(1_000), batch_size=10
    )

    summary = await campaign.dispatch(client)
    stopped = await campaign.standing()
    simulator.faults = ()
    await campaign.dispatch(client)
    standing = await campaign.standing()

    assert "7001" in (summary.stopped or "")
    assert State.PAUSED is stopped.state
    assert "7001" in (stopped.reason or "")
    assert 0 == stopped.accepted
    assert stopped.not_sent <= 20
    check_sums(stopped)
    assert 1_000 == standing.accepted
    assert {1} == set(simulator.calls.values())


async def test_stopping_settles_what_is_under_way(
    ledger: Ledger, simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    A stopped dispatch leaves nothing in flight, and the rest pending.
    """
    simulator = await simulate(latency=0.05)
    client = await connect(simulator, concurrency=2)
    campaign = await Campaign.plan(
        ledger, "june", message, numbers(1_000), batch_size=10
    )
    dispatch = asyncio.create_task(campaign.dispatch(client))
    while len(simulator.requests) < 4:  # noqa: ASYNC110 -- it has no event for that
        await asyncio.sleep(0.01)
    campaign.stop("enough for today")
    await dispatch
    standing = await campaign.standing()

    assert (State.PAUSED, "enough for today") == (standing.state, standing.reason)
    assert 0 == standing.in_flight
    assert simulator.rung == standing.accepted
    assert 900 < standing.pending
    check_sums(standing)


async def test_a_cancelled_dispatch_leaves_unknown_what_was_in_flight(
    ledger: Ledger, simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Who was in flight is shown as such, and unknown once it goes on.
    """
    simulator = await simulate()
    simulator.next_replies("hang", "hang")
    client = await connect(simulator, concurrency=2)
    campaign = await Campaign.plan(ledger, "june", message, numbers(100), batch_size=10)
    dispatch = asyncio.create_task(campaign.dispatch(client))
    while len(simulator.requests) < 2:  # noqa: ASYNC110 -- it has no event for that
        await asyncio.sleep(0.01)
    dispatch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dispatch
    left = await campaign.standing()
    await campaign.dispatch(client)
    standing = await campaign.standing()

    assert (State.PAUSED, 20) == (left.state, left.in_flight)
    check_sums(left)
    assert (20, 80) == (standing.unknown, standing.accepted)
    assert {1} == set(simulator.calls.values())


async def test_parts_of_a_batch_keep_their_own_outcomes(
    ledger: Ledger, simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Of a mixed batch only the pending part goes again after a crash in between.
    """
    simulator = await simulate(seed=4)
    simulator.next_replies("mix:7006=40%,7102=10%", "hang")
    client = await connect(simulator)
    campaign = await Campaign.plan(ledger, "june", message, numbers(100))
    dispatch = asyncio.create_task(campaign.dispatch(client))
    while len(simulator.requests) < 2:  # noqa: ASYNC110 -- it has no event for that
        await asyncio.sleep(0.01)
    dispatch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dispatch
    await campaign.dispatch(client)
    standing = await campaign.standing()

    again = simulator.requests[1].size
    assert again == standing.unknown
    assert 100 == standing.accepted + standing.rejected + standing.unknown
    assert {1} == set(simulator.calls.values())
    check_sums(standing)


@pytest.mark.parametrize("replies", [("7022", "7022"), ("7006", "7009"), ("413",) * 5])
async def test_what_is_too_large_is_split_and_claimed_anew(
    replies: tuple[str, ...],
    simulate: Simulate,
    connect: Connect,
    ledger: Ledger,
    message: VoiceMessage,
) -> None:
    """
    Each piece of a batch is claimed for itself, and everyone is accepted in the end.
    """
    simulator = await simulate()
    simulator.next_replies(*replies)
    client = await connect(simulator, first_wait=0.01)
    campaign = await Campaign.plan(ledger, "large", message, numbers(100))

    await campaign.dispatch(client)
    standing = await campaign.standing()

    assert (100, 0) == (standing.accepted, standing.unknown)
    assert Counter(numbers(100)) == simulator.calls


async def test_a_plan_that_is_cancelled_ends_with_its_block(
    ledger: Ledger, message: VoiceMessage
) -> None:
    """
    The thread that reads a file stops soon after nobody wants the file any more.
    """
    read = 0

    def blocks() -> Iterator[Block]:
        nonlocal read
        for place in range(1_000):
            time.sleep(0.02)
            read += 1
            yield Block(range(place + 1, place + 2), numbers(1_000)[place : place + 1])

    planning = asyncio.create_task(Campaign.plan(ledger, "j", message, blocks()))
    await asyncio.sleep(0.05)
    planning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await planning
    then = read
    await asyncio.sleep(0.2)

    assert read <= then + 1
    assert [] == await ledger.campaigns()


async def test_refusals_before_an_error_are_told(
    ledger: Ledger, message: VoiceMessage
) -> None:
    """
    Whoever is refused is told also where the source breaks off soon after.
    """

    def blocks() -> Iterator[Block]:
        yield Block(range(1, 3), ["nobody", numbers(1)[0]])
        raise SourceError("broken", row=3)

    told: list[Refusal] = []
    with pytest.raises(SourceError):
        await Campaign.plan(ledger, "j", message, blocks(), refused=told.extend)

    assert ["nobody"] == [each.recipient for each in told]


async def test_a_destination_too_large_for_us_is_settled(
    simulate: Simulate, connect: Connect, ledger: Ledger, message: VoiceMessage
) -> None:
    """
    What our own limit refuses is rejected in the ledger, too, and not tried again.
    """
    simulator = await simulate()
    client = await connect(simulator, body_limit=1_000)
    many = Destination(numbers(100))
    campaign = await Campaign.plan(ledger, "large", message, [many])

    await campaign.dispatch(client)
    standing = await campaign.standing()

    assert (100, 0) == (standing.rejected, standing.pending)
    assert not simulator.requests
    check_sums(standing)


async def test_the_expiry_counts_from_the_planning(
    ledger: Ledger, simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    What is pending when the expiry comes is expired, and is never sent.
    """
    simulator = await simulate()
    client = await connect(simulator)
    soon = attrs.evolve(message, expiry=timedelta(seconds=0.1))
    campaign = await Campaign.plan(ledger, "june", soon, numbers(50))
    await asyncio.sleep(0.11)

    await campaign.dispatch(client)
    standing = await campaign.standing()

    assert isinstance(campaign.message.expiry, datetime)
    assert (50, 0) == (standing.expired, len(simulator.requests))


async def test_only_one_process_dispatches(
    ledger: Ledger, simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    A second dispatcher is refused, and told who holds the campaign.
    """
    simulator = await simulate("hang")
    client = await connect(simulator)
    campaign = await Campaign.plan(ledger, "june", message, numbers(5))
    dispatch = asyncio.create_task(campaign.dispatch(client))
    while not simulator.requests:  # noqa: ASYNC110 -- it has no event for that
        await asyncio.sleep(0.01)

    with pytest.raises(CampaignHeldError, match=r"process \d+ on .*last sign"):
        await campaign.dispatch(client)
    assert State.RUNNING is (await campaign.standing()).state
    dispatch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dispatch


async def test_a_second_handle_on_the_file_takes_no_locks_away(
    simulate: Simulate, connect: Connect, message: VoiceMessage, tmp_path: Path
) -> None:
    """
    With the ledger open twice here, a look from another process loses no commit.
    """
    path = tmp_path / "twice.db"
    simulator = await simulate()
    client = await connect(simulator)
    status = [sys.executable, "-m", "voicepush", "status", "--ledger", str(path)]

    async with open_ledger(path) as first:
        campaign = await Campaign.plan(first, "june", message, numbers(3_000))
        async with open_ledger(path):
            await asyncio.to_thread(subprocess.run, status, check=True)
            await campaign.dispatch(client)
            seen = await asyncio.to_thread(subprocess.check_output, status, text=True)

    assert "june: finished, 3,000 of 3,000 done" in seen
    assert Counter(numbers(3_000)) == simulator.calls


async def test_a_planner_that_was_overtaken_erases_nothing(
    message: VoiceMessage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A planner taken for dead finds its draft gone, and leaves its successor's alone.
    """
    async with (
        open_ledger(tmp_path / "a.db") as first,
        open_ledger(tmp_path / "a.db") as second,
    ):
        silent = asyncio.Event()

        async def slow() -> AsyncIterator[str]:
            yield "+18005550100"
            await silent.wait()

        slowly = asyncio.create_task(Campaign.plan(first, "june", message, slow()))
        await asyncio.sleep(0.1)
        with pytest.raises(CampaignHeldError):
            await Campaign.plan(second, "june", message, numbers(3))
        monkeypatch.setattr("voicepush.ledger.sqlite.holder.LEASE", -1)
        await Campaign.plan(second, "june", message, numbers(3))
        silent.set()
        with pytest.raises(LedgerError, match="taken over"):
            await slowly
        standing = await (await Campaign.open(second, "june")).standing()

    assert 3 == standing.planned == standing.pending


async def test_a_name_that_is_no_text_is_refused(
    ledger: Ledger, message: VoiceMessage
) -> None:
    """
    What UTF-8 can't hold is refused in words, and the ledger goes on.
    """
    with pytest.raises(InputError, match="campaign's name"):
        await Campaign.plan(ledger, "caf\udce9", message, numbers(1))
    with pytest.raises(InputError, match="campaign's name"):
        await Campaign.open(ledger, "caf\udce9")
    with pytest.raises(UnicodeEncodeError):
        await ledger.standing("caf\udce9")

    assert [] == await ledger.campaigns()


async def test_a_claim_that_was_cancelled_is_taken_back(
    ledger: Ledger, simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Whoever was claimed for a request that was never made is pending again.
    """
    simulator = await simulate()
    client = await connect(simulator)
    campaign = await Campaign.plan(ledger, "june", message, numbers(3_000))
    claim = SQLiteLease.claim

    async def cancelled_claim(self: SQLiteLease, *arguments: Any) -> None:
        asyncio.get_running_loop().call_soon(dispatch.cancel)
        await claim(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SQLiteLease, "claim", cancelled_claim)
        dispatch = asyncio.create_task(campaign.dispatch(client))
        with pytest.raises(asyncio.CancelledError):
            await dispatch
    left = await campaign.standing()
    await campaign.dispatch(client)

    assert (0, 3_000) == (left.in_flight, left.pending)
    assert Counter(numbers(3_000)) == simulator.calls


async def test_a_cancelled_start_does_not_lock_the_campaign(
    ledger: Ledger, simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    A dispatch that was cancelled while it took the lease gives it back.
    """
    client = await connect(await simulate())
    campaign = await Campaign.plan(ledger, "june", message, numbers(10))
    for turns in range(6):
        dispatch = asyncio.create_task(campaign.dispatch(client))
        for _ in range(turns):
            await asyncio.sleep(0)
        dispatch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dispatch

    await campaign.dispatch(client)

    assert 10 == (await campaign.standing()).accepted


async def test_a_summary_speaks_of_this_dispatch_only(
    ledger: Ledger, simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    What was sent to part of a batch earlier is not counted again.
    """
    simulator = await simulate(seed=4)
    simulator.next_replies("mix:7006=40%", "7001")
    client = await connect(simulator)
    campaign = await Campaign.plan(ledger, "june", message, numbers(100))

    first = await campaign.dispatch(client)
    second = await campaign.dispatch(client)

    assert 100 == first.accepted + second.accepted
    assert first.refused
    assert (2, 1) == (first.requests, second.requests)
    assert second.accepted == simulator.requests[-1].size


# Planning


async def test_planning_twice_is_planning_once(
    ledger: Ledger, message: VoiceMessage
) -> None:
    """
    The same plan again finds the first one, whose expiry stays.
    """
    timed = attrs.evolve(message, expiry=timedelta(hours=1))
    first = await Campaign.plan(ledger, "june", timed, numbers(10))
    second = await Campaign.plan(ledger, "june", timed, numbers(20))

    assert first.message == second.message
    assert 10 == (await second.standing()).planned


@pytest.mark.parametrize(
    ("change", "words"),
    [({"media": "other"}, "other"), ({"source": "b.csv"}, r"a\.csv.*b\.csv")],
)
async def test_another_plan_under_the_same_name_is_refused(
    ledger: Ledger, message: VoiceMessage, change: dict[str, str], words: str
) -> None:
    """
    Nothing is merged silently: both messages, or both sources, are named.
    """
    await Campaign.plan(ledger, "june", message, numbers(1), source="a.csv")
    media = change.get("media", message.media)
    source = change.get("source", "a.csv")

    with pytest.raises(InputError, match=words):
        await Campaign.plan(
            ledger,
            "june",
            attrs.evolve(message, media=media),
            numbers(1),
            source=source,
        )


async def test_a_list_that_fails_leaves_nothing_planned(
    ledger: Ledger, message: VoiceMessage
) -> None:
    """
    A plan exists as a whole or not at all, and can be made again.
    """

    def failing() -> Iterator[str]:
        yield from numbers(100_000)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        await Campaign.plan(ledger, "june", message, failing())

    assert [] == await ledger.campaigns()
    await Campaign.plan(ledger, "june", message, numbers(3))
    assert 3 == (await ledger.campaigns())[0].planned


async def test_any_source_of_recipients(
    ledger: Ledger, message: VoiceMessage, tmp_path: Path
) -> None:
    """
    Lists, generators, async generators and blocks of a file.
    """

    async def later() -> AsyncIterator[str]:
        for number in numbers(3):
            yield number

    file = tmp_path / "numbers.csv"
    file.write_text("msisdn\n" + "\n".join(numbers(4)))
    entries: list[Recipient] = [
        Destination(numbers(2), correlation_id="a"),
        "+18005550100",
    ]
    planned = {
        "list": numbers(1),
        "generator": (number for number in numbers(2)),
        "async": later(),
        "file": read_file(file),
        "entries": entries,
    }
    for name, source in planned.items():
        await Campaign.plan(ledger, name, message, source)  # type: ignore[arg-type]

    assert {
        "list": 1,
        "generator": 2,
        "async": 3,
        "file": 4,
        "entries": 3,
    } == {each.campaign: each.planned for each in await ledger.campaigns()}


async def test_own_correlation_ids_survive(
    ledger: Ledger, simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Entries with own ids, several values or customer ids are sent as they were given.
    """
    simulator = await simulate(answer="each")
    entries: list[Recipient] = [
        Destination(numbers(2), correlation_id="family"),
        Destination(customer_id="c-1"),
        "+18005550100",
    ]
    campaign = await Campaign.plan(ledger, "june", message, entries)
    await campaign.dispatch(await connect(simulator))

    assert 4 == (await campaign.standing()).accepted
    assert {*numbers(2), "c-1", "+18005550100"} == set(simulator.calls)
    assert "family" == simulator.requests[0].correlation_ids[0]


async def test_an_unknown_campaign_is_named_with_the_known(
    ledger: Ledger, message: VoiceMessage
) -> None:
    """
    The error lists what there is.
    """
    with pytest.raises(InputError, match="is empty"):
        await Campaign.open(ledger, "july")
    await Campaign.plan(ledger, "june", message, numbers(1))

    with pytest.raises(InputError, match=r"no campaign 'july'.*june"):
        await Campaign.open(ledger, "july")
    with pytest.raises(InputError, match="no campaign 'july'"):
        await ledger.lease("july")


# The file


async def test_the_ledger_is_nobody_elses_to_read(
    ledger: Ledger, tmp_path: Path
) -> None:
    """
    The file and its companions have mode 0600.
    """
    files = tmp_path.glob("test.db*")  # noqa: ASYNC240 -- a test may block
    modes = {oct(file.stat().st_mode & 0o777) for file in files}

    assert {"0o600"} == modes
    assert [] == await ledger.campaigns()


async def test_foreign_files_are_left_alone(tmp_path: Path) -> None:
    """
    Another program's database, and what is no database, are refused unchanged.
    """
    foreign = tmp_path / "foreign.db"
    connection = sqlite3.connect(foreign)
    connection.execute("CREATE TABLE things (a)")
    connection.close()
    before = foreign.read_bytes()
    text = tmp_path / "text.db"
    text.write_text("no database at all, but long enough to have a header of sorts")

    with pytest.raises(LedgerError, match="belongs to another program"):
        await opened(foreign)
    with pytest.raises(LedgerError, match="not a voicepush ledger"):
        await opened(text)
    assert before == foreign.read_bytes()


async def test_a_newer_ledger_is_refused_politely(tmp_path: Path) -> None:
    """
    A file of a later form is not touched, and the text says to upgrade.
    """
    path = tmp_path / "newer.db"
    async with open_ledger(path):
        pass
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(LedgerError, match=r"newer voicepush .*upgrade"):
        await opened(path)


async def test_a_closed_ledger_says_so(tmp_path: Path) -> None:
    """
    Using a ledger after closing it is refused in words.
    """
    async with open_ledger(tmp_path / "a.db") as ledger:
        pass

    with pytest.raises(LedgerError, match="is closed"):
        await ledger.campaigns()


async def test_an_address_is_no_path() -> None:
    """
    An address that is not understood does not become a file's name.
    """
    with pytest.raises(InputError, match="no path"):
        await opened("redis://localhost/0")


async def test_screening_can_be_given(ledger: Ledger, message: VoiceMessage) -> None:
    """
    A screening without duplicate removal plans a number as often as it stands there.
    """
    campaign = await Campaign.plan(
        ledger,
        "june",
        message,
        ["+18005550100"] * 3,
        screening=Screening(duplicates=False),
    )

    assert 3 == (await campaign.standing()).planned


async def test_time_is_utc(ledger: Ledger, message: VoiceMessage) -> None:
    """
    An expiry given with an offset comes back as the same moment.
    """
    timed = attrs.evolve(message, expiry="2015-04-12T18:30:19.456+5:30")
    campaign = await Campaign.plan(ledger, "june", timed, numbers(1))

    assert datetime(2015, 4, 12, 13, 0, 19, 456000, UTC) == campaign.message.expiry
