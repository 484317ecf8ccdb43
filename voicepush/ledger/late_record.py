"""
What a worker knows of a batch and could not record, without the people in it.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

import attrs
import msgspec

from voicepush.ledger.packing import (
    pack_exceptions,
    pack_places,
    pack_transactions,
    unpack_exceptions,
    unpack_places,
    unpack_transactions,
)
from voicepush.masking import mask_numbers, only_count
from voicepush.model.batch import Batch, BatchId
from voicepush.model.claim import Claimed
from voicepush.model.outcome import BatchResult, Outcome, Verdict


class Fate(enum.Enum):
    """
    What became of a late record.
    """

    RECORDED = enum.auto()  #: what it adds is in the ledger
    UNDER_WAY = enum.auto()  #: another worker sends the batch, so it has to wait
    NOT_HERE = enum.auto()  #: its campaign is in another ledger


@attrs.frozen
class LateRecord:
    """
    What became of those whom a worker had claimed, for the day on which it can be
    recorded.
    """

    batch: BatchId
    #: Of the worker that had claimed them.
    token: str
    #: Whom it had claimed.
    places: frozenset[int] = attrs.field(repr=only_count)
    verdict: Verdict
    exceptions: Mapping[int, Verdict] = attrs.field(repr=only_count)
    #: None, one for all, or one per place.
    transaction_ids: tuple[str, ...] = attrs.field(repr=only_count)
    attempts: int

    @classmethod
    def of(cls, claimed: Claimed, result: BatchResult, *, resends: bool) -> LateRecord:
        """
        What *result* says of those who were *claimed*.

        Whoever was to be tried again was not sent: nobody is left who would try. Words
        of the API may hold numbers, which are masked.

        Args:
            resends: Whether those in doubt were to be tried again, too; who is to be
                tried again stays unknown then.
        """

        def kept(verdict: Verdict) -> Verdict:
            outcome, code, description = verdict
            if outcome is Outcome.PENDING and not resends:
                outcome = Outcome.NOT_SENT
            return Verdict(outcome, code, mask_numbers(description))

        places = frozenset(claimed.places)
        return cls(
            result.batch.id,
            claimed.token,
            places,
            kept(result.verdict),
            {
                place: kept(verdict)
                for place, verdict in result.exceptions.items()
                if place in places
            },
            tuple(result.transaction_ids),
            result.attempts,
        )

    def fits(self, batch: Batch) -> bool:
        """
        Whether it may speak of *batch*.
        """
        many = len(batch)
        return (
            max(self.places, default=0) < many
            and max(self.exceptions, default=0) < many
            and len(self.transaction_ids) in (0, 1, many)
        )

    def told(self, batch: Batch, *, is_latest: bool) -> BatchResult:
        """
        What it says of *batch*.

        Args:
            is_latest: Whether nobody else has claimed them since. Else it is of account
                only that they were called, or may have been.
        """
        heard = frozenset(Outcome) if is_latest else _CALLED
        nothing = Verdict(Outcome.PENDING)
        verdicts = []
        for place in range(len(batch)):
            verdict = self.exceptions.get(place, self.verdict)
            speaks = place in self.places and verdict.outcome in heard
            verdicts.append(verdict if speaks else nothing)
        return BatchResult.of_places(
            batch, verdicts, self.transaction_ids, attempts=self.attempts
        )


#: What counts whatever happened since.
_CALLED = frozenset({Outcome.ACCEPTED, Outcome.UNKNOWN})


#: What a column for whole numbers can hold.
_LARGEST = 2**63 - 1

_NOTHING = msgspec.Raw(b"null")


class PackedLateRecord(msgspec.Struct, omit_defaults=True):
    """
    A late record as JSON; each field as it is in a ledger.
    """

    batch: str
    token: str
    places: msgspec.Raw
    outcome: str
    attempts: int
    code: str | None = None
    description: str = ""
    exceptions: msgspec.Raw = _NOTHING
    transactions: msgspec.Raw = _NOTHING


def pack_late(record: LateRecord) -> PackedLateRecord:
    """
    *record* as it is written.
    """
    exceptions = pack_exceptions(record.exceptions)
    transactions = pack_transactions(record.transaction_ids)
    return PackedLateRecord(
        str(record.batch),
        record.token,
        msgspec.Raw(pack_places(record.places) or "[]"),
        record.verdict.outcome.value,
        record.attempts,
        record.verdict.code,
        record.verdict.description,
        _NOTHING if exceptions is None else msgspec.Raw(exceptions),
        _NOTHING if transactions is None else msgspec.Raw(transactions),
    )


def unpack_late(packed: PackedLateRecord) -> LateRecord:
    """
    The record that `pack_late` packed.

    Raises:
        ValueError: It is none.
    """
    tag, _, number = packed.batch.rpartition("-")
    if not 0 <= int(number) <= _LARGEST:
        raise ValueError(number)
    transactions = _column(packed.transactions)
    return LateRecord(
        BatchId(tag, int(number)),
        packed.token,
        unpack_places(bytes(packed.places).decode()),
        Verdict(Outcome(packed.outcome), packed.code, packed.description),
        unpack_exceptions(_column(packed.exceptions)),
        unpack_transactions(None if transactions is None else transactions.decode()),
        packed.attempts,
    )


def _column(packed: msgspec.Raw) -> bytes | None:
    return None if packed == _NOTHING else bytes(packed)
