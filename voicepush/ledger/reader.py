"""
What a ledger answers, whatever it is kept in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from voicepush.ledger.plan import Fingerprint, Plan
from voicepush.ledger.silence import Silent
from voicepush.model.batch import BatchId
from voicepush.model.call import Call, ReceiptCounts, Report
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.model.overview import Snapshot, Timeline
from voicepush.model.recipients import Kind
from voicepush.model.status import (
    CampaignStatus,
    HistoryEntry,
    Lookup,
    Minute,
    UnknownBatch,
)


class CalledBatch(NamedTuple):
    """
    People of one batch who were called, or may have been.
    """

    #: When they were last claimed, in seconds since 1970.
    at: float
    kind: Kind
    values: Sequence[str]


class LedgerReader(Protocol):
    """
    The half of a ledger that changes nothing.
    """

    async def campaigns(self) -> list[CampaignStatus]:
        """
        All campaigns, the newest last.
        """
        ...

    async def status(self, campaign: str) -> CampaignStatus | None:
        """
        Where *campaign* stands, or None if there is no such campaign.
        """
        ...

    async def plan(self, campaign: str) -> Plan | None:
        """
        What *campaign* is, or None if there is no such campaign.
        """
        ...

    async def fingerprint(self, campaign: str) -> Fingerprint | None:
        """
        What *campaign*'s source was like when it was planned, where that is known.
        """
        ...

    async def lookup(self, value: str) -> list[Lookup]:
        """
        What is known of *value*: an msisdn in its normal form, a customer id, or a
        correlation id.
        """
        ...

    async def history(self, campaign: str) -> list[HistoryEntry]:
        """
        What was done to *campaign* by whom, the oldest first.
        """
        ...

    async def minutes(self, campaign: str) -> list[Minute]:
        """
        How *campaign* went in each minute in which a worker was at work.
        """
        ...

    async def timeline(self, campaign: str) -> Timeline:
        """
        What happened when in *campaign*, at one moment.
        """
        ...

    async def pending_by_zones(self, campaign: str) -> dict[tuple[str, ...], int]:
        """
        How many of *campaign* are pending, by the time zones in which they may live.
        """
        ...

    async def reasons(self, campaign: str) -> Counter[Verdict]:
        """
        How many recipients of *campaign* have which verdict, with numbers masked in its
        words; nobody who is pending, in flight or suppressed.
        """
        ...

    async def snapshot(self, campaign: str) -> Snapshot:
        """
        All of `status`, `timeline`, `reasons`, `unknown`, `receipt_counts` and
        `history`, at one moment, so that their sums agree.
        """
        ...

    def results(
        self, campaign: str, outcomes: Collection[Outcome]
    ) -> AsyncIterator[BatchResult]:
        """
        The batches of *campaign* in which someone has one of *outcomes*.
        """
        ...

    async def calls(self, batch: BatchId) -> Mapping[int, Call]:
        """
        What receipts say of the calls of *batch*, by recipient, counted from 0 in it.
        """
        ...

    async def unknown(self, campaign: str) -> list[UnknownBatch]:
        """
        The batches of *campaign* whose recipients are unknown and not given up.
        """
        ...

    async def whose(self, reports: Sequence[Report]) -> list[Lookup | None]:
        """
        What is known of those whom the names in each of *reports* stand for, where they
        tell; nothing is applied.
        """
        ...

    async def receipt_counts(self) -> ReceiptCounts:
        """
        What was received, and what is kept aside.
        """
        ...

    async def heard_for(self, campaign: str, seconds: int) -> int:
        """
        How many calls of *campaign* were picked up and lasted at least so many
        *seconds* from then on, as far as their receipts tell.
        """
        ...

    def silent(
        self, campaign: str, *, claimed_before: float, asked_before: float
    ) -> AsyncIterator[Silent]:
        """
        The batches of *campaign* in which calls are silent: accepted, with a
        transaction id, and not ended as far as is known.

        Args:
            claimed_before: Only batches that were last claimed before that moment, in
                seconds since 1970.
            asked_before: Only calls that were last asked about before that moment, if
                at all; see `Ledger.note_asked`.
        """
        ...

    async def now(self) -> float:
        """
        Seconds since 1970, by a clock that all who use the ledger share; claims are
        timed by it.
        """
        ...

    def called(
        self, since: float, *, besides: Collection[str] = ()
    ) -> AsyncIterator[CalledBatch]:
        """
        Who was claimed *since* that moment, in seconds since 1970, in any campaign,
        and is accepted, unknown or in flight; but not whose call has expired before the
        platform offered it.

        Args:
            besides: The names of campaigns that do not count.
        """
        ...

    def some_called(
        self, campaign: str, *, people: int, batches: int
    ) -> AsyncIterator[CalledBatch]:
        """
        The same of some batches of *campaign* that are spread evenly over it: with
        about as many *people* at most, and at most about as many *batches*.
        """
        ...
