"""How fast: never faster than asked, hardly slower, and in turn."""

import asyncio
from collections import deque
from collections.abc import Awaitable
from math import inf

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from moved_clock import MovedClock, take_for

from voicepush.sending.pacing import Pacer, most_at


def busiest_second(taken: list[tuple[float, int]]) -> int:
    """
    The most that was let through within any second.
    """
    most = inside = 0
    window: deque[tuple[float, int]] = deque()
    for at, number in taken:
        window.append((at, number))
        inside += number
        while window[0][0] <= at - 1:
            inside -= window.popleft()[1]
        most = max(most, inside)
    return most


class TestRate:
    """
    A rate that is set.
    """

    async def test_steady(self, clock: MovedClock) -> None:
        """
        5,000 destinations at 500 per second take ten seconds, and no second is full.
        """
        pacer = clock.pacer(500)
        taken = []
        for _ in range(5000 // pacer.most):
            assert await pacer.take(pacer.most)
            taken.append((clock.now(), pacer.most))

        assert 5000 == sum(number for _, number in taken)
        assert busiest_second(taken) <= 500 + pacer.most
        assert 500 == pytest.approx(5000 / clock.now(), rel=0.05)

    async def test_single_destinations(self, clock: MovedClock) -> None:
        """
        Requests of one destination are as fast as those of many.
        """
        pacer = clock.pacer(50)
        taken = []
        for _ in range(500):
            assert await pacer.take(1)
            taken.append((clock.now(), 1))

        assert busiest_second(taken) <= 50 + pacer.most
        assert 50 == pytest.approx(500 / clock.now(), rel=0.05)

    @given(
        st.floats(0.5, 20_000),
        st.lists(
            st.tuples(st.floats(0, 1), st.sampled_from([0, 0, 0, 0.001, 0.3, 5])),
            min_size=1,
            max_size=40,
        ),
    )
    @example(1, [(0, 0)] * 40)
    @example(333.3, [(1, 0)] * 40)
    async def test_no_second_sees_more(
        self, rate: float, requests: list[tuple[float, float]]
    ) -> None:
        """
        Whatever is asked for, a second lets through its rate and one burst at most.
        """
        clock = MovedClock()
        pacer = clock.pacer(rate)
        taken = []
        for share, pause in requests:
            number = max(1, int(share * pacer.most))
            assert await pacer.take(number)
            taken.append((clock.now(), number))
            if pause:
                clock.move(pause)

        assert busiest_second(taken) <= rate + pacer.most + 0.001

    @given(st.floats(0.5, 20_000), st.lists(st.floats(0, 1), min_size=1, max_size=40))
    async def test_nobody_waits_for_nothing(
        self, rate: float, shares: list[float]
    ) -> None:
        """
        Waiting takes no longer than the rate asks for.
        """
        clock = MovedClock()
        pacer = clock.pacer(rate)
        total = 0
        for share in shares:
            number = max(1, int(share * pacer.most))
            total += number
            assert await pacer.take(number)

        # The clock counts whole microseconds.
        assert clock.now() <= total / rate + 0.000_01 * len(shares)

    async def test_idle_time_is_not_saved(self, clock: MovedClock) -> None:
        """
        Who was idle for an hour may still burst by one request only.
        """
        pacer = clock.pacer(100)
        await pacer.take(pacer.most)
        clock.move(3600)

        assert 100 == pytest.approx(await take_for(clock, pacer, 10), rel=0.05)

    async def test_change(self, clock: MovedClock) -> None:
        """
        A new rate holds from the moment at which it is set.
        """
        pacer = clock.pacer(100)
        for rate in (100, 1000, 50, 400):
            pacer.set_rate(rate)

            assert rate == pacer.rate
            assert rate == pytest.approx(await take_for(clock, pacer, 20), rel=0.05)

    async def test_change_while_someone_waits(self, clock: MovedClock) -> None:
        """
        Who waits already notices that the limit is gone.
        """
        pacer = clock.pacer(0.01)
        await pacer.take(1)
        clock.meanwhile = lambda: pacer.set_rate(None)

        assert await pacer.take(1)
        assert clock.now() < 1

    @pytest.mark.parametrize("rate", [20, 100])
    async def test_request_for_a_higher_rate(
        self, clock: MovedClock, rate: float
    ) -> None:
        """
        A request larger than a burst goes through; the next wait so much longer.
        """
        pacer = clock.pacer(rate)
        for _ in range(10):
            assert await pacer.take(4 * pacer.most)

        assert clock.now() >= 0.9 * 9 * 4 * pacer.most / rate

    async def test_no_rate(self, clock: MovedClock) -> None:
        """
        Without a rate nobody waits.
        """
        pacer = clock.pacer()
        for _ in range(1000):
            assert await pacer.take(1000)

        assert 0 == clock.now()
        assert None is pacer.rate
        assert 1000 == pacer.most

    async def test_clock_of_its_own(self) -> None:
        """
        Without a clock that is given, a pacer lives by the real one.
        """
        pacer = Pacer(1000)

        assert await pacer.take(250)
        assert await pacer.take(10)
        assert not await pacer.take(250, within=lambda: 0.01)


class TestMost:
    """
    How large a request is at most.
    """

    @pytest.mark.parametrize(
        ("rate", "most"),
        [(None, 1000), (0.5, 1), (1, 1), (7, 1), (8, 2), (500, 125), (1e6, 1000)],
    )
    def test_at(self, rate: float | None, most: int) -> None:
        """
        A request holds a quarter of a second, at least one and never above 1,000.
        """
        assert most == most_at(rate)
        assert most == Pacer(rate).most

    @given(st.none() | st.floats(0.01, 1e9), st.integers(1, 1000))
    def test_size(self, rate: float | None, size: int) -> None:
        """
        A request never holds more than it is allowed to, nor more than a second's rate.
        """
        most = most_at(rate, size)

        assert 1 <= most <= size
        assert rate is None or most <= max(1, rate)

    def test_follows_the_rate(self, clock: MovedClock) -> None:
        """
        The size of requests falls with the rate.
        """
        pacer = clock.pacer(1000)
        pacer.slow_down()

        assert 212 == pacer.most


class TestTurns:
    """
    Who waits, and who does not.
    """

    async def test_wait_that_is_too_long(self, clock: MovedClock) -> None:
        """
        A wait that would be too long is refused at once, and costs the others nothing.
        """
        pacer = clock.pacer(100)
        await pacer.take(pacer.most)

        assert not await pacer.take(25, within=lambda: 0.2)
        assert 0 == clock.now()
        assert await pacer.take(25, within=lambda: 0.3)
        assert 0.25 == pytest.approx(clock.now(), abs=0.005)

    async def test_wait_as_long_as_what_is_left(self, clock: MovedClock) -> None:
        """
        A wait that would end at the very expiry is too long as well.
        """
        pacer = clock.pacer(100)
        pacer.slow_down(8)

        assert not await pacer.take(1, within=lambda: 8)
        assert 0 == clock.now()

    async def test_hold_that_is_too_long(self, clock: MovedClock) -> None:
        """
        Who has time for the rate, but not for a hold, is told so at once.
        """
        pacer = clock.pacer(100)
        await pacer.take(pacer.most)

        assert await pacer.take(25, held_within=lambda: 0.1)
        pacer.slow_down(3)
        begun = clock.now()
        assert not await pacer.take(1, held_within=lambda: 3)
        assert begun == clock.now()
        assert await pacer.take(1, held_within=lambda: 3.1)

    async def test_change_of_heart(self, clock: MovedClock) -> None:
        """
        Who has no more time while waiting gives up soon.
        """
        pacer = clock.pacer(100)
        pacer.slow_down(60)

        assert not await pacer.take(1, within=lambda: inf if clock.now() < 5 else 0)
        assert 5 == pytest.approx(clock.now(), abs=0.51)

    async def test_no_wait(self, clock: MovedClock) -> None:
        """
        Where there is nothing to wait for, it does not matter how long one would.
        """
        assert await clock.pacer(100).take(1, within=lambda: 0)

    async def test_first_come_first_served(self, clock: MovedClock) -> None:
        """
        A small request does not overtake a large one that came before it.
        """
        pacer = clock.pacer(100)
        served = []

        async def come(number: int) -> None:
            await pacer.take(number)
            served.append(number)

        async with asyncio.TaskGroup() as group:
            for number in (25, 24, 1, 23, 2):
                group.create_task(come(number))

        assert [25, 24, 1, 23, 2] == served
        assert (24 + 1 + 23 + 2) / 100 == pytest.approx(clock.now(), abs=0.01)

    async def test_cancelled_while_waiting(self, clock: MovedClock) -> None:
        """
        Who is cancelled while waiting takes nothing and lets the next go on.
        """
        pacer = clock.pacer(1)
        await pacer.take(1)
        first = asyncio.create_task(_never_mind(pacer.take(1)))
        second = asyncio.create_task(pacer.take(1))
        clock.meanwhile = first.cancel

        assert await second
        assert first.done()
        assert 1 == pytest.approx(clock.now(), abs=0.01)

    async def test_in_a_hurry_behind_someone_patient(self, clock: MovedClock) -> None:
        """
        Who can't wait as long as those before are waiting is not made to.
        """
        pacer = clock.pacer(100)
        pacer.slow_down(60)
        patient = asyncio.create_task(pacer.take(1))
        hurried = asyncio.create_task(pacer.take(1, within=lambda: 5 - clock.now()))

        assert not await hurried
        assert clock.now() <= 5.5
        assert await patient


async def _never_mind(act: Awaitable[object]) -> None:
    try:
        await act
    except asyncio.CancelledError:
        return
    raise AssertionError("it was not cancelled")
