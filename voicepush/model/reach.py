"""
Who is called when, as far as that can be said before: a forecast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

import attrs

from voicepush.model.windows import Windows, opening_first

#: So many changes of windows are looked at, some weeks of two dozen zones; what comes
#: after that is not forecast.
_MOST_STEPS = 2_000

#: People are counted in whole ones, and rates are not: less than that is nobody.
_NOBODY = 1e-6

#: In which time zones someone may live.
Zones = tuple[str, ...]


@attrs.frozen
class Opening:
    """
    Who waits for the same moment.
    """

    #: In seconds since 1970; infinite where no moment of a year is in their windows.
    moment: float
    people: int
    #: All zones in which they may live, first those that open then.
    zones: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Reach:
    """
    Who can be called now, who waits for what, and who can't be called in time.
    """

    #: How many may be called at once.
    open: int
    #: The others, the first ones first.
    waits: Sequence[Opening]
    #: How many can't be called before the message expires, or ever; None where that is
    #: too far ahead to be told.
    unreached: int | None
    #: When the last of the others is called, in seconds since 1970; None where no rate
    #: is known, or it is too far ahead.
    ends: float | None


def reach(
    people: Mapping[Zones, int],
    windows: Windows | None,
    now: float,
    *,
    expires_at: float | None = None,
    rate: float | None = None,
) -> Reach:
    """
    Who of *people* is called when.

    As if they were a fluid: at each moment those whose windows close first go first,
    and all together flow at *rate*. Without one only those are out of reach whose
    windows open after the expiry.

    Args:
        people: How many are left, by the zones in which they may live; none where they
            may be called at any hour.
        rate: In destinations per second.
    """
    left = {zones: float(number) for zones, number in people.items() if number}
    waits: dict[float, list[Zones]] = {}
    at_once = 0
    for zones in left:
        is_open, until = _span(windows, now, zones)
        if is_open:
            at_once += people[zones]
        else:
            waits.setdefault(until, []).append(zones)
    openings = [
        Opening(
            moment,
            sum(people[zones] for zones in waits[moment]),
            _names(windows, moment, waits[moment]),
        )
        for moment in sorted(waits)
    ]
    end = inf if expires_at is None else expires_at
    if rate is None:
        late = sum(each.people for each in openings if each.moment >= end)
        is_over = end <= now
        unreached: int | None = at_once + late if is_over else late
        return Reach(open=at_once, waits=openings, unreached=unreached, ends=None)
    ends = _flow(left, windows, now, end, rate)
    unreached = None if ends is None else round(sum(left.values()))
    return Reach(open=at_once, waits=openings, unreached=unreached, ends=ends)


def _names(
    windows: Windows | None, moment: float, waits: Sequence[Zones]
) -> tuple[str, ...]:
    names = {name for zones in waits for name in zones}
    if windows is None or moment == inf:
        return tuple(sorted(names))
    return opening_first(windows, moment, names)


def _span(windows: Windows | None, now: float, zones: Zones) -> tuple[bool, float]:
    if windows is None or not zones:
        return True, inf
    return windows.at(now, zones)


def _flow(
    left: dict[Zones, float],
    windows: Windows | None,
    now: float,
    end: float,
    rate: float,
) -> float | None:
    """
    Take out of *left* who is called before the *end*; when the last of them is, or None
    if that is too far ahead.
    """
    last = now
    spans = dict.fromkeys(left, (False, now))
    for _ in range(_MOST_STEPS):
        if not left or now >= end:
            return last
        for zones in left:
            if spans[zones][1] <= now:
                spans[zones] = _span(windows, now, zones)
        change = min(end, *(spans[zones][1] for zones in left))
        open_ = [zones for zones in left if spans[zones][0]]
        if not open_ and change == inf:
            return last
        takes = (change - now) * rate
        for zones in sorted(open_, key=lambda each: spans[each][1]):
            served = min(left[zones], takes)
            takes -= served
            left[zones] -= served
            now += served / rate
            if served:
                last = now
            if left[zones] < _NOBODY:
                del left[zones]
        now = change
    return None
