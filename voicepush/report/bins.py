"""
Moments grouped into at most some sixty bars of a width that people count in.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime, time, timedelta
from typing import NamedTuple, Self

import attrs

from voicepush import clock

_DAY = 86_400

#: In seconds; from a day on in whole days.
_WIDTHS = (
    *(1, 2, 5, 10, 30, 60, 120, 300, 600, 900, 1800),
    *(3600, 7200, 10_800, 21_600, 43_200, _DAY),
)

_MOST_BARS = 60
_MOST_TICKS = 5

#: Two clocks may differ by as much, in seconds.
_CLOCKS_DIFFER = 60.0

#: If the last of so few would more than double the time that is shown, they are put
#: at its end.
_FEW = 0.005


class Tick(NamedTuple):
    """
    A moment that is named on an axis, in one line or two.
    """

    at: float
    words: tuple[str, ...]


@attrs.frozen
class Bins:
    """
    Bars that lie side by side: each begins where the one before it ends.
    """

    #: How wide they are, in seconds; a day may be longer or shorter.
    width: int
    #: The beginning of each, and the end of the last, in seconds since 1970.
    edges: Sequence[float]

    @classmethod
    def over(cls, first: float, last: float, narrowest: int = 1) -> Self:
        """
        Bars from *first* to *last*, not more than some sixty.

        Args:
            narrowest: The least that they are wide, in seconds.
        """
        width = max(narrowest, _narrowest(first, last, _MOST_BARS))
        edges = _edges(first, last, width)
        return cls(width, edges)

    def __len__(self) -> int:
        return len(self.edges) - 1

    def place(self, at: float) -> int:
        """
        In which bar *at* is, counted from 0; what lies outside is in the outermost.
        """
        return bisect_right(self.edges, at, 1, len(self.edges) - 1) - 1

    def outside(self, stamps: Iterable[tuple[float, int]]) -> int:
        """
        For how many people *stamps* say something that lies clearly outside.
        """
        early, late = self.edges[0] - _CLOCKS_DIFFER, self.edges[-1]
        return sum(number for at, number in stamps if not early <= at <= late)

    @property
    def width_words(self) -> str:
        """
        How wide a bar is, as one says it after "per".
        """
        for word, unit in (("day", _DAY), ("hour", 3600), ("minute", 60)):
            if self.width % unit == 0:
                number = self.width // unit
                return word if number == 1 else f"{number} {word}s"
        return "second" if self.width == 1 else f"{self.width} seconds"

    @property
    def span_words(self) -> str:
        """
        The same as one says it after "within".
        """
        words = self.width_words
        return words if words[0].isdigit() else f"one {words}"

    @property
    def zone_words(self) -> str:
        """
        Whose clock it is, with the day where there is only one.
        """
        first, last = _local(self.edges[0]), _local(self.edges[-1] - 1)
        zone = f"UTC{first:%z}"
        zone = "UTC" if zone == "UTC+0000" else f"{zone[:6]}:{zone[6:]}"
        if first.date() == last.date():
            return f"{_day(first)} {first.year}, {zone}"
        return f"local time, {zone}"

    def begin_words(self) -> list[str]:
        """
        When each begins, by a clock on the wall; with the day where there are several.
        """
        local = [_local(at) for at in self.edges]
        form = "%H:%M" if self.width % 60 == 0 else "%H:%M:%S"
        if local[0].date() == local[-2].date():
            return [f"{each:{form}}" for each in local[:-1]]
        if self.width >= _DAY:
            return [_day(each) for each in local[:-1]]
        return [f"{_day(each)} {each:{form}}" for each in local[:-1]]

    def ticks(self) -> list[Tick]:
        """
        The moments that are named on the axis; a new day is told below its first.
        """
        first, last = self.edges[0], self.edges[-1]
        width = _narrowest(first, last, _MOST_TICKS)
        if width % 60:
            # Seconds make long words.
            width = _narrowest(first, last, _MOST_TICKS - 1)
        at_edges = [at for at in _edges(first, last, width) if first <= at <= last]
        one_day = _local(first).date() == _local(last - 1).date()
        form = "%H:%M" if width % 60 == 0 else "%H:%M:%S"
        told: list[Tick] = []
        before = None
        for at in at_edges:
            local = _local(at)
            if width >= _DAY:
                words: tuple[str, ...] = (_day(local),)
            elif one_day or local.date() == before:
                words = (f"{local:{form}}",)
            else:
                words = (f"{local:{form}}", _day(local))
            before = local.date()
            told.append(Tick(at, words))
        return told


def _day(local: datetime) -> str:
    return f"{local.day} {local:%b}"


def _local(at: float) -> datetime:
    return clock.moment(at).astimezone()


def _narrowest(first: float, last: float, most: int) -> int:
    span = last - first
    for width in _WIDTHS:
        if span / width <= most - 1:
            return width
    return _DAY * -(-int(span) // (_DAY * (most - 1)))


def _edges(first: float, last: float, width: int) -> list[float]:
    """
    What a clock on the wall shows at the ends of bars: 09:10, 09:20, and so on.
    """
    begin = _local(first)
    if width >= _DAY:
        # A day that has 23 or 25 hours is a day.
        edge = datetime.combine(begin.date(), time())
        edges = [edge.astimezone().timestamp()]
        while edges[-1] <= last:
            edge += timedelta(seconds=width)
            edges.append(edge.astimezone().timestamp())
        return edges
    offset = begin.utcoffset() or timedelta()
    ahead = int(offset.total_seconds())
    start = (int(first) + ahead) // width * width - ahead
    bars = int(last - start) // width + 1
    return [float(start + width * i) for i in range(bars + 1)]


@attrs.frozen
class OwnTime:
    """
    The time in which a campaign happened; stamps from outside may say anything.
    """

    first: float
    last: float

    def bins(self, stamps: Iterable[tuple[float, int]], narrowest: int = 1) -> Bins:
        """
        Bars for those of *stamps* that lie inside.

        Args:
            stamps: Moments, and for how many each stands.
            narrowest: The least that a bar is wide, in seconds.
        """
        early, late = self.first - _CLOCKS_DIFFER, self.last + _CLOCKS_DIFFER
        inside = sorted(each for each in stamps if early <= each[0] <= late)
        if not inside:
            return Bins.over(self.first, self.first, narrowest)
        return Bins.over(inside[0][0], _end_of(inside), narrowest)


def _end_of(stamps: Sequence[tuple[float, int]]) -> float:
    """
    The last of *stamps*, unless a few of them would squeeze all others.
    """
    first, last = stamps[0][0], stamps[-1][0]
    left = _FEW * sum(number for _, number in stamps)
    for at, number in reversed(stamps):
        left -= number
        if left < 0:
            return at if last - first > 2 * max(at - first, 1.0) else last
    return last  # pragma: no cover -- some stamp is the last of most
