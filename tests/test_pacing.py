"""How fast: never faster than asked, hardly slower, and less when the service asks."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from heapq import heappop, heappush
from math import inf

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from voicepush.sending.pacing import Pacer, most_at
from voicepush.simulator.rate import RateLimit


class MovedClock:
    """
    A clock that moves only when someone sleeps, by as long as they want to.
    """

    def __init__(self) -> None:
        self.microseconds = 0
        #: What else happens while someone sleeps.
        self.meanwhile: Callable[[], object] = lambda: None
        self._later: list[tuple[int, int, Callable[[], object]]] = []

    def now(self) -> float:
        """
        The time in seconds.
        """
        return self.microseconds / 1_000_000

    def move(self, seconds: float) -> None:
        """
        Let *seconds* pass, and what was put off until then happen in its order.
        """
        until = self.microseconds + round(seconds * 1_000_000)
        while self._later and self._later[0][0] <= until:
            self.microseconds, _, act = heappop(self._later)
            act()
        self.microseconds = until

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        """
        Put *act* off until *seconds* have passed.
        """
        when = self.microseconds + round(seconds * 1_000_000)
        heappush(self._later, (when, len(self._later), act))

    async def sleep(self, seconds: float) -> None:
        """
        Let *seconds* pass, and everyone else have a turn.
        """
        assert seconds > 0
        self.move(max(seconds, 0.000_001))
        self.meanwhile()
        await asyncio.sleep(0)

    def pacer(self, rate: float | None = None) -> Pacer:
        """
        A pacer that lives by this clock.
        """
        return Pacer(rate, now=self.now, sleep=self.sleep, wall=self.wall)

    def wall(self) -> float:
        """
        The time on the wall, some days after 1970.
        """
        return 1_000_000 + self.now()


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


async def take_for(clock: MovedClock, pacer: Pacer, seconds: float) -> float:
    """
    How many destinations per second get through, if everyone is in a hurry.
    """
    begun, taken = clock.now(), 0
    while clock.now() < begun + seconds:
        number = pacer.most
        assert await pacer.take(number)
        taken += number
    return taken / (clock.now() - begun)


@pytest.fixture
def clock() -> MovedClock:
    """
    A clock that stands at 0.
    """
    return MovedClock()


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


class TestSlowDown:
    """
    What happens when the service asks for it.
    """

    def test_lowers(self, clock: MovedClock) -> None:
        """
        A refusal for speed takes 15 % of a rate that is set.
        """
        pacer = clock.pacer(100)
        pacer.slow_down()

        assert 85 == pacer.rate

    @pytest.mark.parametrize(
        ("rate", "lowered"), [(1.1, 1), (1, 1), (0.2, 0.2), (2, 1.7)]
    )
    def test_lowest(self, clock: MovedClock, rate: float, lowered: float) -> None:
        """
        It is lowered to one per second at least, and never raised by being lowered.
        """
        pacer = clock.pacer(rate)
        pacer.slow_down()

        assert lowered == pacer.rate

    def test_at_once_again(self, clock: MovedClock) -> None:
        """
        What was under way already and is refused as well says nothing new.
        """
        pacer = clock.pacer(100)
        for _ in range(30):
            pacer.slow_down()
            clock.move(0.03)

        assert 85 == pacer.rate

    def test_later_again(self, clock: MovedClock) -> None:
        """
        A refusal that comes later does; but it never stops altogether.
        """
        pacer = clock.pacer(100)
        rates = []
        for _ in range(40):
            pacer.slow_down()
            rates.append(pacer.rate)
            clock.move(1.5)

        assert [85, 72.25] == rates[:2]
        assert 1 == rates[-1]

    @pytest.mark.parametrize("rate", [None, 100])
    async def test_retry_after(self, clock: MovedClock, rate: float | None) -> None:
        """
        What the service asks to wait, everyone waits, with a rate or without.
        """
        pacer = clock.pacer(rate)
        pacer.slow_down(7)
        pacer.slow_down(3)

        assert await pacer.take(1)
        assert 7 == pytest.approx(clock.now(), abs=0.01)

    async def test_retry_after_for_those_who_wait(self, clock: MovedClock) -> None:
        """
        Who waits for the rate already is held as well.
        """
        pacer = clock.pacer(1)
        await pacer.take(1)
        clock.later(0.2, lambda: pacer.slow_down(9))

        assert await pacer.take(1)
        assert clock.now() >= 9

    async def test_comes_back_slowly(self, clock: MovedClock) -> None:
        """
        The rate comes back by a twentieth per second, and never above what was set.
        """
        pacer = clock.pacer(100)
        for _ in range(8):
            pacer.slow_down()
            clock.move(1)
        lowest, begun = 100 * 0.85**8, clock.now()
        seen = []
        while clock.now() < begun + 60:
            await pacer.take(1)
            assert pacer.rate is not None
            seen.append((clock.now() - begun, pacer.rate))

        after_five = max(rate for at, rate in seen if at <= 5)
        after_ten = max(rate for at, rate in seen if at <= 10)
        assert lowest * 1.05**5 == pytest.approx(after_five, rel=0.11)
        assert lowest * 1.05**10 == pytest.approx(after_ten, rel=0.11)
        assert sorted(rate for _, rate in seen) == [rate for _, rate in seen]
        assert 100 == max(rate for _, rate in seen) == pacer.rate

    async def test_lowered_after_a_hold(self, clock: MovedClock) -> None:
        """
        A time in which nothing may be sent proves nothing: the rate stays lowered.
        """
        pacer = clock.pacer(100)
        pacer.slow_down(60)

        await pacer.take(1)

        assert pacer.rate is not None
        assert pacer.rate <= 85 * 1.06

    async def test_held_on_the_wall(self, clock: MovedClock) -> None:
        """
        A hold can be told as a moment, and taken up again by another pacer.
        """
        pacer = clock.pacer(100)
        assert None is clock.pacer(100).held_until
        pacer.slow_down(60)
        until = pacer.held_until
        assert until is not None
        assert clock.wall() + 60 == pytest.approx(until)
        another = clock.pacer(100)
        another.hold_until(until)
        clock.move(20)

        assert until == pytest.approx(another.held_until)
        assert await another.take(1)
        assert until == pytest.approx(clock.wall(), abs=0.01)
        assert None is another.held_until

    async def test_pace_is_kept_while_it_is_low(self, clock: MovedClock) -> None:
        """
        It is not only said to be slower, it is.
        """
        pacer = clock.pacer(1000)
        pacer.slow_down()

        assert 850 <= await take_for(clock, pacer, 3) <= 1000

    async def test_search_begins_at_fifty(self, clock: MovedClock) -> None:
        """
        Without a rate, the first refusal makes it 50 a second, and requests smaller.
        """
        pacer = clock.pacer()
        await pacer.take(1000)
        pacer.slow_down(sent_at=clock.now())

        assert 50 == pacer.rate
        assert 12 == pacer.most

    async def test_search_waits_for_the_second_to_pass(self, clock: MovedClock) -> None:
        """
        What the service took just before fills its second, so that is waited for.
        """
        pacer = clock.pacer()
        pacer.slow_down(sent_at=clock.now())

        assert await pacer.take(1)
        assert 1 == pytest.approx(clock.now(), abs=0.01)

    async def test_search_doubles(self, clock: MovedClock) -> None:
        """
        It is doubled each second, and the next refusal halves it and ends the search.
        """
        pacer = clock.pacer()
        pacer.slow_down(sent_at=clock.now())
        await take_for(clock, pacer, 4.5)
        grown = pacer.rate
        pacer.slow_down(sent_at=clock.now())
        halved = pacer.rate
        clock.move(1.1)
        pacer.slow_down(sent_at=clock.now())

        assert 50 * 2**3.5 == pytest.approx(grown, rel=0.15)
        assert grown is not None
        assert grown / 2 == halved
        assert grown / 2 * 0.85 == pacer.rate

    async def test_what_was_under_way_does_not_end_the_search(
        self, clock: MovedClock
    ) -> None:
        """
        Refusals of what had left before the search say nothing about its rate.
        """
        pacer = clock.pacer()
        sent_at = clock.now()
        clock.move(0.1)
        for _ in range(32):
            pacer.slow_down(sent_at=sent_at)
            clock.move(0.2)

        assert pacer.rate is not None
        assert pacer.rate >= 50

    async def test_search_is_over_where_nothing_refuses(
        self, clock: MovedClock
    ) -> None:
        """
        A search that meets no limit ends without one.
        """
        pacer = clock.pacer()
        pacer.slow_down(sent_at=clock.now())
        while pacer.rate is not None:
            await pacer.take(pacer.most)
            assert clock.now() < 20

        assert 1000 == pacer.most

    @pytest.mark.parametrize("limit", [10, 50, 80, 700, 5000])
    @pytest.mark.parametrize("latency", [0.02, 0.4])
    async def test_finds_a_limit_nobody_told(
        self, clock: MovedClock, limit: int, latency: float
    ) -> None:
        """
        Without a rate, two thirds of what is possible get through in the first minute.
        """
        pacer = clock.pacer()
        service = RateLimit(limit)
        admitted = 0
        while clock.now() < 60:
            number = pacer.most
            await pacer.take(number)
            if service.admits(number, clock.now()):
                admitted += number
            else:
                slow_down = partial(pacer.slow_down, sent_at=clock.now())
                clock.later(latency, slow_down)
                if pacer.rate is None:
                    clock.move(latency)

        assert admitted / 60 >= 0.66 * limit

    def test_set_rate_ends_it(self, clock: MovedClock) -> None:
        """
        A rate that the operator sets is not lowered by what came before.
        """
        pacer = clock.pacer(100)
        pacer.slow_down()
        pacer.set_rate(300)

        assert 300 == pacer.rate

    @pytest.mark.parametrize("rate", [1e-320, 1e-9, 1e300])
    async def test_absurd_rates(self, clock: MovedClock, rate: float) -> None:
        """
        A rate far from anything sensible breaks nothing, and another one ends it.
        """
        pacer = clock.pacer(rate)
        await pacer.take(1)
        clock.later(5, lambda: pacer.set_rate(100))
        await pacer.take(1)
        clock.move(5)

        assert await pacer.take(1)
        assert clock.now() < 11

    @pytest.mark.parametrize("rate", [None, 100])
    async def test_idle_for_a_night(
        self, clock: MovedClock, rate: float | None
    ) -> None:
        """
        A client that was slowed down and then idle all night goes on in the morning.
        """
        pacer = clock.pacer(rate)
        pacer.slow_down()
        clock.move(12 * 3600)

        assert await pacer.take(1)
        assert rate in (None, pacer.rate)
        assert 1 <= pacer.most <= 1000

    @pytest.mark.parametrize("retry_after", [None, 1.0])
    @pytest.mark.parametrize("latency", [0.02, 0.1, 0.4])
    async def test_refused_again_and_again(
        self, clock: MovedClock, latency: float, retry_after: float | None
    ) -> None:
        """
        As long as everything is refused, the rate goes on falling.
        """
        pacer = clock.pacer(1000)
        while clock.now() < 60:
            await pacer.take(pacer.most)
            clock.later(latency, lambda: pacer.slow_down(retry_after))

        assert pacer.rate is not None
        assert pacer.rate <= 250

    @pytest.mark.parametrize("limit", [50, 100, 300, 900])
    @pytest.mark.parametrize("latency", [0.02, 0.1, 0.4])
    @pytest.mark.parametrize("retry_after", [None, 1.0])
    async def test_finds_the_limit(
        self,
        clock: MovedClock,
        limit: int,
        latency: float,
        retry_after: float | None,
    ) -> None:
        """
        With a rate set far too high, two fifths of what is possible get through.
        """
        pacer = clock.pacer(1000)
        service = RateLimit(limit)
        admitted = 0
        while clock.now() < 120:
            number = pacer.most
            await pacer.take(number)
            if service.admits(number, clock.now()):
                admitted += number
            else:
                clock.later(latency, lambda: pacer.slow_down(retry_after))

        assert admitted / 120 >= 0.4 * limit


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
