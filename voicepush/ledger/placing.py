"""
Whose receipt it is: the names in it lead to a recipient of a batch.

A name is believed as far as it goes: a correlation id or the id of a batch was made up
for one request; a number alone, which anyone may have, names nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Generic, NamedTuple, Protocol, TypeVar

from voicepush.ledger.packing import unpack_texts
from voicepush.model.batch import BatchId
from voicepush.model.call import Report

_Key = TypeVar("_Key")


class Seat(NamedTuple):
    """
    One recipient of a batch.
    """

    #: Of its destination, as everywhere.
    place: int
    #: Among the recipients of the batch, counted from 0; the same where every
    #: destination has one.
    recipient: int


class Column:
    """
    Texts in one column, among which one can be found quickly.
    """

    def __init__(self, packed: str | bytes) -> None:
        self._lines = f"\n{packed}\n" if isinstance(packed, str) else None
        self._texts = [] if isinstance(packed, str) else unpack_texts(packed)

    def find(self, text: str) -> int | None:
        """
        Where *text* stands first.
        """
        if self._lines is None:
            return self._texts.index(text) if text in self._texts else None
        at = -1 if "\n" in text else self._lines.find(f"\n{text}\n")
        return None if at < 0 else self._lines.count("\n", 0, at)

    def at(self, place: int) -> str:
        """
        What stands at *place*.
        """
        return self.texts()[place]

    def texts(self) -> list[str]:
        """
        All of them.
        """
        return self._texts if self._lines is None else self._lines[1:-1].split("\n")


class Seats(Generic[_Key]):
    """
    Who is in one batch, as it is needed to find someone in it.
    """

    def __init__(
        self,
        key: _Key,
        size: int,
        widths: list[int] | None,
        load: Callable[[], tuple[Column, Column | None]],
    ) -> None:
        self.key = key
        self._size = size
        #: Gives the values and the owner's ids, which are not always needed.
        self._load = load
        #: For each recipient the place of its destination, where that is not the same.
        self._places = (
            None
            if widths is None
            else [place for place, width in enumerate(widths) for _ in range(width)]
        )

    @cached_property
    def _columns(self) -> tuple[Column, Column | None]:
        return self._load()

    def seat(self, recipient: int) -> Seat:
        """
        The seat of *recipient*.
        """
        place = recipient if self._places is None else self._places[recipient]
        return Seat(place, recipient)

    def at(self, place: int, names: Iterable[str]) -> Seat | None:
        """
        Who sits at *place*; of several the one that has one of *names*.
        """
        if self._places is None:
            return Seat(place, place) if place < self._size else None
        there = [at for at, each in enumerate(self._places) if each == place]
        if len(there) > 1:
            wanted = frozenset(names)
            there = [at for at in there if self._columns[0].at(at) in wanted]
        return Seat(place, there[0]) if there else None

    def with_id(self, correlation_id: str, names: Iterable[str]) -> Seat | None:
        """
        Who has that *correlation_id* of its owner's.
        """
        _, ids = self._columns
        place = ids.find(correlation_id) if ids and correlation_id else None
        return None if place is None else self.at(place, names)

    def own_ids(self) -> list[str]:
        """
        The owner's ids in it.
        """
        _, ids = self._columns
        return [] if ids is None else [each for each in ids.texts() if each]

    def with_value(self, names: Iterable[str]) -> Seat | None:
        """
        Who has one of *names*.
        """
        values, _ = self._columns
        for name in names:
            found = values.find(name)
            if found is not None:
                return self.seat(found)
        return None


class Books(Protocol[_Key]):
    """
    Where batches are found.
    """

    def batch(self, batch: BatchId) -> Seats[_Key] | None:
        """
        The batch of that id, in a campaign that is planned.
        """
        ...

    def batches_with(self, value: str) -> Iterator[Seats[_Key]]:
        """
        The batches in which *value*, or an owner's correlation id, may stand.
        """
        ...

    def has_transaction(self, key: _Key, seat: Seat, transaction_id: str) -> bool:
        """
        Whether the platform has called the call of *seat* so.
        """
        ...


def names_of(recipient: str) -> tuple[str, ...]:
    """
    How *recipient* may be written in a ledger: a number may have lost its plus.
    """
    if not recipient.isascii() or not recipient.isdigit():
        return (recipient,) if recipient else ()
    return (recipient, f"+{recipient.removeprefix('00')}")


def whose(report: Report, books: Books[_Key]) -> tuple[_Key, Seat] | None:
    """
    The batch and the recipient that *report* is about, if its names tell.
    """
    names, own_id = names_of(report.recipient), report.correlation_id
    if ours := BatchId.parse(own_id):
        seats = books.batch(ours[0])
        seat = seats and seats.at(ours[1], names)
        if seats and seat:
            return seats.key, seat
    for name in (report.callback_data, own_id):
        batch = BatchId.named(name)
        seats = batch and books.batch(batch)
        seat = seats and (seats.with_id(own_id, names) or seats.with_value(names))
        if seats and seat:
            return seats.key, seat
    if own_id:
        for found in books.batches_with(own_id):
            if seat := found.with_id(own_id, names):
                return found.key, seat
    if report.transaction_id:
        return _by_transaction(report.transaction_id, names, books)
    return None


def _by_transaction(
    transaction_id: str, names: Iterable[str], books: Books[_Key]
) -> tuple[_Key, Seat] | None:
    for name in names:
        for found in books.batches_with(name):
            seat = found.with_value([name])
            if seat and books.has_transaction(found.key, seat, transaction_id):
                return found.key, seat
    return None


def is_named_so(known: str, transaction_id: str) -> bool:
    """
    Whether the id *known* of a request or a call stands for *transaction_id*: the
    calls of one request may be called as it, with a number behind.
    """
    if not known or not transaction_id.startswith(known):
        return False
    rest = transaction_id[len(known) :]
    return not rest or (rest[0] == "_" and rest[1:].isdigit())
