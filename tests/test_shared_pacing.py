"""A pacer that shares its rate: like one that paces alone, and with others."""

from collections.abc import Callable, Iterable
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moved_clock import MovedClock
from shared_rates import unused

from voicepush.sending.pacing import Pacing
from voicepush.sending.shared_pacing import SharedPacer

#: What happens, and with which values.
Step = tuple[str, Any]

SCENARIOS: dict[str, list[Step]] = {
    "steady": [("rate", 500), *[("take", 125)] * 12],
    "single destinations": [("rate", 50), *[("take", 1)] * 20],
    "idle time is not saved": [
        ("rate", 100),
        ("take", 25),
        ("move", 3600),
        *[("take", 25)] * 4,
    ],
    "slower than one a second": [("rate", 0.25), ("take", 1), ("take", 1)],
    "larger than a burst": [("rate", 20), ("take", 40), ("take", 1)],
    "a change": [
        ("rate", 100),
        ("take", 25),
        ("rate", 1000),
        ("take", 250),
        ("rate", 10),
        ("take", 2),
        ("rate", None),
        ("take", 1000),
    ],
    "a refusal": [
        ("rate", 100),
        ("take", 25),
        ("refuse", (None, 0)),
        *[("take", 20), ("move", 0.3)] * 12,
    ],
    "refusals at once": [("rate", 1000), *[("refuse", (None, 0.01))] * 3, ("take", 1)],
    "refusals again and again": [
        ("rate", 1000),
        *[("refuse", (None, 0)), ("move", 1.1), ("take", 9)] * 6,
    ],
    "asked to wait": [
        ("rate", 100),
        ("refuse", (7, 0)),
        ("refuse", (3, 0)),
        ("take", 1),
        ("take", 25),
    ],
    "waiting proves nothing": [("rate", 100), ("refuse", (60, 0)), ("take", 1)],
    "the search": [
        ("take", 1000),
        ("refuse", (None, 0)),
        *[("take", 12), ("move", 0.21)] * 20,
        ("refuse", (None, 0)),
        *[("take", 12), ("move", 0.21)] * 10,
        ("refuse", (None, 0)),
        ("take", 12),
    ],
    "a search without an end": [
        ("refuse", (None, 0)),
        *[("take", 1), ("move", 1.5)] * 25,
        ("take", 1000),
    ],
    "what left before": [
        ("refuse", (None, 0)),
        ("move", 0.2),
        ("refuse", (None, 0.5)),
        ("refuse", (None, 0.1)),
        ("take", 12),
    ],
    "no time": [
        ("rate", 100),
        ("take", 25),
        ("hurry", 25),
        ("move", 0.1),
        ("hurry", 1),
        ("refuse", (2, 0)),
        ("hurry", 1),
        ("take", 1),
    ],
}


@attrs.frozen
class Seen:
    """
    What can be seen of a pacer after a step.
    """

    at: float
    passed: bool | None
    rate: float | None
    most: int
    held_until: float | None


async def seen_of(
    pacer: Pacing,
    set_rate: Callable[[float | None], Any],
    clock: MovedClock,
    steps: Iterable[Step],
) -> list[Seen]:
    """
    What is seen of *pacer* while *steps* are made.
    """
    seen = []
    for act, value in steps:
        passed = None
        if act == "take":
            passed = await pacer.take(value)
        elif act == "hurry":
            passed = await pacer.take(value, within=lambda: 0.05)
        elif act == "move":
            clock.move(value)
        elif act == "refuse":
            retry_after, ago = value
            await pacer.slow_down(retry_after, sent_at=clock.now() - ago)
        elif (changed := set_rate(value)) is not None:
            await changed
        # That everything is held is known with the next answer.
        held = pacer.held_until if act == "take" else None
        seen.append(Seen(clock.now(), passed, pacer.rate, pacer.most, held))
    return seen


async def check_equal(steps: list[Step]) -> None:
    """
    A pacer that shares its rate with nobody behaves as one that has its own.
    """
    clock = MovedClock()
    pacer = clock.pacer()
    alone = await seen_of(pacer, pacer.set_rate, clock, steps)

    clock = MovedClock()
    async with unused(clock.now) as allowance:
        shared = shared_pacer(allowance, clock, ahead=0)
        together = await seen_of(shared, allowance.set_rate, clock, steps)

    assert alone == together


def shared_pacer(allowance: Any, clock: MovedClock, **arguments: Any) -> SharedPacer:
    """
    One that lives by *clock*.
    """
    return SharedPacer(
        allowance, now=clock.now, sleep=clock.sleep, wall=clock.wall, **arguments
    )


class TestLikeOneAlone:
    """
    Nothing else changes where the rate is shared.
    """

    @pytest.mark.parametrize("name", SCENARIOS)
    async def test_scenario(self, name: str) -> None:
        """
        What is known of one pacer holds for the other.
        """
        await check_equal(SCENARIOS[name])

    @settings(max_examples=60)
    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("take"), st.integers(1, 300)),
                st.tuples(st.just("hurry"), st.integers(1, 300)),
                st.tuples(st.just("move"), st.floats(0.01, 3)),
                st.tuples(
                    st.just("refuse"),
                    st.tuples(
                        st.none() | st.floats(0.1, 5), st.sampled_from([0, 0.0373])
                    ),
                ),
                st.tuples(st.just("rate"), st.none() | st.floats(5, 5000)),
            ),
            max_size=25,
        )
    )
    async def test_anything(self, steps: list[Step]) -> None:
        """
        So does what happens in any order.
        """
        await check_equal(steps)

    async def test_ahead(self) -> None:
        """
        Being told ahead of time makes nobody faster, or slower.
        """
        clock = MovedClock()
        async with unused(clock.now) as allowance:
            await allowance.set_rate(500)
            pacer = shared_pacer(allowance, clock)
            for _ in range(20):
                assert await pacer.take(125)

        assert 19 * 0.25 == pytest.approx(clock.now(), abs=0.001)
