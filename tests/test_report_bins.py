"""
How moments are grouped into bars, and what a clock on the wall says of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicepush.report.bins import Bins, OwnTime

#: In seconds since 1970: 09:00 in UTC.
NINE = datetime(2030, 6, 4, 9, 0, tzinfo=UTC).timestamp()

HOUR, DAY = 3600.0, 86_400.0


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """
    A machine whose clock is set forward in March and back in October.
    """
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """
    A machine whose clock is that of Greenwich.
    """
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("seconds", "width", "words", "span"),
    [
        (0, 1, "second", "one second"),
        (40, 1, "second", "one second"),
        (100, 2, "2 seconds", "2 seconds"),
        (3_000, 60, "minute", "one minute"),
        (72_000, 1_800, "30 minutes", "30 minutes"),
        (50 * HOUR, 3_600, "hour", "one hour"),
        (50 * DAY, 86_400, "day", "one day"),
        (1_000 * DAY, 17 * 86_400, "17 days", "17 days"),
    ],
)
@pytest.mark.usefixtures("in_utc")
def test_bars_are_as_wide_as_people_count(
    seconds: float, width: int, words: str, span: str
) -> None:
    """
    At most some sixty bars, each of which has a width that one says in a word or two.
    """
    bins = Bins.over(NINE, NINE + seconds)

    assert (width, words, span) == (bins.width, bins.width_words, bins.span_words)
    assert len(bins) <= 60


@given(
    st.floats(0, 4e9),
    st.floats(0, 4e8),
    st.lists(st.floats(0, 1), min_size=1, max_size=9),
)
def test_every_moment_has_its_bar(
    first: float, lasts: float, parts: list[float]
) -> None:
    """
    What happened from the first to the last moment lies between the edges of its bar.
    """
    bins = Bins.over(first, first + lasts)

    assert 1 <= len(bins) <= 61
    assert bins.edges[0] <= first
    assert first + lasts <= bins.edges[-1]
    for part in parts:
        at = first + part * lasts
        place = bins.place(at)
        assert bins.edges[place] <= at <= bins.edges[place + 1]
    assert len(bins.begin_words()) == len(bins)
    assert 1 <= len(bins.ticks()) <= 6


@pytest.mark.usefixtures("in_berlin")
def test_bars_begin_where_a_clock_on_the_wall_is_even() -> None:
    """
    A bar of six hours begins at noon of this machine, and not of Greenwich.
    """
    bins = Bins.over(NINE, NINE + 14 * DAY)

    assert 21_600 == bins.width
    assert "4 Jun 06:00" == bins.begin_words()[0]
    assert "local time, UTC+02:00" == bins.zone_words


@pytest.mark.usefixtures("in_berlin")
def test_a_day_of_25_hours_is_a_day() -> None:
    """
    Where the clock is set back, the bars of days still begin at midnight.
    """
    first = datetime(2030, 10, 20, 12, 0, tzinfo=UTC).timestamp()
    bins = Bins.over(first, first + 50 * DAY)

    assert ["20 Oct", "21 Oct"] == bins.begin_words()[:2]
    lengths = {b - a for a, b in pairwise(bins.edges)}
    assert {DAY, DAY + HOUR} == lengths


@pytest.mark.usefixtures("in_utc")
def test_an_axis_names_the_day_once() -> None:
    """
    Where there are several days, a day is named below its first tick only; where there
    is one, beside the axis.
    """
    night = Bins.over(NINE + 12 * HOUR, NINE + 20 * HOUR)
    forenoon = Bins.over(NINE, NINE + HOUR)

    assert [("21:00", "4 Jun"), ("00:00", "5 Jun"), ("03:00",)] == [
        each.words for each in night.ticks()
    ]
    assert "4 Jun 2030, UTC" == forenoon.zone_words
    assert all(len(each.words) == 1 for each in forenoon.ticks())


@pytest.mark.usefixtures("in_utc")
def test_stamps_of_another_century_stretch_nothing() -> None:
    """
    A stamp of 1970 or of 2099 is counted at the edge, and counted as such.
    """
    stamps = [(NINE + i, 10) for i in range(40)]
    strange = [(0.0, 3), (4_000_000_000.0, 2), (-1e12, 1)]
    bins = OwnTime(NINE, NINE + 60).bins([*stamps, *strange])

    assert (NINE, NINE + 40) == (bins.edges[0], bins.edges[-1])
    assert 6 == bins.outside([*stamps, *strange])
    assert (0, len(bins) - 1) == (bins.place(0), bins.place(4e9))


@pytest.mark.usefixtures("in_utc")
def test_a_few_stragglers_squeeze_nothing() -> None:
    """
    One call that was told of a day later does not make the others a single bar; as many
    as matter do.
    """
    stamps = [(NINE + i, 10) for i in range(60)]
    own_time = OwnTime(NINE, NINE + 2 * DAY)

    few = own_time.bins([*stamps, (NINE + DAY, 1)])
    many = own_time.bins([*stamps, (NINE + DAY, 100)])

    assert few.edges[-1] < NINE + 70
    assert 1 == few.outside([*stamps, (NINE + DAY, 1)])
    assert many.edges[-1] >= NINE + DAY
    assert 0 == many.outside([*stamps, (NINE + DAY, 100)])


def test_where_nothing_lies_inside_there_is_one_bar() -> None:
    """
    Stamps that are all wrong are all at the beginning.
    """
    bins = OwnTime(NINE, NINE + 60).bins([(0.0, 5)])

    assert 1 == len(bins)
    assert 5 == bins.outside([(0.0, 5)])


def test_clocks_may_differ_by_a_minute() -> None:
    """
    A platform whose clock is a little behind is not said to be in another time.
    """
    bins = Bins.over(NINE, NINE + 60)

    assert 0 == bins.outside([(NINE - 5, 1)])
    assert 1 == bins.outside([(NINE - 500, 1)])
