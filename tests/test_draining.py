"""
Closing a client: what is under way ends, or is cut off, and everyone has an answer.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from conftest import Connect, Simulate, numbers

from voicepush import (
    ClientClosedError,
    Drained,
    InputError,
    Outcome,
    Result,
    Summary,
    VoiceMessage,
)
from voicepush.simulator import Simulator


async def until(happened: Callable[[], object]) -> None:
    """
    Wait for it, but not for ever.
    """
    async with asyncio.timeout(30):
        while not happened():  # noqa: ASYNC110 -- others make it happen
            await asyncio.sleep(0.005)


def not_rung(simulator: Simulator, results: list[Result]) -> bool:
    """
    Whether nobody was rung who is said not to have been.
    """
    rung = simulator.calls.keys()
    said = (Outcome.NOT_SENT, Outcome.EXPIRED, Outcome.REJECTED)
    return not any(each.recipient in rung for each in results if each.outcome in said)


async def test_all_that_is_under_way_is_waited_for(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Without a drain a list, a stream and a submission go on to their end.
    """
    simulator = await simulate(latency=0.02)
    client = await connect(simulator, batch_size=10, concurrency=2)
    read: list[Result] = []

    async def stream() -> None:
        async with client.stream(message, numbers(50, first=500)) as results:
            async for batch in results:
                read.extend(batch)

    streaming = asyncio.create_task(stream())
    sending = asyncio.create_task(client.send(message, numbers(300)))
    calling = asyncio.create_task(client.submit(message, "+9995550100"))
    await until(lambda: len(simulator.requests) >= 3)
    drained = await client.close()
    await streaming

    assert 300 == (await sending).accepted
    assert Outcome.ACCEPTED is (await calling).outcome
    assert 50 == len(read)
    assert 351 == simulator.rung
    assert 0 == drained.left
    assert 0 < drained.finished <= 351


async def test_it_takes_no_new_work_meanwhile(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Whoever comes later is told so, and is not sent.
    """
    simulator = await simulate(latency=0.2)
    client = await connect(simulator)
    first = asyncio.create_task(client.submit(message, "+9995550100"))
    await asyncio.sleep(0)
    closing = asyncio.create_task(client.close(10))
    await asyncio.sleep(0)

    with pytest.raises(ClientClosedError, match="being closed"):
        await client.submit(message, "+9995550101")
    with pytest.raises(ClientClosedError, match="being closed"):
        await client.send(message, numbers(1))
    assert Drained(finished=1) == await closing
    assert Outcome.ACCEPTED is (await first).outcome
    with pytest.raises(ClientClosedError, match="async with"):
        await client.submit(message, "+9995550102")


@pytest.mark.parametrize("drain", [0, 0.1, timedelta(milliseconds=100)])
async def test_a_list_that_is_cut_off(
    simulate: Simulate,
    connect: Connect,
    message: VoiceMessage,
    drain: float | timedelta,
) -> None:
    """
    Who is under way is unknown; all others of the list are not sent, and are counted.
    """
    simulator = await simulate("hang")
    client = await connect(simulator, batch_size=10, concurrency=2)
    sending = asyncio.create_task(client.send(message, numbers(500)))
    await until(lambda: len(simulator.requests) == 2)
    drained = await client.close(drain)
    summary = await asyncio.wait_for(sending, 30)

    assert (20, 480) == (summary.unknown, summary.not_sent)
    assert "the client was closed" == summary.stopped
    assert Drained(unknown=20, not_sent=480) == drained
    assert 500 == drained.left
    assert 20 == simulator.rung


async def test_callers_that_are_cut_off(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Each has its answer, also those who linger, and those who wait for a place.
    """
    simulator = await simulate("hang")
    client = await connect(simulator, batch_size=5, concurrency=1, most_waiting=8)
    callers = [
        asyncio.create_task(client.submit(message, number)) for number in numbers(20)
    ]
    await until(lambda: simulator.requests)
    drained = await client.close(drain=0.05)
    results = await asyncio.wait_for(asyncio.gather(*callers), 30)

    assert {Outcome.UNKNOWN: 5, Outcome.NOT_SENT: 15} == Counter(
        each.outcome for each in results
    )
    assert Drained(unknown=5, not_sent=15) == drained
    assert not_rung(simulator, results)
    assert numbers(20) == [each.recipient for each in results]


@pytest.mark.parametrize("fault", ["7006", "429:60", "503:60"])
async def test_those_who_wait_for_another_attempt(
    simulate: Simulate, connect: Connect, message: VoiceMessage, fault: str
) -> None:
    """
    Are not sent: the service took nothing of them.
    """
    simulator = await simulate(fault)
    client = await connect(simulator, first_wait=60.0)
    calling = asyncio.create_task(client.submit(message, "+9995550100"))
    await until(lambda: simulator.requests)
    drained = await client.close(drain=0.05)
    result = await asyncio.wait_for(calling, 30)

    assert Outcome.NOT_SENT is result.outcome
    assert "the client was closed" in result.description
    assert Drained(not_sent=1) == drained


async def test_those_who_wait_for_their_pace(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Are not sent.
    """
    simulator = await simulate()
    client = await connect(simulator, rate=1 / 60)
    callers = [
        asyncio.create_task(client.submit(message, number)) for number in numbers(3)
    ]
    await until(lambda: simulator.requests)
    drained = await client.close(drain=0.1)
    results = await asyncio.wait_for(asyncio.gather(*callers), 30)

    assert 1 == simulator.rung
    assert Drained(finished=drained.finished, not_sent=2) == drained
    assert not_rung(simulator, results)


class TestReading:
    """
    What is not read yet when it is cut off.
    """

    async def test_a_generator(
        self, simulate: Simulate, connect: Connect, message: VoiceMessage
    ) -> None:
        """
        Is read no further, and who was read has an outcome.
        """
        client = await connect(await simulate("hang"), batch_size=10, concurrency=1)
        read = 0

        def endless() -> Iterator[str]:
            nonlocal read
            while True:
                read += 1
                yield f"+999{read:09d}"

        sending = asyncio.create_task(client.send(message, endless()))
        await asyncio.sleep(0.1)
        await client.close(drain=0)
        summary = await asyncio.wait_for(sending, 30)

        assert 10 == summary.unknown
        assert read == summary.total
        assert "the client was closed" == summary.stopped

    async def test_a_source_that_is_silent(
        self, simulate: Simulate, connect: Connect, message: VoiceMessage
    ) -> None:
        """
        Is not waited for: what it had given is sent, and it is closed.
        """
        simulator = await simulate()
        client = await connect(simulator, batch_size=2)
        left = False

        async def silent() -> AsyncIterator[str]:
            nonlocal left
            for number in numbers(5):
                yield number
            try:
                await asyncio.Event().wait()
            finally:
                left = True

        sending = asyncio.create_task(client.send(message, silent()))
        await until(lambda: simulator.rung == 4)
        drained = await client.close(drain=0.05)
        summary = await asyncio.wait_for(sending, 30)

        assert left
        assert (4, 5) == (summary.accepted, summary.total)
        assert drained.left == summary.not_sent == 1

    async def test_its_own_time_out_is_its_own(
        self, simulate: Simulate, connect: Connect, message: VoiceMessage
    ) -> None:
        """
        A source that raises TimeoutError is told as any that raises.
        """
        client = await connect(await simulate())

        async def late() -> AsyncIterator[str]:
            yield "+9995550100"
            raise TimeoutError("the list came too late")

        with pytest.raises(Exception, match="the list came too late"):
            await client.send(message, late())


async def test_a_stream_that_nobody_reads(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Is cut off all the same; its reader finds all results afterwards.
    """
    simulator = await simulate()
    client = await connect(simulator, batch_size=10, concurrency=2)
    read: list[Result] = []
    async with client.stream(message, numbers(200)) as results:
        await until(lambda: simulator.requests)
        drained = await asyncio.wait_for(client.close(drain=0.05), 30)
        async for batch in results:
            read.extend(batch)

    assert numbers(200) == sorted(each.recipient for each in read)
    assert 200 == results.summary.total
    assert drained.left == results.summary.not_sent + results.summary.unknown > 0
    assert not_rung(simulator, read)


async def test_closing_again_ends_it_earlier(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    As a second signal does.
    """
    simulator = await simulate("hang")
    client = await connect(simulator)
    calling = asyncio.create_task(client.submit(message, "+9995550100"))
    await until(lambda: simulator.requests)
    closing = asyncio.create_task(client.close())
    await asyncio.sleep(0)

    assert Drained(unknown=1) == await client.close(drain=0)
    assert Drained(unknown=1) == await asyncio.wait_for(closing, 30)
    assert Outcome.UNKNOWN is (await calling).outcome
    assert Drained() == await client.close()


async def test_closing_that_is_cancelled(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Closes at once, and leaves nobody without an answer.
    """
    simulator = await simulate("hang")
    client = await connect(simulator)
    calling = asyncio.create_task(client.submit(message, "+9995550100"))
    await until(lambda: simulator.requests)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await client.close()

    assert Outcome.UNKNOWN is (await asyncio.wait_for(calling, 30)).outcome
    assert 0 == client.in_flight


@pytest.mark.parametrize("drain", [-1, float("nan"), float("inf"), timedelta(-1)])
async def test_what_is_no_time(connect: Connect, drain: float | timedelta) -> None:
    """
    Is refused, and the client goes on.
    """
    client = await connect("http://127.0.0.1:1")

    with pytest.raises(InputError, match="drain must be"):
        await client.close(drain)


@pytest.mark.parametrize("after", [0.0, 0.01, 0.03, 0.06, 0.1, 0.2])
async def test_at_any_moment(
    simulate: Simulate, connect: Connect, message: VoiceMessage, after: float
) -> None:
    """
    Whenever it is cut off, and whatever the service does meanwhile: everyone has one
    outcome, nobody is rung who is said not to be, and nobody twice.
    """
    faults = ["7006@10%", "drop@10%", "429:1@5%", "hang@5%"]
    simulator = await simulate(*faults, latency=0.01, seed=int(after * 1000))
    client = await connect(simulator, batch_size=7, concurrency=4)
    summary = Summary()
    listed = numbers(300)
    sending = asyncio.create_task(client.send(message, listed, summary=summary))
    callers = [
        asyncio.create_task(client.submit(message, number))
        for number in numbers(60, first=1_000)
    ]
    await asyncio.sleep(after)
    drained = await client.close(drain=0.05)
    await asyncio.wait_for(sending, 30)
    results = await asyncio.wait_for(asyncio.gather(*callers), 30)

    told = Counter(each.outcome for each in results)
    rung = simulator.calls
    assert 300 == summary.total
    assert 60 == len(results)
    assert {1} >= set(rung.values())
    assert not_rung(simulator, [*results, *summary.failures])
    assert simulator.rung <= (
        summary.accepted
        + summary.unknown
        + told[Outcome.ACCEPTED]
        + told[Outcome.UNKNOWN]
    )
    assert drained.left <= summary.unknown + summary.not_sent + 60


class TestCancelling:
    """
    A call of `send` that is cancelled.
    """

    async def test_what_was_given_tells_all(
        self, simulate: Simulate, connect: Connect, message: VoiceMessage
    ) -> None:
        """
        Who was answered is counted, who was under way is unknown, and who was read
        and not sent is not sent.
        """
        simulator = await simulate()
        simulator.next_replies("1001", "7102", "hang", "hang")
        client = await connect(simulator, batch_size=10, concurrency=2)
        summary = Summary()
        sending = asyncio.create_task(
            client.send(message, numbers(1_000), summary=summary)
        )
        await until(lambda: len(simulator.requests) == 4)
        await until(lambda: summary.total == 20)
        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending

        assert (10, 10, 20) == (summary.accepted, summary.rejected, summary.unknown)
        assert 0 < summary.not_sent < 960
        assert "sending was cancelled" == summary.stopped
        assert 4 == summary.requests
        assert 0 == client.in_flight
        unknown = [e for e in summary.failures if e.outcome is Outcome.UNKNOWN]
        assert numbers(20, first=20) == sorted(each.recipient for each in unknown)

    async def test_what_is_given_is_returned(
        self, simulate: Simulate, connect: Connect, message: VoiceMessage
    ) -> None:
        """
        And counts on, if it was used before.
        """
        client = await connect(await simulate())
        summary = await client.send(message, numbers(3))

        assert summary is await client.send(message, numbers(4), summary=summary)
        assert 7 == summary.accepted

    async def test_a_stream_that_is_cancelled_twice(
        self, simulate: Simulate, connect: Connect, message: VoiceMessage
    ) -> None:
        """
        Counts who was under way as unknown.
        """
        simulator = await simulate("hang")
        client = await connect(simulator, batch_size=10, concurrency=1)
        streams: list[Any] = []

        async def read() -> None:
            async with client.stream(message, numbers(100)) as results:
                streams.append(results)
                async for _ in results:
                    pass

        reading = asyncio.create_task(read())
        await until(lambda: simulator.requests)
        for _ in range(2):
            reading.cancel()
            await asyncio.sleep(0.01)
        with suppress(asyncio.CancelledError):
            await reading

        assert 10 == streams[0].summary.unknown
        assert streams[0].summary.total == 10 + streams[0].summary.not_sent
