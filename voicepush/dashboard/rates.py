"""
How fast it went: minutes put together, so that a week fits into one picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from voicepush import clock
from voicepush.model.status import Minute

#: So many bars have room in a picture, and rows in its table.
_MOST_BARS = 90

#: How many minutes a bar may stand for.
_WIDTHS = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440)


class Bar(NamedTuple):
    """
    How a campaign went in one or more minutes.
    """

    #: Their beginning.
    at: datetime
    #: How many recipients were brought further.
    recipients: int
    #: How many requests were refused for speed.
    throttled: int


class Rates(NamedTuple):
    """
    How fast a campaign went.
    """

    #: How many minutes each bar stands for.
    width: int
    bars: Sequence[Bar]

    @property
    def throttled(self) -> int:
        """
        How many requests were refused for speed in all.
        """
        return sum(bar.throttled for bar in self.bars)

    @property
    def most(self) -> Bar:
        """
        The bar in which most were brought further.
        """
        return max(self.bars, key=lambda bar: bar.recipients)


def rates_of(minutes: Sequence[Minute]) -> Rates:
    """
    *minutes* as bars, of which there are no more than have room.
    """
    if not minutes:
        return Rates(1, [])
    first, last = (each.at.timestamp() // 60 for each in (minutes[0], minutes[-1]))
    fit = (each for each in _WIDTHS if last // each - first // each < _MOST_BARS)
    # Longer than that no campaign lasts; what it did in its first days is left out.
    width = next(fit, _WIDTHS[-1])
    found: dict[int, list[int]] = {}
    for each in minutes:
        sums = found.setdefault(int(each.at.timestamp() // 60 // width), [0, 0])
        sums[0] += each.progress.recipients
        sums[1] += each.progress.throttled
    bars = [Bar(clock.moment(60.0 * width * at), *sums) for at, sums in found.items()]
    return Rates(width, bars[-_MOST_BARS:])
