"""
In which time zones a number may be.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from operator import itemgetter

#: Up to where in a number most numbers tell of their zones.
_HEAD = 5

_HEAD_OF = itemgetter(slice(1, _HEAD))

#: Old spellings in that data, and how everyone spells them by now.
_RENAMED = {
    "Africa/Asmera": "Africa/Asmara",
    "America/Buenos_Aires": "America/Argentina/Buenos_Aires",
    "America/Godthab": "America/Nuuk",
    "Asia/Calcutta": "Asia/Kolkata",
    "Asia/Katmandu": "Asia/Kathmandu",
    "Asia/Rangoon": "Asia/Yangon",
    "Asia/Saigon": "Asia/Ho_Chi_Minh",
    "Atlantic/Faeroe": "Atlantic/Faroe",
    "Pacific/Ponape": "Pacific/Pohnpei",
    "Pacific/Truk": "Pacific/Chuuk",
}

#: Stands where that is not far enough.
_DEEPER = ("",)

#: So many digits tell of the zones of nearly all others.
_MORE = 7

#: What the numbering plans' data says of numbers that are nowhere.
_NOWHERE = "Etc/Unknown"


def zones_of(number: str) -> tuple[str, ...]:
    """
    The names of the time zones in which *number*, in normal form, may be by the data of
    *phonenumbers*: those of its longest known prefix. None where that tells of none.

    A mobile number may be anywhere, whatever its area code says.
    """
    zones, longest = _zones()
    for end in range(longest + 1, 1, -1):
        found = zones.get(number[1:end])
        if found is not None:
            return () if found == (_NOWHERE,) else found
    return ()


def places_by_zones(numbers: Sequence[str]) -> dict[tuple[str, ...], list[int]]:
    """
    The places of *numbers* in their order, by the zones in which they may be.
    """
    known, end = _heads(), _HEAD
    places: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    # Each list passes here, so that all is done in one loop.
    for place, number in enumerate(numbers):
        places[known[number[1:end]]].append(place)
    if deeper := places.pop(_DEEPER, ()):
        for place in deeper:
            places[known.further(numbers[place])].append(place)
        for found in places.values():
            found.sort()
    return places


def zones_of_all(numbers: Sequence[str]) -> list[tuple[str, ...]]:
    """
    The zones of each of *numbers*. Equal zones are one object.
    """
    known = _heads()
    found = list(map(known.__getitem__, map(_HEAD_OF, numbers)))
    if _DEEPER in set(found):
        for place, zones in enumerate(found):
            if zones is _DEEPER:
                found[place] = known.further(numbers[place])
    return found


class _Heads(dict[str, tuple[str, ...]]):
    """
    The zones of numbers by their first digits; `_DEEPER` where it takes more than
    these.
    """

    def __init__(self) -> None:
        super().__init__()
        zones, longest = _zones()
        self._deeper = {prefix[: _HEAD - 1] for prefix in zones if len(prefix) >= _HEAD}
        self._same: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._tail = longest + 1
        #: By as many digits as are enough for nearly all of the others; the few that
        #: need yet more are looked up each time, since hardly one comes twice.
        self._further: dict[str, tuple[str, ...]] = {}
        self._deepest = {prefix[:_MORE] for prefix in zones if len(prefix) > _MORE}

    def __missing__(self, head: str) -> tuple[str, ...]:
        found = _DEEPER if head in self._deeper else self._one(f"+{head}")
        self[head] = found
        return found

    def further(self, number: str) -> tuple[str, ...]:
        """
        The zones of *number*, for which its first digits are not enough.
        """
        start = number[1 : 1 + _MORE]
        found = self._further.get(start)
        if found is not None:
            return found
        if start in self._deepest:
            return self._one(number[: self._tail])
        self._further[start] = found = self._one(f"+{start}")
        return found

    def _one(self, number: str) -> tuple[str, ...]:
        found = zones_of(number)
        return self._same.setdefault(found, found)


_heads = cache(_Heads)


@cache
def _zones() -> tuple[dict[str, tuple[str, ...]], int]:
    # Only here is it needed, and it takes a moment to load.
    from phonenumbers.tzdata import (  # noqa: PLC0415
        TIMEZONE_DATA,
        TIMEZONE_LONGEST_PREFIX,
    )

    zones = {
        prefix: tuple(_RENAMED.get(name, name) for name in names)
        for prefix, names in TIMEZONE_DATA.items()
    }
    return zones, TIMEZONE_LONGEST_PREFIX
