"""
Who is called when, as it is told before the start.
"""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_windows import _TEXTS, ZONES, by_the_clock, moment

from voicepush.model.reach import Opening, Reach, reach
from voicepush.model.windows import Windows

KOLKATA, LONDON = "Asia/Kolkata", "Europe/London"
DAY = Windows.parse("09:00-21:00")


def test_people_of_two_countries() -> None:
    """
    At the given rate, and with the night between.
    """
    now = moment("2026-11-27T20:00", KOLKATA)  # 14:30 in London
    people = {(KOLKATA,): 7_200, (LONDON,): 14_400, (): 10}
    found = reach(people, DAY, now, rate=1.0)
    india = reach({(KOLKATA,): 7_200}, DAY, now, rate=1.0)

    # India has an hour, then England the day until 21:00, and India the next morning.
    assert 21_610 == found.open
    assert [] == list(found.waits)
    assert 0 == found.unreached == india.unreached
    assert moment("2026-11-28T10:00", KOLKATA) == found.ends == india.ends


def test_who_waits_and_who_is_out_of_reach() -> None:
    """
    Those who wait for the same moment are told together.
    """
    now = moment("2026-11-27T22:00", KOLKATA)
    nine = moment("2026-11-28T09:00", KOLKATA)
    people = {(KOLKATA,): 3, (KOLKATA, "Asia/Colombo"): 4, (LONDON,): 5}
    expires_at = nine - 60
    found = reach(people, DAY, now, expires_at=expires_at)

    wait = Opening(nine, 7, ("Asia/Colombo", KOLKATA))
    assert Reach(open=5, waits=[wait], unreached=7, ends=None) == found
    assert 12 == reach(people, DAY, now, expires_at=now).unreached


def test_what_is_too_far_ahead() -> None:
    """
    Is not told, and nobody waits for the answer; who can never be called is told.
    """
    now = moment("2026-11-27T12:00", KOLKATA)
    far = reach({(KOLKATA,): 10**9}, DAY, now, rate=0.01)
    never = reach(
        {(KOLKATA, "America/New_York"): 3, (LONDON,): 2},
        Windows.parse("12:00-13:00"),
        now,
        rate=1.0,
    )

    assert (None, None) == (far.unreached, far.ends)
    assert 3 == never.unreached
    assert moment("2026-11-27T12:00:02", LONDON) == never.ends
    assert inf == never.waits[-1].moment


def by_the_minute(
    people: dict[tuple[str, ...], int],
    windows: Windows,
    now: int,
    expires_at: int,
    rate: float,
) -> float:
    """
    How many are left, when somebody looks at all clocks each minute.
    """
    left = {zones: float(number) for zones, number in people.items()}
    closes = {}
    for zones in left:
        closes[zones] = [
            all(by_the_clock(windows, at, zone) for zone in zones)
            for at in range(now, expires_at + 60, 60)
        ]
    for place, _ in enumerate(range(now, expires_at, 60)):
        takes = 60 * rate
        open_ = [zones for zones in left if closes[zones][place]]

        def until(zones: tuple[str, ...], place: int = place) -> int:
            rest = closes[zones][place:]
            return rest.index(False) if False in rest else len(rest)

        for zones in sorted(open_, key=until):
            served = min(takes, left[zones])
            takes -= served
            left[zones] -= served
    return sum(left.values())


@pytest.mark.slow
@settings(max_examples=80)
@given(
    text=_TEXTS,
    people=st.dictionaries(
        st.lists(st.sampled_from(ZONES), min_size=1, max_size=2, unique=True).map(
            tuple
        ),
        st.integers(1, 2_000),
        min_size=1,
        max_size=3,
    ),
    now=st.integers(int(moment("2027-03-20") / 60), int(moment("2027-11-10") / 60)),
    minutes=st.integers(1, 2_000),
    rate=st.sampled_from([0.01, 0.05, 1.0, 1e9]),
)
def test_it_is_what_somebody_would_count(
    text: str,
    people: dict[tuple[str, ...], int],
    now: int,
    minutes: int,
    rate: float,
) -> None:
    """
    Who looks at the clocks each minute comes to the same number; a higher rate leaves
    no more, and no rate only those whose windows open too late.
    """
    windows, start, end = Windows.parse(text), 60 * now, 60 * (now + minutes)

    def unreached(rate: float | None) -> int:
        found = reach(people, windows, start, expires_at=end, rate=rate)
        assert found.unreached is not None
        assert sum(people.values()) == found.open + sum(
            each.people for each in found.waits
        )
        return found.unreached

    counted = by_the_minute(people, windows, start, end, rate)
    assert counted == pytest.approx(unreached(rate), abs=1)
    assert unreached(rate) >= unreached(2 * rate) >= (unreached(None) or 0)
    assert unreached(1e12) == unreached(None)
