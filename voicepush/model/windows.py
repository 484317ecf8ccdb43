"""
When people may be called, by the clocks where they live.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from itertools import cycle
from math import inf
from typing import NamedTuple, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import attrs

from voicepush.errors import InputError

#: A window as minutes since midnight: it opens at the first, and closes at the second.
_Window = tuple[int, int]

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_RANGE = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})", re.ASCII)
_EXAMPLE = "write 09:00-21:00, or mon-fri 09:00-20:00, sat 10:00-14:00"
_WHOLE_DAY = 24 * 60

#: Nothing is looked for further ahead, in seconds: a holiday comes once a year.
_AHEAD = 400 * 86400.0


class Span(NamedTuple):
    """
    Whether people may be called now, and for how long that stays so.
    """

    is_open: bool
    #: In seconds since 1970; infinite where it does not change within a year.
    until: float


#: Where there are no windows.
ALWAYS = Span(is_open=True, until=inf)

#: What was found last, and at which moment, by windows and zones: it holds until it
#: says itself, and everyone asks for the same few again and again.
_known: dict[tuple[Windows, tuple[str, ...]], tuple[float, Span]] = {}
_MOST_KNOWN = 4096
_UNKNOWN = inf, ALWAYS


@attrs.frozen(cache_hash=True)
class Windows:
    """
    When people may be called: times of the weekdays, by the clock where they live.

    ``Windows.parse("mon-fri 09:00-20:00, sat 10:00-14:00")`` makes one of a text. A
    window holds its first minute and not its last one: at 20:00 nobody is called.
    """

    #: The windows of each weekday, Monday first, as minutes since midnight.
    week: tuple[tuple[_Window, ...], ...]
    #: The days on which nobody is called, by the calendar where people live.
    not_on: frozenset[date] = frozenset()

    @classmethod
    def parse(cls, text: str, *, not_on: Iterable[date] = ()) -> Self:
        """
        The windows that *text* names.

        Raises:
            InputError: It can't be understood, or leaves no minute in the week.
        """
        week: list[list[_Window]] = [[] for _ in _DAYS]
        parts = [part.strip() for part in text.lower().split(",")]
        for part in parts:
            named = _RANGE.search(part)
            days, times = part, ""
            if named is not None:
                days, times = part[: named.start()].strip(), part[named.start() :]
            if not days and len(parts) > 1:
                raise _bad(text, f"{part!r} names no days")
            for day in _days_of(text, days):
                week[day] += _times_of(text, part, times)
        return cls(tuple(map(_merged, week)), frozenset(not_on))

    def __str__(self) -> str:
        """
        The text from which `parse` makes the same windows; *not_on* is left out.
        """
        if len(set(self.week)) == 1:
            return _told(self.week[0])
        parts = []
        first = 0
        while first < len(_DAYS):
            last = first
            while last + 1 < len(_DAYS) and self.week[last + 1] == self.week[first]:
                last += 1
            if self.week[first]:
                days = _DAYS[first] + (f"-{_DAYS[last]}" if last > first else "")
                parts.append(f"{days} {_told(self.week[first])}")
            first = last + 1
        return ", ".join(parts)

    @property
    def daily(self) -> _Window | None:
        """
        The one window that all days have, in minutes since midnight, if they do.
        """
        days = set(self.week)
        if len(days) != 1 or len(self.week[0]) != 1:
            return None
        (window,) = self.week[0]
        return None if window == (0, _WHOLE_DAY) else window

    def at(self, moment: float, zones: Sequence[str]) -> Span:
        """
        Whether someone who may live in any of *zones* may be called at *moment*, which
        is so where it is allowed in all of them; and until when that is so.

        Args:
            moment: In seconds since 1970.

        Raises:
            InputError: There is no such time zone.
        """
        key = self, tuple(zones)
        since, known = _known.get(key, _UNKNOWN)
        if since <= moment < known.until:
            return known
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        found = self._look(moment, zones)
        _known[key] = moment, found
        return found

    def _look(self, moment: float, zones: Sequence[str]) -> Span:
        spans = [_span(self, zone, int(moment // 60)) for zone in zones]
        if all(span.is_open for span in spans):
            return Span(
                is_open=True, until=min((span.until for span in spans), default=inf)
            )
        # From one zone to the next, until all of them were found open at one moment.
        then, in_turn = moment, 0
        for name in cycle(zones):
            span = _span(self, name, int(then // 60))
            if not span.is_open:
                then, in_turn = span.until, 0
                if then > moment + _AHEAD:
                    return Span(is_open=False, until=inf)
            in_turn += 1
            if in_turn == len(zones):
                break
        return Span(is_open=False, until=then)


def zone(name: str) -> ZoneInfo:
    """
    The time zone called *name*, in capitals or small letters.

    Raises:
        InputError: There is none.
    """
    with suppress(ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo(name)
    try:
        return ZoneInfo(_names()[name.casefold()])
    except (KeyError, ZoneInfoNotFoundError):
        raise InputError(
            f"there is no time zone {name!r}; write one such as Asia/Kolkata or "
            "America/New_York"
        ) from None


@cache
def _names() -> Mapping[str, str]:
    """
    The names of all time zones, by what they are in small letters.
    """
    return {name.casefold(): name for name in available_timezones()}


def _bad(text: str, why: str) -> InputError:
    return InputError(f"the window {text!r} can't be understood: {why}; {_EXAMPLE}")


def _days_of(text: str, days: str) -> Iterator[int]:
    """
    The weekdays that *days* names, counted from Monday; all where it names none.
    """
    if not days:
        yield from range(len(_DAYS))
    for each in days.split():
        first, _, last = each.partition("-")
        begin = _day(text, first)
        end = _day(text, last) if last else begin
        # From Saturday to Monday is three days.
        for day in range(begin, begin + (end - begin) % len(_DAYS) + 1):
            yield day % len(_DAYS)


def _day(text: str, name: str) -> int:
    for day, whole in enumerate(_NAMES):
        if len(name) >= len(_DAYS[0]) and whole.startswith(name):
            return day
    raise _bad(text, f"{name!r} is no day")


def _times_of(text: str, part: str, times: str) -> Iterator[_Window]:
    rest = _RANGE.sub("", times).strip()
    if rest or not times:
        raise _bad(text, f"{rest!r} is no time" if rest else f"{part!r} has no times")
    for found in _RANGE.finditer(times):
        opens, minute, closes, end = map(int, found.groups())
        window = 60 * opens + minute, 60 * closes + end
        if max(minute, end) > 59 or window[1] > _WHOLE_DAY:  # noqa: PLR2004 -- a clock
            raise _bad(text, f"{found[0]!r} is no time of day")
        if window[0] >= window[1]:
            raise _bad(
                text,
                f"{found[0]!r} ends before it begins; over midnight it is two windows, "
                "until 24:00 and from 00:00",
            )
        yield window


def _merged(windows: Iterable[_Window]) -> tuple[_Window, ...]:
    """
    *windows* in their order, those that touch each other as one.
    """
    merged: list[_Window] = []
    for opens, closes in sorted(windows):
        if merged and opens <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], closes)
        else:
            merged.append((opens, closes))
    return tuple(merged)


def _told(windows: Iterable[_Window]) -> str:
    return " ".join(
        f"{opens // 60:02}:{opens % 60:02}-{closes // 60:02}:{closes % 60:02}"
        for opens, closes in windows
    )


@lru_cache(maxsize=4096)
def _span(windows: Windows, name: str, minute: int) -> Span:
    """
    The same in one time zone. Windows open and close, and clocks are changed, at whole
    minutes, so that all batches of one minute get one answer.

    Args:
        minute: Since 1970.
    """
    where, then = zone(name), 60 * minute
    end = then + _AHEAD
    is_open = _is_open(windows, where, then)
    while then < end:
        then = _next_change(windows, where, then)
        if _is_open(windows, where, then) is not is_open:
            return Span(is_open, float(then))
    return Span(is_open, inf)


def _local(where: ZoneInfo, moment: int) -> datetime:
    return datetime.fromtimestamp(moment, UTC).astimezone(where)


def _is_open(windows: Windows, where: ZoneInfo, moment: int) -> bool:
    local = _local(where, moment)
    if local.date() in windows.not_on:
        return False
    minute = 60 * local.hour + local.minute
    day = windows.week[local.weekday()]
    return any(opens <= minute < closes for opens, closes in day)


def _next_change(windows: Windows, where: ZoneInfo, moment: int) -> int:
    """
    The next moment at which a window may open or close: at an edge of one, at midnight,
    or when the clocks are changed.
    """
    local = _local(where, moment)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    since = int((local.replace(tzinfo=None) - midnight).total_seconds())
    day = () if local.date() in windows.not_on else windows.week[local.weekday()]
    edges = [60 * edge for pair in day for edge in pair]
    edge = min(each for each in (*edges, 60 * _WHOLE_DAY) if each > since)
    then = moment + edge - since
    if _local(where, then).utcoffset() == local.utcoffset():
        return then
    # The clocks are changed before that; this is the first second after it.
    low, high = moment, then
    while high - low > 1:
        middle = (low + high) // 2
        if _local(where, middle).utcoffset() == local.utcoffset():
            low = middle
        else:
            high = middle
    return high


def opening_first(
    windows: Windows, moment: float, zones: Iterable[str]
) -> tuple[str, ...]:
    """
    *zones* by their names, but first those in which the windows open at *moment*, after
    which they are open in all of them.
    """
    return tuple(
        sorted(
            set(zones), key=lambda name: (windows.at(moment - 60, [name]).is_open, name)
        )
    )


def told_by_the_clock(moment: float, names: Sequence[str]) -> str:
    """
    *moment* by the clock in the first of the zones with these *names*, such as ``09:00
    in Asia/Kolkata and 2 more zones``.
    """
    local = datetime.fromtimestamp(moment, zone(names[0]))
    others = len(names) - 1
    more = f" and {others} more zone{'s' if others > 1 else ''}" if others else ""
    return f"{local:%H:%M} in {names[0]}{more}"


def dates(text: str) -> Iterator[date]:
    """
    The dates that *text* names, such as ``2026-12-25, 2026-12-26``.

    Raises:
        InputError: One is none.
    """
    for each in text.replace(",", " ").split():
        try:
            yield date.fromisoformat(each)
        except ValueError:
            raise InputError(
                f"{each!r} is no date; write it as {date(2026, 12, 25)}"
            ) from None
