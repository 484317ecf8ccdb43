"""
A second round that begins while half of the calls of the first still ring.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from conftest import Connect, Simulate, numbers
from ledger_model import Store
from receiving import served
from sums import check_sums

from voicepush import Campaign, FollowUp, VoiceMessage
from voicepush.simulator import Simulator
from voicepush.simulator.truth import CallTruth

#: Nobody ever picks up, so everyone is to be called again once their call has ended.
RINGS = ["rang-out@50%", "busy@50%"]


@pytest.fixture
async def simulator(store: Store, simulate: Simulate) -> AsyncIterator[Simulator]:
    """
    A stand-in that reports into the ledger.
    """
    async with served(store.ledger) as address:
        yield await simulate(
            notify_url=f"{address}/receipts", rings=RINGS, ring_seconds=0.0
        )


async def half_are_known(campaign: Campaign) -> None:
    """
    Wait until the ledger knows of fifty calls that they were not answered.
    """
    ended = 0
    while ended < 50:
        await asyncio.sleep(0.005)
        calls = (await campaign.status()).calls
        # Some are taken for dropped until their other receipt comes.
        ended = 0 if calls is None else calls.not_reached


async def test_those_who_ring_are_not_called(
    store: Store, simulator: Simulator, connect: Connect, message: VoiceMessage
) -> None:
    """
    One request of two has ended, and the other rings for an hour.
    """
    client = await connect(simulator, concurrency=1)
    simulator.latency = 0.2
    june = await Campaign.plan(
        store.ledger, "june", message, numbers(100), batch_size=50
    )
    sending = asyncio.create_task(june.dispatch(client))
    while not simulator.truth():  # noqa: ASYNC110 -- the simulator signals nothing
        await asyncio.sleep(0.005)
    simulator.ring_seconds = 3600.0
    await sending
    await half_are_known(june)
    second = await Campaign.plan(
        store.ledger, "june-2", message, FollowUp(store.ledger, "june")
    )
    summary = await second.dispatch(client)

    times = simulator.calls
    assert 50 == summary.accepted == len([n for n in times.values() if n == 2])
    assert 50 == len([n for n in times.values() if n == 1])
    assert all(_has_ended(each) for each in _first_of_two(simulator.truth()))
    check_sums(await second.status())


async def test_each_is_called_after_the_end_of_the_first_call(
    store: Store, simulator: Simulator, connect: Connect, message: VoiceMessage
) -> None:
    """
    Also where calls end while the second round is planned and dispatched, as often as
    it is tried.
    """
    client = await connect(simulator)
    simulator.ring_seconds = 0.5
    june = await Campaign.plan(
        store.ledger, "june", message, numbers(100), batch_size=10
    )
    await june.dispatch(client)
    await half_are_known(june)
    called = rounds = 0
    # At first those who have ended by then, and after that those who still rang.
    while called < 100:
        rounds += 1
        follow = FollowUp(store.ledger, "june")
        second = await Campaign.plan(
            store.ledger, f"then-{rounds}", message, follow, batch_size=10
        )
        called += (await second.dispatch(client)).accepted
        await simulator.receipts_done()

    assert rounds <= 2
    assert 100 == called
    assert {2} == set(simulator.calls.values())
    for first, then in _pairs(simulator.truth()):
        assert _has_ended(first)
        assert first.events[-1].moment <= then.events[0].moment


def _has_ended(call: CallTruth) -> bool:
    return {"7401", "7409"} <= {each.code for each in call.events}


def _first_of_two(truth: list[CallTruth]) -> list[CallTruth]:
    return [first for first, _ in _pairs(truth)]


def _pairs(truth: list[CallTruth]) -> list[tuple[CallTruth, CallTruth]]:
    """
    The calls of those who were called twice.
    """
    found: dict[str, list[CallTruth]] = {}
    for each in truth:
        found.setdefault(each.recipient, []).append(each)
    return [(calls[0], calls[1]) for calls in found.values() if len(calls) == 2]
