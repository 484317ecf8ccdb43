"""
Finds batches for receipts, and remembers those that were asked for lately.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from threading import Lock
from typing import TypeVar

import msgspec

from voicepush.ledger.packing import unpack_transactions
from voicepush.ledger.placing import Column, Seat, Seats, is_named_so, whose
from voicepush.ledger.sql.index import batches_with
from voicepush.ledger.sql.store import DRAFT, Connection
from voicepush.model.batch import BatchId
from voicepush.model.call import Report

_K = TypeVar("_K")
_V = TypeVar("_V")

#: A campaign and the number of a batch.
Key = tuple[int, int]

#: So many batches are remembered, of about 20 KB each where names are looked for.
_MOST_BATCHES = 256

#: So many of the owner's ids are remembered, of about 150 bytes each.
_MOST_IDS = 100_000

#: So many calls are remembered by the platform's name for them.
_MOST_CALLS = 50_000


class Books:
    """
    The batches of a store, for one connection at a time.
    """

    def __init__(self) -> None:
        self._connection: Connection
        self._lock = Lock()
        self._campaigns: dict[str, int] = {}
        self._published: set[int] = set()
        self._seats: dict[Key, Seats[Key]] = {}
        #: The owner's ids in the batches that were looked into lately: receipts of who
        #: were called together mostly come together.
        self._ids: dict[str, Key] = {}
        self._looked_into: dict[Key, int] = {}
        #: By transaction id and recipient, as the platform wrote them.
        self._calls: dict[tuple[str, str], tuple[Key, Seat]] = {}

    @contextmanager
    def opened(self, connection: Connection) -> Iterator[None]:
        """
        Look into the store through *connection*, and let others wait meanwhile.
        """
        with self._lock:
            self._connection = connection
            yield

    def place(self, report: Report) -> tuple[Key, Seat] | None:
        """
        The batch and the recipient that *report* is about, if its names tell.
        """
        call = (report.transaction_id, report.recipient)
        if not report.correlation_id and not report.callback_data:
            known = self._calls.get(call)
            if known is not None:
                return known
        found = whose(report, self)
        if found is not None and report.transaction_id:
            _remember(self._calls, call, found, _MOST_CALLS)
        return found

    def batch(self, batch: BatchId) -> Seats[Key] | None:
        """
        The batch of that id, in a campaign that is planned.
        """
        campaign = self._campaigns.get(batch.tag)
        if campaign is None:
            row = self._connection.execute(
                "SELECT id FROM campaign WHERE tag = ? AND state != ?",
                (batch.tag, DRAFT),
            ).fetchone()
            if row is None:
                return None
            campaign = self._campaigns[batch.tag] = row["id"]
        return self._seats_in((campaign, batch.number))

    def batches_with(self, value: str) -> Iterator[Seats[Key]]:
        """
        The batches in which *value*, or an owner's correlation id, may stand.
        """
        lately = self._ids.get(value)
        if lately is not None and (seats := self._seats_in(lately)) is not None:
            yield seats
        for key in sorted(batches_with(self._connection, value)):
            seats = self._seats_in(key) if self._is_published(key[0]) else None
            if seats is not None:
                self._note_ids(seats)
                yield seats

    def has_transaction(self, key: Key, seat: Seat, transaction_id: str) -> bool:
        """
        Whether the platform has called the call of *seat* so, in an answer or in a
        receipt that named its recipient.
        """
        execute = self._connection.execute
        (packed,) = execute(
            "SELECT transactions FROM batch WHERE campaign = ? AND number = ?", key
        ).fetchone()
        known = unpack_transactions(packed)
        if known and is_named_so(
            known[seat.place if len(known) > 1 else 0], transaction_id
        ):
            return True
        row = execute(
            "SELECT transactions, expired_as FROM call "
            "WHERE campaign = ? AND number = ? AND recipient = ?",
            (*key, seat.recipient),
        ).fetchone()
        names = map(unpack_transactions, row or ())
        return any(transaction_id in each for each in names)

    def _is_published(self, campaign: int) -> bool:
        if campaign not in self._published:
            row = self._connection.execute(
                "SELECT 1 FROM campaign WHERE id = ? AND state != ?", (campaign, DRAFT)
            ).fetchone()
            if row is None:
                return False
            self._published.add(campaign)
        return True

    def _seats_in(self, key: Key) -> Seats[Key] | None:
        seats = self._seats.get(key)
        if seats is None:
            row = self._connection.execute(
                "SELECT size, widths FROM batch JOIN recipients "
                "USING (campaign, number) WHERE campaign = ? AND number = ?",
                key,
            ).fetchone()
            if row is None:
                return None
            packed = row["widths"]
            widths = packed and msgspec.json.decode(packed, type=list[int])
            seats = Seats(key, row["size"], widths, partial(self._columns, key))
            _remember(self._seats, key, seats, _MOST_BATCHES)
        return seats

    def _columns(self, key: Key) -> tuple[Column, Column | None]:
        packed, ids = self._connection.execute(
            "SELECT packed, ids FROM recipients WHERE campaign = ? AND number = ?", key
        ).fetchone()
        return Column(packed), None if ids is None else Column(ids)

    def _note_ids(self, seats: Seats[Key]) -> None:
        """
        Remember the owner's ids in a batch that was looked into a second time.
        """
        times = self._looked_into.get(seats.key, 0) + 1
        _remember(self._looked_into, seats.key, times, _MOST_BATCHES)
        if times == 2:  # noqa: PLR2004 -- once may be chance
            if len(self._ids) >= _MOST_IDS:
                self._ids.clear()
                self._looked_into.clear()
            self._ids.update(dict.fromkeys(seats.own_ids(), seats.key))


def _remember(known: dict[_K, _V], key: _K, value: _V, most: int) -> None:
    """
    Let *key* be known, and the one that is known the longest be forgotten.
    """
    if len(known) >= most and key not in known:
        del known[next(iter(known))]
    known[key] = value
