"""
A client that lives in a service: its pace, who is in flight, and who is refused.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
from conftest import KEY, Connect, Simulate, numbers

from voicepush import (
    BusyError,
    Client,
    CurrentPace,
    InputError,
    NotSentError,
    OtherLoopError,
    Outcome,
    Settings,
    VoiceMessage,
    WhenFull,
)


async def until(happened: Callable[[], object]) -> None:
    """
    Wait for it, but not for ever.
    """
    async with asyncio.timeout(30):
        while not happened():  # noqa: ASYNC110 -- others make it happen
            await asyncio.sleep(0.005)


class TestPace:
    """
    What a client says of its pace.
    """

    async def test_without_a_limit(self, connect: Connect) -> None:
        """
        There is none, and nothing is held.
        """
        client = await connect("http://127.0.0.1:1")

        assert CurrentPace(rate=None, held_until=None) == client.pace

    async def test_with_a_rate(self, connect: Connect) -> None:
        """
        It is that one, until it is changed.
        """
        client = await connect("http://127.0.0.1:1", rate=80)
        before = client.pace.rate
        client.sender.pacer.set_rate(40)

        assert (80, 40) == (before, client.pace.rate)

    async def test_what_a_refusal_makes_of_it(
        self, simulate: Simulate, connect: Connect, message: VoiceMessage
    ) -> None:
        """
        After a refusal for speed there is a limit, and the wait that was asked for.
        """
        simulator = await simulate()
        simulator.next_replies("429:60")
        client = await connect(simulator)
        calling = asyncio.create_task(client.submit(message, "+9995550100"))
        await until(lambda: client.pace.held_until)
        pace = client.pace
        calling.cancel()
        await client.close(drain=0)

        assert pace.rate
        assert pace.held_until is not None
        assert pace.held_until.tzinfo is not None


async def test_who_is_in_flight(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Lists, streams and callers are counted from when they are taken to their outcome.
    """
    simulator = await simulate("hang", latency=0)
    client = await connect(simulator, batch_size=10, concurrency=1, linger=60)
    sending = asyncio.create_task(client.send(message, numbers(15)))
    calling = asyncio.create_task(client.submit(message, "+9995550100"))
    await until(lambda: simulator.requests)
    before = client.in_flight
    calling.cancel()
    await asyncio.wait([calling])
    between = client.in_flight
    sending.cancel()
    await asyncio.wait([sending])

    assert before == between + 1
    assert between in (10, 15)  # those who wait for the slot may be read by then
    assert 0 == client.in_flight


class TestManyCallers:
    """
    More than may be without an answer.
    """

    async def test_they_wait(
        self, simulate: Simulate, connect: Connect, message: VoiceMessage
    ) -> None:
        """
        For one who has an answer, and never more are taken.
        """
        simulator = await simulate(latency=0.01)
        client = await connect(simulator, most_waiting=7, batch_size=3)
        most = 0

        async def call(number: str) -> Outcome:
            nonlocal most
            result = await client.submit(message, number)
            most = max(most, client.in_flight)
            return result.outcome

        outcomes = await asyncio.gather(*map(call, numbers(60)))

        assert {Outcome.ACCEPTED} == set(outcomes)
        assert 60 == len(simulator.calls)
        assert most <= 7

    async def test_they_are_refused(
        self, simulate: Simulate, connect: Connect, message: VoiceMessage
    ) -> None:
        """
        By an error that says that they were not sent, and may come again.
        """
        simulator = await simulate(latency=0.1)
        client = await connect(simulator, most_waiting=5, when_full="refuse")
        callers = [
            asyncio.create_task(client.submit(message, number)) for number in numbers(8)
        ]
        results = await asyncio.gather(*callers, return_exceptions=True)
        refused = [each for each in results if isinstance(each, BusyError)]
        again = await client.submit(message, numbers(8)[-1])

        assert 3 == len(refused)
        assert all(each.retryable and not each.in_doubt for each in refused)
        assert isinstance(refused[0], NotSentError)
        assert "was not sent" in str(refused[0])
        assert Outcome.ACCEPTED is again.outcome
        assert 6 == simulator.rung

    @pytest.mark.parametrize("policy", WhenFull)
    async def test_those_who_give_up_make_room(
        self,
        simulate: Simulate,
        connect: Connect,
        message: VoiceMessage,
        policy: WhenFull,
    ) -> None:
        """
        At once if they had not left, and else when their answer comes.
        """
        simulator = await simulate()
        client = await connect(simulator, most_waiting=2, when_full=policy, linger=0.05)
        callers = [
            asyncio.create_task(client.submit(message, number)) for number in numbers(2)
        ]
        await asyncio.sleep(0)
        for each in callers:
            each.cancel()
        await asyncio.wait(callers)
        simulator.next_replies("hang")
        gone = asyncio.create_task(client.submit(message, numbers(3)[-1]))
        await until(lambda: simulator.requests)
        gone.cancel()
        await asyncio.wait([gone])
        result = await client.submit(message, numbers(4)[-1])
        if policy is WhenFull.REFUSE:
            one = asyncio.create_task(client.submit(message, numbers(5)[-1]))
            await asyncio.sleep(0)
            with pytest.raises(BusyError):
                await client.submit(message, numbers(6)[-1])
            await one
        await client.close(drain=0)

        assert Outcome.ACCEPTED is result.outcome

    def test_what_is_no_bound(self) -> None:
        """
        Is refused where it is given.
        """
        settings = partial(Settings, service_key=KEY, base_url="https://a.example")

        with pytest.raises(InputError, match="most_waiting must be above 0"):
            settings(most_waiting=0)
        with pytest.raises(InputError, match="one of wait, refuse, not 'drop'"):
            settings(when_full="drop")


class TestOtherLoops:
    """
    A client belongs to the event loop in which it was opened.
    """

    @pytest.mark.parametrize("what", ["submit", "send", "stream", "close"])
    async def test_from_another_thread(
        self, simulate: Simulate, connect: Connect, message: VoiceMessage, what: str
    ) -> None:
        """
        One error says where it belongs and what to do; nobody is rung.
        """
        simulator = await simulate()
        client = await connect(simulator)

        async def stream() -> None:
            async with client.stream(message, numbers(1)) as results:
                async for _ in results:
                    pass

        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "submit": lambda: client.submit(message, "+9995550100"),
            "send": lambda: client.send(message, numbers(1)),
            "stream": stream,
            "close": client.close,
        }

        async def call() -> object:
            return await calls[what]()

        with pytest.raises(OtherLoopError, match="run_coroutine_threadsafe"):
            await asyncio.to_thread(asyncio.run, call())
        assert 0 == simulator.rung
        assert Outcome.ACCEPTED is (await client.submit(message, "+9995550100")).outcome

    async def test_handed_over_to_its_loop(
        self, simulate: Simulate, connect: Connect, message: VoiceMessage
    ) -> None:
        """
        Many threads may call that way, and share requests.
        """
        simulator = await simulate()
        client = await connect(simulator)
        loop = asyncio.get_running_loop()
        outcomes: list[Outcome] = []

        def call(number: str) -> None:
            handed = asyncio.run_coroutine_threadsafe(
                client.submit(message, number), loop
            )
            outcomes.append(handed.result(30).outcome)

        threads = [threading.Thread(target=call, args=[each]) for each in numbers(20)]
        for thread in threads:
            thread.start()
        await until(lambda: not any(thread.is_alive() for thread in threads))

        assert [Outcome.ACCEPTED] * 20 == outcomes
        assert 20 == len(simulator.calls)

    def test_after_its_loop_has_ended(self, message: VoiceMessage) -> None:
        """
        It is told, too, as where each task of Celery calls `asyncio.run`.
        """
        client = Client(service_key=KEY, base_url="http://127.0.0.1:1")
        asyncio.run(client.__aenter__())

        with pytest.raises(OtherLoopError, match="open one in each loop"):
            asyncio.run(client.submit(message, "+9995550100"))
        client._open = False  # nothing of it is left
