"""
Results that are read while the client sends.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import pytest
from conftest import Connect, Simulate, numbers

from voicepush import Outcome, RecipientsError, VoiceMessage


async def test_a_stream_gives_each_recipient_once(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Every recipient comes with its outcome, its reason and the ids.
    """
    simulator = await simulate("mix:7102=10%", seed=5)
    client = await connect(simulator, batch_size=100)
    seen: Counter[str] = Counter()
    outcomes: Counter[Outcome] = Counter()

    async with client.stream(message, numbers(1_000)) as results:
        async for batch in results:
            for recipient, outcome, code, _, transaction_id, correlation_id in batch:
                seen[recipient] += 1
                outcomes[outcome] += 1
                assert code == ("1001" if outcome is Outcome.ACCEPTED else "7102")
                assert transaction_id
                assert correlation_id

    assert Counter(numbers(1_000)) == seen
    assert outcomes[Outcome.ACCEPTED] == len(simulator.calls)
    assert results.summary.total == 1_000


async def test_a_slow_reader_slows_the_sending(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    No more is read from the list than is under way and in the reader's hand.
    """
    simulator = await simulate()
    client = await connect(simulator, batch_size=1, concurrency=1)
    read = 0

    def counted() -> Iterator[str]:
        nonlocal read
        for number in numbers(1_000):
            read += 1
            yield number

    async with client.stream(message, counted()) as results:
        await anext(results)
        await asyncio.sleep(0.1)
        ahead = read

    assert ahead < 20
    assert results.summary.accepted == len(simulator.calls)


async def test_leaving_a_stream_early_settles_what_is_under_way(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    After a break nothing new is sent, and the summary knows of everyone rung.
    """
    simulator = await simulate(latency=0.05)
    client = await connect(simulator, batch_size=1, concurrency=4)

    async def endless() -> AsyncIterator[str]:
        for number in numbers(6):
            yield number
        await asyncio.Event().wait()

    async with asyncio.timeout(5), client.stream(message, endless()) as results:
        async for _ in results:
            break

    assert results.summary.accepted == simulator.rung
    assert results.summary.accepted > 0
    assert results.summary.total == simulator.rung + results.summary.not_sent
    assert {"the stream was left"} >= {
        each.description for each in results.summary.failures
    }


async def test_leaving_a_stream_counts_batches_that_were_partly_rung(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    A batch that is cut in pieces is counted with the pieces that were sent.
    """
    simulator = await simulate()
    client = await connect(simulator, body_limit=5_000, rate=2_000)

    async with client.stream(message, numbers(3_000)) as results:
        while len(simulator.requests) < 4:  # noqa: ASYNC110 -- it has no event
            await asyncio.sleep(0.01)

    assert results.summary.accepted == simulator.rung > 0


async def test_a_stream_raises_what_its_list_raised(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    The reader gets the results first, and then the error of the list.
    """
    client = await connect(await simulate(), batch_size=10)

    def failing() -> Iterator[str]:
        yield from numbers(10)
        raise ValueError("row 11 is odd")

    results = []
    with pytest.raises(RecipientsError, match="row 11 is odd") as caught:  # noqa: PT012 -- the block is what raises
        async with client.stream(message, failing()) as stream:
            async for batch in stream:
                results.append(batch)  # noqa: PERF401 -- kept when it raises

    assert 1 == len(results)
    assert 10 == caught.value.summary.accepted
