"""
Who stands in which batch: sorted runs of entries, each a short key and a number.

A key is 31 bits of a hash of a value or an owner's correlation id, so it may lead to a
batch without it, once in two hundred searches among ten million. Who searches
looks into each batch that it leads to.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from voicepush.ledger.packing import PackedRecipients, unpack_texts
from voicepush.model.recipients import Recipients

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: A run holds about so many values: more take longer to sort at one go, fewer make more
#: runs to search.
RUN = 2**19

#: More runs than that are merged into one, since each has to be searched.
MOST_RUNS = 4

#: So many entries are read at once in a search.
PAGE = 2048

#: Below so many values numpy's import takes longer than it saves, and below so many its
#: calls do where it is imported already.
_FEW_TO_IMPORT = 2**14

_FEW = 2**9

#: So many characters are hashed at once.
_TOGETHER = 2**18

#: Entries are below that.
_ENTRIES = 2**63

_WORD = 8
_FACTOR = 0x9E37_79B9_7F4A_7C15
_64_BITS = 2**64 - 1


class Column(NamedTuple):
    """
    A column of a batch as `pack_recipients` packs it.
    """

    number: int  #: of the batch
    packed: str | bytes
    size: int


class Unsorted:
    """
    Columns that wait to become a run.
    """

    def __init__(self) -> None:
        self._columns: list[Column] = []
        self._size = 0

    def add(
        self, number: int, recipients: Recipients, packed: PackedRecipients
    ) -> None:
        """
        Take in who stands in the batch called *number*.
        """
        self._columns.append(Column(number, packed.packed, recipients.size))
        if packed.ids is not None:
            self._columns.append(Column(number, packed.ids, len(recipients)))
        self._size += recipients.size

    def take(self, *, last: bool = False) -> list[Column]:
        """
        All of them, if they are enough for a run or no more will come; otherwise none.
        """
        if self._size < RUN and not last:
            return []
        taken, self._columns, self._size = self._columns, [], 0
        return taken


def sorted_pages(columns: Sequence[Column]) -> Iterator[tuple[int, memoryview]]:
    """
    The entries of *columns* in order, as pages with the first entry of each.
    """
    lines = [each for each in columns if isinstance(each.packed, str)]
    others = [each for each in columns if isinstance(each.packed, bytes)]
    entries = array("q", _entries_one_by_one(others))
    few = _FEW if "numpy" in sys.modules else _FEW_TO_IMPORT
    if sum(column.size for column in lines) < few:
        entries.extend(_entries_one_by_one(lines))
        entries = array("q", sorted(entries))
    else:
        entries = _sorted_by_numpy(lines, entries)
    firsts = entries[::PAGE]
    if sys.byteorder == "big":
        entries.byteswap()
    view = memoryview(entries).cast("B")
    for place, first in enumerate(firsts):
        start = place * PAGE * _WORD
        yield first, view[start : start + PAGE * _WORD]


def merged_pages(
    pages: Sequence[bytes], least: int, greatest: int
) -> Iterator[tuple[int, bytes]]:
    """
    The entries of *pages* of several runs from *least* to *greatest*, in order, as
    pages of one run.
    """
    import numpy as np  # noqa: PLC0415 -- see _sorted_by_numpy

    entries = np.concatenate([np.frombuffer(page, "<i8") for page in pages])
    entries = entries[(entries >= least) & (entries <= greatest)]
    entries.sort()
    for start in range(0, len(entries), PAGE):
        page = entries[start : start + PAGE]
        yield int(page[0]), page.tobytes()


def parts(number: int) -> Iterator[tuple[int, int]]:
    """
    The least and the greatest entry of each of a *number* of parts of all entries.

    Keys are hashes, so about as many entries lie in each.
    """
    bounds = [_ENTRIES * part // number for part in range(number + 1)]
    for least, end in pairwise(bounds):
        yield least, end - 1


def bounds(value: str) -> tuple[int, int]:
    """
    The least and the greatest entry that *value* may have.
    """
    least = _key(value) << 32
    return least, least | 0xFFFF_FFFF


def numbers_in(page: bytes, least: int, greatest: int) -> set[int]:
    """
    The numbers of the batches whose entries in *page* lie between those two.
    """
    entries = array("q", page)
    if sys.byteorder == "big":
        entries.byteswap()
    hits = entries[bisect_left(entries, least) : bisect_right(entries, greatest)]
    return {entry & 0xFFFF_FFFF for entry in hits}


def entry_of(value: str, number: int) -> int:
    """
    The entry by which *value* leads to the batch of that *number*.
    """
    return _key(value) << 32 | number


def without_entry(page: bytes, entry: int) -> list[tuple[int, bytes]] | None:
    """
    *page* without one *entry*, as pages with the first entry of each, of which there is
    one at most; None if that is not in it.
    """
    entries = array("q", page)
    if sys.byteorder == "big":
        entries.byteswap()
    if entry not in entries:
        return None
    entries.remove(entry)
    left = entries[:1].tolist()
    if sys.byteorder == "big":
        entries.byteswap()
    return [(first, entries.tobytes()) for first in left]


def sum_of(pages: Iterable[bytes | memoryview]) -> tuple[int, int]:
    """
    How many entries are in *pages*, and a sum by which those are told from others, in
    whatever order they come.
    """
    import numpy as np  # noqa: PLC0415 -- see _sorted_by_numpy

    number = total = 0
    for page in pages:
        entries = np.frombuffer(page, "<u8")
        number += len(entries)
        # Mixed first, so that no change of two can make up for each other.
        total += int(_mixed(_mixed(entries, 0, np), 0, np).sum(dtype=np.uint64))
    return number, total & _64_BITS


def is_in_order(page: bytes, first: int, last: int) -> bool:
    """
    Whether the entries of *page* are sorted, begin with *first*, and none of them is
    below *last*, the greatest of the page before.
    """
    entries = array("q", page)
    if sys.byteorder == "big":
        entries.byteswap()
    return (
        bool(entries)
        and entries[0] == first >= last
        and all(one <= other for one, other in pairwise(entries))
    )


def greatest_in(page: bytes) -> int:
    """
    The last entry of *page*.
    """
    return int.from_bytes(page[-_WORD:], "little", signed=True)


def _entries_one_by_one(columns: Iterable[Column]) -> Iterator[int]:
    for number, packed, _ in columns:
        for text in unpack_texts(packed):
            if text:
                yield _key(text) << 32 | number


def _key(text: str) -> int:
    """
    The key of *text*; written into ledgers, so it must never change.

    Eight bytes at a time, since numpy does that quickly for many texts.
    """
    raw = text.encode()
    found = len(raw)
    for start in range(0, len(raw), _WORD):
        found ^= int.from_bytes(raw[start : start + _WORD], "little")
        found = found * _FACTOR & _64_BITS
        found ^= found >> 32
    return (found * _FACTOR & _64_BITS) >> 33


def _sorted_by_numpy(columns: Sequence[Column], others: array[int]) -> array[int]:
    """
    The entries of *columns*, which are lines, and *others*.
    """
    # It costs a tenth of a second, which small campaigns need not pay.
    import numpy as np  # noqa: PLC0415

    # Memory that is new costs more than what is done with it here, so there is little.
    entries = others + array("q", [0]) * sum(column.size for column in columns)
    view, end = np.frombuffer(entries, np.int64), len(others)
    for together in _some_at_a_time(columns):
        found = _entries_of(together, np)
        view[end : end + len(found)] = found
        end += len(found)
    view[:end].sort()
    del view
    del entries[end:]
    return entries


def _some_at_a_time(columns: Sequence[Column]) -> Iterator[list[Column]]:
    together: list[Column] = []
    size = 0
    for column in columns:
        together.append(column)
        size += len(column.packed)
        if size >= _TOGETHER:
            yield together
            together, size = [], 0
    if together:
        yield together


def _entries_of(columns: Sequence[Column], np: Any) -> NDArray[np.int64]:
    """
    What `_entries_one_by_one` gives, in numpy's way.
    """
    text = "\n".join([str(column.packed) for column in columns])
    # A word may be read at the end of each line.
    raw = np.frombuffer(f"{text}\n".encode() + bytes(_WORD), np.uint8)
    numbers = np.repeat(
        np.array([column.number for column in columns], np.uint64),
        [column.size for column in columns],
    )
    size, length = len(numbers), len(text.partition("\n")[0].encode())
    ends = raw[length : len(raw) - _WORD : length + 1]
    # Numbers of one country mostly have one length.
    if len(ends) == size and (ends == ord("\n")).all():
        lengths = np.full(size, length)
        found = _hashes_of_one_length(raw, size, length, np)
    else:
        ends = np.flatnonzero(raw == ord("\n"))
        lengths = np.diff(ends, prepend=-1) - 1
        found = _hashes_of_any_length(raw, ends, lengths, np)
    found *= np.uint64(_FACTOR)
    found >>= np.uint64(33)
    found <<= np.uint64(32)
    found |= numbers
    entries: NDArray[np.int64] = found.view(np.int64)
    return entries if lengths.all() else entries[lengths > 0]


def _hashes_of_one_length(raw: Any, size: int, length: int, np: Any) -> Any:
    found = np.full(size, length, np.uint64)
    for start in range(0, length, _WORD):
        words = np.ndarray(size, "<u8", raw, start, (length + 1,))
        found = _mixed(found, words & _masks(np)[min(length - start, _WORD)], np)
    return found


def _hashes_of_any_length(raw: Any, ends: Any, lengths: Any, np: Any) -> Any:
    words = np.ndarray(len(raw) - _WORD + 1, "<u8", raw, 0, (1,))
    masks, starts = _masks(np), ends - lengths
    found = lengths.astype(np.uint64)
    for start in range(0, lengths.max(), _WORD):
        # Who ends before keeps what was found.
        longer = np.flatnonzero(lengths > start)
        left = np.minimum(lengths[longer] - start, _WORD)
        word = words[starts[longer] + start] & masks[left]
        found[longer] = _mixed(found[longer], word, np)
    return found


def _masks(np: Any) -> Any:
    """
    By how many bytes are to be kept of a word.
    """
    return np.array([(1 << 8 * size) - 1 for size in range(_WORD + 1)], np.uint64)


def _mixed(found: Any, word: Any, np: Any) -> Any:
    found = (found ^ word) * np.uint64(_FACTOR)
    found ^= found >> np.uint64(32)
    return found


class Places:
    """
    In which of many columns a text may stand: very many texts, found quickly.
    """

    def __init__(self, few: int = 2**18) -> None:
        self._most = few
        self._few: dict[int, list[int]] = {}
        self._size = 0
        #: Runs that are sorted by the first of their two rows: hashes, and columns.
        self._many: list[NDArray[np.int64]] = []

    def __bool__(self) -> bool:
        return bool(self._few or self._many)

    def add(self, column: int, texts: Iterable[str]) -> None:
        """
        Let *texts* stand in *column*.
        """
        for key in map(hash, texts):
            self._few.setdefault(key, []).append(column)
            self._size += 1
        if self._size <= self._most:
            return
        # In a dictionary each takes ten times as much.
        import numpy as np  # noqa: PLC0415

        pairs = [(key, at) for key, columns in self._few.items() for at in columns]
        self._many.append(np.array(pairs, np.int64).T)
        self._few, self._size = {}, 0
        if len(self._many) > _RUNS:
            self._many = [np.concatenate(self._many, axis=1)]
        last = self._many[-1]
        self._many[-1] = last[:, last[0].argsort(kind="stable")]

    def find(self, texts: Sequence[str]) -> dict[int, list[int]]:
        """
        By column, the places of those of *texts* that may stand in it.
        """
        found: dict[int, list[int]] = {}
        keys = list(map(hash, texts))
        for place, key in enumerate(keys):
            for column in self._few.get(key, ()):
                found.setdefault(column, []).append(place)
        for hashes, columns in self._many:
            begins = hashes.searchsorted(keys, "left")
            ends = hashes.searchsorted(keys, "right")
            for place in (begins < ends).nonzero()[0].tolist():
                for column in columns[begins[place] : ends[place]].tolist():
                    found.setdefault(column, []).append(place)
        return found


#: So many sorted runs are searched one after the other.
_RUNS = 8
