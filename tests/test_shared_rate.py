"""One rate for all who ask: never above it, and in the order of how urgent they are."""

from itertools import accumulate
from math import inf

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared_rates import Hungry, Time, feed, taker, unused

from voicepush.errors import InputError
from voicepush.model.pace import Urgency, most_at

URGENT, HIGH, MEDIUM, LOW = Urgency

#: A taker's place, how many it wants, and how long nothing happens before.
_TAKES = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.integers(1, 1000),
        st.sampled_from([0.0, 0.0, 0.001, 0.01, 0.1, 0.3, 1.5]),
    ),
    min_size=1,
    max_size=60,
)


def check_windows(got: list[tuple[float, int]], rate: float) -> None:
    """
    No time, however long, lets through more than its rate and one burst.
    """
    got = sorted(got)
    sums = [0, *accumulate(number for _, number in got)]
    for first, (begins, _) in enumerate(got):
        for last in range(first, len(got)):
            ends = got[last][0]
            most = rate * (ends - begins) + most_at(rate)
            assert sums[last + 1] - sums[first] <= most * 1.000_001 + 0.001


class TestRate:
    """
    What is let through.
    """

    @settings(max_examples=40)
    @given(
        st.floats(0.5, 20_000),
        st.lists(st.none() | st.floats(0.5, 20_000), min_size=5, max_size=5),
        st.sampled_from([0.0, 0.01, 0.05]),
        _TAKES,
    )
    async def test_no_window_sees_more(
        self,
        rate: float,
        own: list[float | None],
        ahead: float,
        takes: list[tuple[int, int, float]],
    ) -> None:
        """
        Whoever asks for whatever, all together keep to the tenant's rate, and each
        campaign to its own; and nobody passes one of the two without the other.
        """
        time = Time()
        takers = [
            taker(str(place), Urgency(place % 4), rate=each, ahead=ahead)
            for place, each in enumerate(own)
        ]
        got: dict[str, list[tuple[float, int]]] = {each.name: [] for each in takers}
        async with unused(time) as allowance:
            await allowance.set_rate(rate)
            for place, number, pause in takes:
                time.moment += pause
                allowed = await allowance.take(number, takers[place])
                assert 0 <= allowed.number <= min(number, most_at(rate))
                assert allowed.wait <= ahead or not allowed.number
                if allowed.number:
                    at = time.moment + allowed.wait
                    got[takers[place].name].append((at, allowed.number))
                else:
                    time.moment += allowed.wait / 2

        check_windows([each for takes in got.values() for each in takes], rate)
        for each in takers:
            if each.rate is not None:
                check_windows(got[each.name], each.rate)

    @settings(max_examples=15)
    @given(
        st.floats(5, 20_000),
        st.lists(
            st.tuples(st.sampled_from(Urgency), st.floats(0.2, 1)),
            min_size=1,
            max_size=4,
        ),
    )
    async def test_nobody_starves(
        self, rate: float, many: list[tuple[Urgency, float]]
    ) -> None:
        """
        Whoever wants whatever all the time, all get something, and the rate is used up.
        """
        most = most_at(rate)
        time = Time()
        hungry = [
            Hungry(taker(str(place), urgency, ahead=0.01), max(1, int(share * most)))
            for place, (urgency, share) in enumerate(many)
        ]
        # So long that each class has its share, and within it each taker.
        seconds = (20 * most / rate + 1) * (len(hungry) + 1)
        async with unused(time) as allowance:
            await allowance.set_rate(rate)
            await feed(allowance, time, hungry, seconds)

        assert all(each.got for each in hungry)
        total = sum(each.share(0, seconds) for each in hungry)
        assert rate == pytest.approx(total, rel=0.03, abs=2 * most / seconds)

    async def test_no_limit(self) -> None:
        """
        Where nobody has set a rate, everyone may send what they want.
        """
        async with unused() as allowance:
            allowed = await allowance.take(1000, taker("june"))

        assert (1000, 0, 0) == (allowed.number, allowed.wait, allowed.held)
        assert None is allowance.rate

    @pytest.mark.parametrize("rate", [0, -1, inf, float("nan")])
    async def test_what_is_no_rate(self, rate: float) -> None:
        """
        It is refused, and nothing is changed.
        """
        async with unused() as allowance:
            await allowance.set_rate(80)
            with pytest.raises(InputError, match="a rate must be at least"):
                await allowance.set_rate(rate)

            assert 80 == (await allowance.look()).ceiling

    async def test_clock_that_is_set_back(self) -> None:
        """
        Nobody waits for longer than usual, and refusals count.
        """
        time = Time()
        async with unused(time) as allowance:
            await allowance.set_rate(100)
            await allowance.slow_down()
            await allowance.take(25, taker("june"))
            time.moment -= 3600
            allowed = await allowance.take(1, taker("june"))
            await allowance.slow_down()

        assert allowed.wait <= 1.3
        assert 100 * 0.85 * 0.85 == allowance.rate


class TestOrder:
    """
    Whose turn it is.
    """

    async def fed(
        self, *hungry: Hungry, rate: float = 1000, seconds: float = 60
    ) -> list[float]:
        """
        How many per second each of *hungry* got.
        """
        time = Time()
        async with unused(time) as allowance:
            await allowance.set_rate(rate)
            await feed(allowance, time, hungry, seconds)
        return [each.share(0, seconds) for each in hungry]

    async def test_by_priority(self) -> None:
        """
        The highest class gets all but a twentieth for each lower one that waits.
        """
        shares = await self.fed(
            Hungry(taker("low", LOW), 250),
            Hungry(taker("medium"), 250),
            Hungry(taker("high", HIGH), 250),
        )

        assert [50, 50, 900] == pytest.approx(shares, rel=0.1)

    async def test_urgent_ones_are_before_all(self) -> None:
        """
        Single submissions hardly wait, however much else there is.
        """
        urgent = Hungry(taker("submit", URGENT), 1, pause=0.02)
        many = [Hungry(taker(str(number), HIGH), 250) for number in range(3)]
        low = Hungry(taker("low", LOW), 250)
        await self.fed(urgent, low, *many)
        waited = sorted(urgent.waited)

        assert waited[len(waited) // 2] < 0.003
        assert waited[-1] < 0.02

    async def test_too_many_urgent_ones(self) -> None:
        """
        Even they leave the others their shares.
        """
        shares = await self.fed(
            Hungry(taker("submit", URGENT), 100),
            Hungry(taker("another", URGENT), 1),
            Hungry(taker("high", HIGH), 250),
            Hungry(taker("low", LOW), 10),
        )

        assert [50, 50] == pytest.approx(shares[2:], rel=0.2)
        assert 1000 == pytest.approx(sum(shares), rel=0.02)

    async def test_equals_take_turns(self) -> None:
        """
        Those of one class go one after the other, whatever they want.
        """
        large = [Hungry(taker(f"large {number}"), 250) for number in range(3)]
        small = [Hungry(taker(f"small {number}"), 5) for number in range(3)]
        await self.fed(*large, *small)

        turns = [len(each.got) for each in (*large, *small)]
        assert max(turns) - min(turns) <= 2

    async def test_idle_higher_class(self) -> None:
        """
        Who wants nothing slows nobody down, and neither does who has ended.
        """
        low = Hungry(taker("low", LOW), 250)
        high = Hungry(taker("high", HIGH), 250, begins=10, ends=20)
        await self.fed(low, high, seconds=30)

        assert 1000 == pytest.approx(low.share(0, 10), rel=0.06)
        assert 50 == pytest.approx(low.share(11, 20), abs=30)
        assert 1000 == pytest.approx(low.share(21, 30), rel=0.06)

    async def test_higher_class_with_a_rate_of_its_own(self) -> None:
        """
        Who waits for its own rate leaves the rest to the others.
        """
        shares = await self.fed(
            Hungry(taker("high", HIGH, rate=100), 25),
            Hungry(taker("low", LOW), 250),
        )

        assert [100, 900] == pytest.approx(shares, rel=0.03)

    async def test_one_that_died_while_waiting(self) -> None:
        """
        It is waited for no longer than a moment.
        """
        time = Time()
        async with unused(time) as allowance:
            await allowance.set_rate(1000)
            await allowance.take(250, taker("high", HIGH))
            refused = await allowance.take(250, taker("high", HIGH))
            low = Hungry(taker("low", LOW), 250)
            # It had its share lately.
            for _ in range(2):
                time.moment += 0.001
                await allowance.take(1, taker("low", LOW))
            await feed(allowance, time, [low], 3)

        assert 0 == refused.number
        assert 1000 == pytest.approx(low.share(1, 3), rel=0.2)

    async def test_two_processes_of_a_campaign(self) -> None:
        """
        They share its rate.
        """
        both = [
            Hungry(attrs.evolve(taker("june", rate=100), name=name), 25)
            for name in ("one", "another")
        ]
        shares = await self.fed(*both)

        assert 100 == pytest.approx(sum(shares), rel=0.03)


class TestRefusals:
    """
    What a refusal for speed does to all.
    """

    async def test_everyone_is_slower(self) -> None:
        """
        One process is refused, and the others have less at once.
        """
        time = Time()
        async with unused(time) as allowance:
            await allowance.set_rate(1000)
            for each in ("june", "july"):
                await allowance.slow_down(2)
                held = await allowance.take(250, taker(each))
                assert 0 == held.number
                assert 2 == pytest.approx(held.held)
            time.moment += 2.5
            allowed = await allowance.take(250, taker("july"))

        assert 212 == allowed.number
        assert 850 == allowance.rate

    async def test_the_search(self) -> None:
        """
        Without a rate it begins low, and doubles until the next refusal.
        """
        time = Time()
        async with unused(time) as allowance:
            await allowance.slow_down()
            rates = []
            for _ in range(5):
                time.moment += 1.001
                await allowance.take(1, taker("june"))
                await allowance.take(1, taker("july"))
                rates.append(allowance.rate)
            await allowance.slow_down()

        # A second in which nothing is sent proves nothing.
        assert [50, 100, 200, 400, 800] == pytest.approx(rates, rel=0.01)
        assert 400 == pytest.approx(allowance.rate, rel=0.01)

    async def test_what_left_before_the_change(self) -> None:
        """
        The refusals of requests that were under way together count once.
        """
        time = Time()
        async with unused(time) as allowance:
            await allowance.set_rate(1000)
            for ago in (0.5, 0.4, 0.6):
                time.moment += 0.01
                await allowance.slow_down(ago=ago)

            assert 850 == (await allowance.look()).rate
