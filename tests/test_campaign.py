"""
Campaigns: planned in a real file, dispatched to the simulator, gone on with.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from conftest import Connect, Simulate, numbers
from sums import check_sums

from voicepush import (
    Campaign,
    CampaignHeldError,
    CampaignState,
    Destination,
    Ledger,
    VoiceMessage,
    open_ledger,
)
from voicepush.ledger.sql.worker import SQLWorker
from voicepush.model.claim import Claim


async def test_a_campaign_rings_everyone_once(
    ledger: Ledger, simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Planned, dispatched and finished, with the numbers to show for it.
    """
    simulator = await simulate()
    client = await connect(simulator)

    campaign = await Campaign.plan(ledger, "june", message, numbers(2_500))
    planned = await campaign.status()
    summary = await campaign.dispatch(client)
    finished = await campaign.status()

    assert (CampaignState.PLANNED, 2_500, 2_500) == (
        planned.state,
        planned.planned,
        planned.pending,
    )
    assert 2_500 == summary.accepted
    assert (CampaignState.FINISHED, 2_500, 0) == (
        finished.state,
        finished.accepted,
        finished.pending,
    )
    assert Counter(numbers(2_500)) == simulator.calls
    check_sums(finished)


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
    status = await campaign.status()

    assert (80, 20) == (first.accepted, first.unknown)
    assert 0 == second.total
    assert before == simulator.rung
    assert 20 == status.unknown
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
    down = await campaign.status()
    simulator = await simulate()
    await campaign.dispatch(await connect(simulator))
    up = await campaign.status()

    assert (30, 0) == (down.not_sent, down.accepted)
    assert (0, 30) == (up.not_sent, up.accepted)
    assert Counter(numbers(30)) == simulator.calls


@pytest.mark.slow
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
    stopped = await campaign.status()
    simulator.faults = ()
    await campaign.dispatch(client)
    status = await campaign.status()

    assert "7001" in (summary.stopped or "")
    assert CampaignState.PAUSED is stopped.state
    assert "7001" in (stopped.reason or "")
    assert 0 == stopped.accepted
    assert stopped.not_sent <= 20
    check_sums(stopped)
    assert 1_000 == status.accepted
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
    status = await campaign.status()

    assert (CampaignState.PAUSED, "enough for today") == (status.state, status.reason)
    assert 0 == status.in_flight
    assert simulator.rung == status.accepted
    assert 900 < status.pending
    check_sums(status)


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
    left = await campaign.status()
    await campaign.dispatch(client)
    status = await campaign.status()

    assert (CampaignState.PAUSED, 20) == (left.state, left.in_flight)
    check_sums(left)
    assert (20, 80) == (status.unknown, status.accepted)
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
    status = await campaign.status()

    again = simulator.requests[1].size
    assert again == status.unknown
    assert 100 == status.accepted + status.rejected + status.unknown
    assert {1} == set(simulator.calls.values())
    check_sums(status)


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
    status = await campaign.status()

    assert (100, 0) == (status.accepted, status.unknown)
    assert Counter(numbers(100)) == simulator.calls


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
    status = await campaign.status()

    assert (100, 0) == (status.rejected, status.pending)
    assert not simulator.requests
    check_sums(status)


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
    status = await campaign.status()

    assert isinstance(campaign.message.expiry, datetime)
    assert (50, 0) == (status.expired, len(simulator.requests))


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
    assert CampaignState.RUNNING is (await campaign.status()).state
    dispatch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dispatch


@pytest.mark.slow
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


async def test_a_claim_that_was_cancelled_is_taken_back(
    ledger: Ledger, simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Whoever was claimed for a request that was never made is pending again.
    """
    simulator = await simulate()
    client = await connect(simulator)
    campaign = await Campaign.plan(ledger, "june", message, numbers(3_000))
    claim = SQLWorker.claim

    async def cancelled_claim(self: SQLWorker, *arguments: Any) -> Claim:
        asyncio.get_running_loop().call_soon(dispatch.cancel)
        return await claim(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SQLWorker, "claim", cancelled_claim)
        dispatch = asyncio.create_task(campaign.dispatch(client))
        with pytest.raises(asyncio.CancelledError):
            await dispatch
    left = await campaign.status()
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

    assert 10 == (await campaign.status()).accepted


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
