"""
How long a client goes on: expiries, timeouts and patience.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import attrs
from conftest import Connect, Simulate, numbers
from sums import counts

from voicepush import VoiceMessage


async def test_no_attempt_starts_after_the_expiry(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    A service that always says 7006 is asked until the expiry, and not after it.
    """
    simulator = await simulate("7006")
    client = await connect(simulator, batch_size=10)
    until = datetime.now(UTC) + timedelta(seconds=0.5)

    summary = await client.send(attrs.evolve(message, expiry=until), numbers(50))

    assert {"expired": 50} == counts(summary)
    # What left in time may be read by a busy simulator a moment later.
    latest = max(request.at for request in simulator.requests)
    assert latest < until.timestamp() + 0.25
    assert datetime.now(UTC) < until + timedelta(seconds=0.5)


async def test_what_has_expired_is_not_sent_at_all(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    A message whose expiry has passed rings nobody.
    """
    simulator = await simulate()
    client = await connect(simulator)
    long_ago = datetime(2015, 4, 12, tzinfo=UTC)

    summary = await client.send(attrs.evolve(message, expiry=long_ago), numbers(5))

    assert {"expired": 5} == counts(summary)
    assert not simulator.requests


async def test_an_answer_after_the_expiry_still_counts(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    A request that left in time is waited for as long as any other.
    """
    simulator = await simulate("slow:0.8")
    client = await connect(simulator)
    soon = attrs.evolve(message, expiry=timedelta(seconds=0.3))

    summary = await client.send(soon, numbers(5))

    assert {"accepted": 5} == counts(summary)


async def test_the_time_for_an_answer_bounds_an_attempt(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Whatever the expiry, an answer is waited for no longer than the settings say.
    """
    client = await connect(await simulate("hang"), answer_timeout=0.2)
    soon = attrs.evolve(message, expiry=timedelta(seconds=60))

    async with asyncio.timeout(5):
        summary = await client.send(soon, numbers(5))

    assert {"unknown": 5} == counts(summary)


async def test_without_an_expiry_patience_ends_it(
    connect: Connect, message: VoiceMessage, unused_tcp_port: int
) -> None:
    """
    A service that can't be reached is tried until the patience runs out.
    """
    client = await connect(f"http://127.0.0.1:{unused_tcp_port}", patience=0.2)

    summary = await client.send(message, numbers(5))

    assert {"not_sent": 5} == counts(summary)
    assert "no connection" in summary.failures[0].description


async def test_a_wait_beyond_all_patience_is_not_begun(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    A service that asks to wait for an hour costs nobody an hour.
    """
    simulator = await simulate()
    simulator.next_replies("429:3600")
    client = await connect(simulator, patience=1)

    async with asyncio.timeout(5):
        first = await client.send(message, numbers(5))
        second = await client.send(message, numbers(5))

    assert {"not_sent": 5} == counts(first) == counts(second)
    assert 1 == len(simulator.requests)
