"""
When people may be called, by the clocks where they live.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from math import inf
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicepush.errors import InputError
from voicepush.model.windows import Windows, dates, zone

#: Zones with clock changes of an hour, of half an hour, at midnight, on both halves of
#: the globe, and without any.
ZONES = (
    "Europe/London",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "Pacific/Chatham",
)


def moment(text: str, name: str = "UTC", *, fold: int = 0) -> float:
    """
    The moment at which the clocks of a zone show *text*.
    """
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(name), fold=fold)
    return local.timestamp()


def by_the_clock(windows: Windows, at: float, name: str) -> bool:
    """
    The same question, answered by looking at a clock.
    """
    local = datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(name))
    minute = 60 * local.hour + local.minute
    return local.date() not in windows.not_on and any(
        opens <= minute < closes for opens, closes in windows.week[local.weekday()]
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("09:00-21:00", "09:00-21:00"),
        ("9:00 - 21:00", "09:00-21:00"),
        ("Mon-Fri 09:00-20:00, sat 10:00-14:00", None),
        (
            "monday 09:00-10:00, tues wed 11:00-12:00",
            "mon 09:00-10:00, tue-wed 11:00-12:00",
        ),
        ("mon-sun 08:00-21:00", "08:00-21:00"),
        ("mon-fri 09:00-12:00 13:00-17:00", "mon-fri 09:00-12:00 13:00-17:00"),
        ("mon 09:00-12:00, mon 11:00-13:00", "mon 09:00-13:00"),
        ("sat-mon 00:00-24:00", "mon 00:00-24:00, sat-sun 00:00-24:00"),
    ],
)
def test_windows_as_people_write_them(text: str, told: str | None) -> None:
    """
    Days by their names or parts of them, and as many times of day as there are.
    """
    windows = Windows.parse(text)

    assert (told or text.lower()) == str(windows)
    assert windows == Windows.parse(str(windows))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "has no times"),
        ("9-21", "'9' is no day"),
        ("mon", "has no times"),
        ("xmas 09:00-10:00", "'xmas' is no day"),
        ("mo 09:00-10:00", "'mo' is no day"),
        ("09:00-08:00", "ends before it begins"),
        ("22:00-06:00", "over midnight it is two windows"),
        ("09:00-09:00", "ends before it begins"),
        ("25:00-26:00", "no time of day"),
        ("09:60-10:00", "no time of day"),
        ("mon-fri 09:00-20:00, 10:00-14:00", "names no days"),
        ("mon-fri 09:00-20:00 and sat", "'and sat' is no time"),
        ("\u0660\u0669:00-10:00", "is no day"),
    ],
)
def test_windows_that_can_not_be_understood(text: str, why: str) -> None:
    """
    Say what is wrong with them, and show some that are right.
    """
    with pytest.raises(InputError, match="write 09:00-21:00, or mon-fri") as caught:
        Windows.parse(text)

    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("text", "daily"),
    [
        ("09:00-21:00", (540, 1260)),
        ("00:00-24:00", None),
        ("09:00-12:00 13:00-18:00", None),
        ("mon-fri 09:00-20:00", None),
        ("20:00-24:00", (1200, 1440)),
    ],
)
def test_what_all_days_have(text: str, daily: tuple[int, int] | None) -> None:
    """
    One window, by which a report can say what fell outside.
    """
    assert daily == Windows.parse(text).daily


def test_dates_and_zones() -> None:
    """
    What is none is said, with one that is right.
    """
    assert [date(2026, 12, 25), date(2027, 1, 1)] == list(
        dates("2026-12-25,2027-01-01")
    )
    with pytest.raises(InputError, match="write it as 2026-12-25"):
        list(dates("25.12.2026"))
    for name in ("Asia/Nowhere", "../etc/passwd", "", "Asia"):
        with pytest.raises(InputError, match="there is no time zone"):
            zone(name)


def test_a_day_with_its_night() -> None:
    """
    At the last minute nobody is called any more.
    """
    windows = Windows.parse("mon-fri 09:00-20:00, sat 10:00-14:00")
    kolkata = ["Asia/Kolkata"]
    friday = moment("2026-11-27T19:59:59", "Asia/Kolkata")

    assert (True, friday + 1) == windows.at(friday, kolkata)
    saturday = moment("2026-11-28T10:00", "Asia/Kolkata")
    assert (False, saturday) == windows.at(friday + 1, kolkata)
    monday = moment("2026-11-30T09:00", "Asia/Kolkata")
    assert (False, monday) == windows.at(saturday + 4 * 3600, kolkata)


def test_a_holiday_is_one_where_people_live() -> None:
    """
    When Christmas begins in Auckland, it is the day before in New York.
    """
    windows = Windows.parse("09:00-21:00", not_on=[date(2026, 12, 25)])
    begins = moment("2026-12-25T09:00", "Pacific/Auckland")

    assert not windows.at(begins, ["Pacific/Auckland"]).is_open
    assert windows.at(begins, ["America/New_York"]).is_open
    assert moment("2026-12-26T09:00", "Pacific/Auckland") == (
        windows.at(begins, ["Pacific/Auckland"]).until
    )


def test_clocks_that_are_changed_inside_a_window() -> None:
    """
    An hour that does not exist shortens it; one that comes twice is open both times,
    and a window that begins in the middle of that opens twice.
    """
    london = ["Europe/London"]
    night = Windows.parse("00:30-03:00")
    # On 28 March 2027 there is no 01:30 in London.
    opens = moment("2027-03-28T00:30", "Europe/London")
    assert (True, opens + 1.5 * 3600) == night.at(opens, london)
    # On 31 October 2027 it comes twice.
    opens = moment("2027-10-31T00:30", "Europe/London")
    assert (True, opens + 3.5 * 3600) == night.at(opens, london)

    half = Windows.parse("01:30-03:00")
    first = moment("2027-10-31T01:30", "Europe/London")
    again = moment("2027-10-31T01:30", "Europe/London", fold=1)
    assert (True, first + 1800) == half.at(first, london)
    assert (False, again) == half.at(first + 1800, london)
    gone = Windows.parse("01:00-02:00")
    before = moment("2027-03-28T00:59", "Europe/London")
    assert moment("2027-03-29T01:00", "Europe/London") == gone.at(before, london).until


def test_someone_who_may_live_in_several_zones() -> None:
    """
    Is called where it is day in all of them, and never if that never is.
    """
    zones = ["America/New_York", "America/Los_Angeles"]
    windows = Windows.parse("09:00-21:00")
    nine = moment("2026-11-27T09:00", "America/New_York")

    assert (False, nine + 3 * 3600) == windows.at(nine, zones)
    assert (True, nine + 12 * 3600) == windows.at(nine + 3 * 3600, zones)
    noon = Windows.parse("09:00-12:00")
    assert (False, inf) == noon.at(nine, ["America/New_York", "Pacific/Auckland"])
    assert (True, inf) == Windows.parse("00:00-24:00").at(nine, zones)
    assert (True, inf) == noon.at(nine, [])


_WINDOW = st.tuples(st.integers(0, 47), st.integers(1, 48)).map(
    lambda pair: (
        f"{min(pair) // 2:02}:{min(pair) % 2 * 30:02}-"
        f"{(max(pair) + (pair[0] == pair[1])) // 2:02}:"
        f"{(max(pair) + (pair[0] == pair[1])) % 2 * 30:02}"
    )
)
_TEXTS = st.lists(
    st.tuples(
        st.sampled_from(["mon", "tue", "wed", "thu", "sat", "sun", "mon-fri"]), _WINDOW
    ),
    min_size=1,
    max_size=4,
).map(lambda parts: ", ".join(" ".join(part) for part in parts))


@settings(deadline=None)
@given(
    text=_TEXTS,
    zones=st.lists(st.sampled_from(ZONES), min_size=1, max_size=3, unique=True),
    at=st.integers(int(moment("2026-01-01")), int(moment("2028-12-31"))),
    steps=st.lists(st.floats(0, 1), min_size=4, max_size=4),
)
def test_what_is_said_is_what_clocks_show(
    text: str, zones: list[str], at: int, steps: list[float]
) -> None:
    """
    Now, at the end of the span, just before it and anywhere in it.
    """
    windows = Windows.parse(text, not_on=[date(2027, 3, 28)])
    span = windows.at(at, zones)

    def is_open(moment: float) -> bool:
        return all(by_the_clock(windows, moment, each) for each in zones)

    assert is_open(at) is span.is_open
    end = min(span.until, at + timedelta(days=9).total_seconds())
    assert all(is_open(at + (end - at - 1) * step) is span.is_open for step in steps)
    assert is_open(end - 1) is span.is_open
    if span.until < inf:
        assert is_open(span.until) is not span.is_open
