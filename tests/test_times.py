"""
Durations and moments as operators type them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from voicepush.cli.times import (
    about,
    check_future,
    parse_duration,
    parse_expiry,
    told,
    told_expiry,
)
from voicepush.errors import InputError

NOON = datetime(2030, 4, 12, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _in_india(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "Asia/Kolkata")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("90m", 90),
        ("1h30m", 90),
        ("1 h 30 min", 90),
        ("2 hours", 120),
        ("1 hour and 5 minutes", 65),
        ("1w", 7 * 24 * 60),
        ("1.5 D", 36 * 60),
        ("30 secs", 0.5),
    ],
)
def test_durations(text: str, minutes: float) -> None:
    """
    A duration is taken in letters and in words, in any case.
    """
    assert timedelta(minutes=minutes) == parse_duration(text)
    assert timedelta(minutes=minutes) == parse_expiry(text)


@pytest.mark.parametrize("text", ["", "soon", "90", "1h30", "m", "-2h", "2 fortnights"])
def test_what_is_no_duration(text: str) -> None:
    """
    A number without a unit, and a unit without a number, are none.
    """
    assert None is parse_duration(text)
    with pytest.raises(InputError, match="is not a time"):
        parse_expiry(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("18:00", "2030-04-12T12:30Z"),  # today, five and a half hours ahead of UTC
        ("17:30", "2030-04-13T12:00Z"),  # which it is now, so tomorrow
        ("9:15", "2030-04-13T03:45Z"),
        ("18:00Z", "2030-04-12T18:00Z"),
        ("11:00 +0000", "2030-04-13T11:00Z"),
        ("18:00+2:00", "2030-04-12T16:00Z"),
        ("2030-06-01 18:00 +0200", "2030-06-01T16:00Z"),
        ("2030-06-01T18:00:19.456+5:30", "2030-06-01T12:30:19.456Z"),
    ],
)
def test_moments(text: str, moment: str) -> None:
    """
    A time of day is the next one, here where it has no offset.
    """
    assert datetime.fromisoformat(moment) == parse_expiry(text, now=NOON)


@pytest.mark.parametrize("text", ["25:00", "12:60", "24:00"])
def test_what_is_no_time_of_day(text: str) -> None:
    """
    A clock shows no such time.
    """
    with pytest.raises(InputError, match="is not a time of day"):
        parse_expiry(text)


def test_a_date_needs_an_offset() -> None:
    """
    Whose clock is meant is not guessed, and the text says what to write.
    """
    with pytest.raises(InputError, match=r"write 2030-04-12T18:00\+05:30"):
        parse_expiry("2030-04-12 18:00")


def test_the_past_is_refused_with_the_difference() -> None:
    """
    The text names the option, the moment, and how long ago it was.
    """
    past = datetime.now(UTC) - timedelta(hours=2, minutes=5, seconds=1)

    with pytest.raises(InputError, match=r"^--expiry .* 2 h 5 min ago"):
        check_future(past, "--expiry")
    check_future(datetime.now(UTC) + timedelta(minutes=1), "--expiry")


def test_what_was_understood() -> None:
    """
    A moment is told on this machine's clock, and how far away it is.
    """
    soon = datetime.now(UTC) + timedelta(hours=3, minutes=12, seconds=5)
    past = datetime.now(UTC) - timedelta(minutes=7, seconds=0.5)

    assert "2030-04-12 17:30 +0530" == told(NOON)
    assert f"expires {told(soon)} (in 3 h 12 min)" == told_expiry(soon)
    assert told_expiry(past).startswith(f"expired {told(past)} (7 min")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "0 s"),
        (59.6, "1 min"),
        (3_605, "1 h"),
        (90_000, "1 d 1 h"),
        (61, "1 min 1 s"),
    ],
)
def test_about(seconds: float, said: str) -> None:
    """
    The two largest units are enough.
    """
    assert said == about(seconds)
