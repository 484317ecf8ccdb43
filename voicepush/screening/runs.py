"""
Very many integers in little room, and quick to look up.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    #: A column of integers.
    Keys: TypeAlias = npt.NDArray[np.int64] | npt.NDArray[np.int32]
    _Flags: TypeAlias = npt.NDArray[np.bool_]

#: So many new keys are merged with each other at once, until they make a run.
BUFFERED = 16_384

#: So many keys are merged at a time, which takes a fraction of a millisecond.
SLICE = 32_768

#: A run takes up the next one once it is no longer so many times as large. Larger
#: ratios mean fewer runs to look into, and more merging.
_RATIO = 4

#: For so many keys that are added one slice is merged. It takes some ten merges to
#: bring a key to where it stays, so merging is never behind.
_ADDED_PER_SLICE = 2048

#: The bits of the filter: at first, and at least per key.
_FIRST_BITS = 1 << 25
_BITS_PER_KEY = 4


_loaded = threading.Event()


def load() -> None:
    """
    Import what `Integers` needs, which takes a tenth of a second.
    """
    _numpy()
    _loaded.set()


def is_loaded() -> bool:
    """
    Whether that is done.
    """
    return _loaded.is_set()


def _numpy() -> Any:
    # It costs start-up, and only long lists need it.
    import numpy as np  # noqa: PLC0415

    return np


def column(keys: Iterable[int], count: int, *, halved: bool = False) -> Keys:
    """
    *count* integers as a column; *halved*, the lower 32 bits of each.
    """
    numpy = _numpy()
    made: Keys = numpy.fromiter(keys, numpy.int64, count)
    return made.astype(numpy.int32) if halved else made


def parsed(numbers: Sequence[str]) -> Keys:
    """
    The integers that *numbers* say, as a column.
    """
    numpy = _numpy()
    text = "\n".join(numbers)
    made: Keys = numpy.fromstring(text, numpy.int64, sep="\n")
    return made


class Integers:
    """
    A set of 64-bit integers, at about ten bytes each.

    They stand in sorted runs, few and each much smaller than the one before, as in a
    log-structured store. A filter of one bit per key says of most keys that they are
    in none of them. Nothing takes more than a few milliseconds: runs are merged little
    by little.

    Args:
        filtered: Whether to have the filter; without it adding takes less time, and
            looking up more.
        halved: That all keys have 32 bits, so that they take half the room.
        buffered: How many new keys make a run.
        slice_size: How many keys are merged at a time.
    """

    def __init__(
        self,
        *,
        filtered: bool = True,
        halved: bool = False,
        buffered: int = BUFFERED,
        slice_size: int = SLICE,
    ) -> None:
        self._numpy = _numpy()
        self._filter = _Filter(self._numpy) if filtered else None
        self._buffered = buffered
        self._type = self._numpy.int32 if halved else self._numpy.int64
        self._new = self._none()
        self._runs = _Runs(self._numpy, slice_size)

    def __len__(self) -> int:
        return len(self._new) + len(self._runs)

    def found(self, keys: Keys) -> list[int]:
        """
        The places of those of *keys* that are in it.
        """
        if self._filter is None:
            places = self._numpy.arange(len(keys))
        else:
            places = self._filter.may_hold(keys).nonzero()[0]
        some = keys[places]
        # Sorted ones are found in half the time.
        order = some.argsort()
        is_held = self._runs.hold(some[order], self._new)
        places = places[order[is_held]]
        places.sort()
        listed: list[int] = places.tolist()
        return listed

    def add(self, keys: Keys) -> None:
        """
        Put *keys* in, none of which is in it; they are sorted in place.
        """
        keys.sort()
        self._new = self._numpy.concatenate((self._new, keys))
        self._new.sort(kind="stable")  # which sees that these are two sorted parts
        if len(self._new) >= self._buffered:
            self._runs.add(self._new)
            self._new = self._none()
        if self._filter is not None:
            self._filter.add(keys, len(self))
        for _ in range(1 + len(keys) // _ADDED_PER_SLICE):
            self._runs.merge_a_slice()

    def slices(self) -> Iterator[list[int]]:
        """
        All of them, some at a time and sorted in each.
        """
        for run in (self._new, *self._runs.parts()):
            for start in range(0, len(run), SLICE):
                yield run[start : start + SLICE].tolist()

    def _none(self) -> Keys:
        none: Keys = self._numpy.empty(0, self._type)
        return none


class _Filter:
    """
    One bit for each key; of keys whose bit is not set none is there.
    """

    def __init__(self, numpy: Any) -> None:
        self._numpy = numpy
        self._bytes = numpy.zeros(_FIRST_BITS // 8, numpy.uint8)

    def may_hold(self, keys: Keys) -> _Flags:
        at, bit = self._bits(keys)
        is_set: _Flags = (self._bytes[at] & bit) != 0
        return is_set

    def add(self, keys: Keys, total: int) -> None:
        if total * _BITS_PER_KEY > len(self._bytes) * 8:
            # Twice the size means one more bit of each key's position. It is not
            # known of old keys, so both are set: for them the filter gets no better.
            size = len(self._bytes)
            self._bytes.resize(2 * size, refcheck=False)
            self._bytes[size:] = self._bytes[:size]
        at, bit = self._bits(keys)
        self._numpy.bitwise_or.at(self._bytes, at, bit)

    def _bits(self, keys: Keys) -> tuple[Any, Any]:
        numpy = self._numpy
        # The golden ratio spreads numbers that follow each other.
        spread = keys.view(numpy.uint64) * numpy.uint64(0x9E3779B97F4A7C15)
        spread >>= numpy.uint64(29)
        bit = numpy.left_shift(
            numpy.uint8(1), (spread & numpy.uint64(7)).astype(numpy.uint8)
        )
        spread >>= numpy.uint64(3)
        spread &= numpy.uint64(len(self._bytes) - 1)
        return spread.view(numpy.int64), bit


class _Runs:
    """
    Sorted arrays, the oldest and largest first.
    """

    def __init__(self, numpy: Any, slice_size: int) -> None:
        self._numpy = numpy
        self._slice_size = slice_size
        self._runs: list[Keys] = []
        self._merging: _Merging | None = None

    def __len__(self) -> int:
        merging = self._merging
        return sum(map(len, self._runs)) + (merging.size if merging else 0)

    def add(self, run: Keys) -> None:
        self._runs.append(run)

    def hold(self, keys: Keys, new: Keys) -> _Flags:
        """
        Which of *keys*, which are sorted, are in a run or in *new*.
        """
        found: _Flags = self._numpy.zeros(len(keys), bool)
        for run in (new, *self.parts()):
            if len(run):
                found |= run.take(run.searchsorted(keys), mode="clip") == keys
        return found

    def parts(self) -> Iterator[Keys]:
        """
        Sorted arrays with all keys.
        """
        if self._merging is not None:
            yield from self._merging.parts()
        yield from self._runs

    def merge_a_slice(self) -> None:
        if self._merging is None:
            self._begin()
        elif self._merging.go_on():
            self._runs.insert(self._merging.place, self._merging.into)
            self._merging = None

    def _begin(self) -> None:
        runs = self._runs
        for place in range(len(runs) - 2, -1, -1):
            if len(runs[place]) < _RATIO * len(runs[place + 1]):
                into, other = runs[place : place + 2]
                del runs[place : place + 2]
                self._merging = _Merging(
                    self._numpy, place, into, other, self._slice_size
                )
                return


class _Merging:
    """
    Moves one run into another, from the largest keys to the smallest, in place.

    The array of the run that takes the other up is made longer. It then begins with
    what is still to be merged and ends with what is merged, with a gap between them.
    """

    def __init__(
        self, numpy: Any, place: int, into: Keys, other: Keys, slice_size: int
    ) -> None:
        self._numpy = numpy
        self.place = place
        self._slice_size = slice_size
        self._rest = len(into)
        self._other = other
        self._left = len(other)
        self.size = len(into) + len(other)
        # No part of it is held by anyone. The system moves large arrays by remapping
        # their pages, so this takes no time nor room for a copy.
        into.resize(self.size, refcheck=False)
        self.into = into

    def parts(self) -> tuple[Keys, Keys, Keys]:
        """
        Three sorted arrays with all keys.
        """
        return (
            self.into[: self._rest],
            self.into[self._rest + self._left :],
            self._other[: self._left],
        )

    def go_on(self) -> bool:
        """
        Merge one more slice, and say whether it was the last.
        """
        # Gives back the room of what was moved; nobody looks at it now.
        self._other.resize(self._left, refcheck=False)
        rest, _, other = self.parts()
        low = max(0, len(rest) - self._slice_size)
        start = int(other.searchsorted(rest[low])) if low else 0
        if len(other) - start > self._slice_size:
            start = len(other) - self._slice_size
            low = int(rest.searchsorted(other[start]))
        merged = self._numpy.concatenate((rest[low:], other[start:]))
        merged.sort(kind="stable")
        end = self._rest + self._left
        self.into[end - len(merged) : end] = merged
        self._rest, self._left = low, start
        return self._left == 0
