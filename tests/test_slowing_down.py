"""How a pace is lowered when the service asks, and comes back."""

from functools import partial

import pytest
from moved_clock import MovedClock, take_for

from voicepush.simulator.rate import RateLimit


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
