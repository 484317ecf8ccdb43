"""
A journal that is kept in a ledger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from voicepush import clock
from voicepush.errors import CampaignLostError, LedgerError
from voicepush.ledger.late_record import LateRecord
from voicepush.ledger.opening import span_of
from voicepush.ledger.protocol import Worker
from voicepush.model.batch import Batch, BatchId
from voicepush.model.claim import (
    Claim,
    Claimed,
    Policy,
    Record,
    Refused,
    Superseded,
)
from voicepush.model.outcome import BatchResult
from voicepush.model.windows import Span
from voicepush.sending.journal import StopSignal

if TYPE_CHECKING:
    from voicepush.campaign.unrecorded import Unrecorded

#: A record that can't be written is tried again after so many seconds.
_RECORD_AGAIN = 0.5

#: One that waits for so long, in seconds, is kept on the disk meanwhile.
KEPT_AFTER = 3.0


class LedgerJournal:
    """
    A journal whose every claim and record is durable.

    Args:
        drain: How long the ledger is given to take a record, in seconds.
        look: Is called before each record, and may set the stop signal.
        tell: Hears when the ledger can't be written.
        unrecorded: Keeps what can't be recorded for long; None where the ledger has no
            late records.
    """

    def __init__(
        self,
        worker: Worker,
        drain: float,
        look: Callable[[], None],
        tell: Callable[[str], object],
        unrecorded: Unrecorded | None = None,
    ) -> None:
        self.policy = Policy(
            retry_internal_error=worker.plan.retry_internal_error,
            resend_unknown=worker.plan.resend_unknown,
        )
        self.stop = StopSignal()
        self.longest_wait = worker.longest_wait
        #: When people may be called, as the ledger said last.
        self.windows = worker.plan.windows
        #: By batch, what the ledger knows since it was claimed.
        self.recorded: dict[BatchId, BatchResult] = {}
        #: What went wrong with the ledger, if something did.
        self.failure: LedgerError | None = None
        self._worker = worker
        self._drain = drain
        self._look = look
        self._tell = tell
        self._unrecorded = unrecorded

    def span(self, batch: Batch) -> Span:
        """
        Whether its people may be called now, and until when that stays so.
        """
        return span_of(self.windows, batch.group, clock.now())

    async def claim(self, batch: Batch, places: Sequence[int]) -> Claim:
        """
        Let it be sent once the ledger has it.
        """
        if self.stop.is_set:
            return Refused(self.stop.reason or "stopped")
        claim = await self._worker.claim(batch, places)
        if isinstance(claim, Refused) and claim.is_over:
            self.stop.set(claim.reason)
        return claim

    async def record(
        self,
        claimed: Claimed | None,
        result: BatchResult,
        due_at: float | None = None,
    ) -> Record:
        """
        Write down what is known; until that can be done, it is kept.
        """
        self._look()
        if self._unrecorded is None or claimed is None:
            record = await self._record(claimed, result, due_at)
        else:
            record = await self._record_or_keep(
                self._unrecorded, claimed, result, due_at
            )
        if isinstance(record, Superseded):
            self.fail(CampaignLostError(record.reason))
        self.recorded[result.batch.id] = result
        return record

    async def _record_or_keep(
        self,
        unrecorded: Unrecorded,
        claimed: Claimed,
        result: BatchResult,
        due_at: float | None,
    ) -> Record:
        """
        Record it; where that takes long, or is given up, it is kept on the disk.
        """
        resends = self.policy.resend_unknown
        at = unrecorded.begin(partial(LateRecord.of, claimed, result, resends=resends))
        loop = asyncio.get_running_loop()
        waiting = loop.call_later(KEPT_AFTER, unrecorded.keep, at)
        try:
            record = await self._record(claimed, result, due_at)
        except BaseException:
            unrecorded.leave(at)
            raise
        finally:
            waiting.cancel()
        unrecorded.recorded(at)
        return record

    async def _record(
        self, claimed: Claimed | None, result: BatchResult, due_at: float | None
    ) -> Record:
        # A dispatch that is to end does not wait for ever, and ends this as well.
        while True:
            try:
                return await self._worker.record(claimed, result, due_at)
            except CampaignLostError:
                raise
            except LedgerError as error:
                if self.failure is None:
                    self._tell(f"{error}. {self._how_it_is_kept}")
                self.fail(error)
                await clock.sleep(_RECORD_AGAIN)

    @property
    def _how_it_is_kept(self) -> str:
        if self._unrecorded is None or self._unrecorded.folder is None:
            return (
                "What is answered is kept in memory meanwhile, for at most "
                f"{self._drain:,.0f} s (--drain)"
            )
        return (
            "What is answered is recorded when it is back; it is kept in "
            f"{self._unrecorded.folder} meanwhile"
        )

    def fail(self, error: LedgerError) -> None:
        """
        Let nothing else be sent, since the ledger can't take it.
        """
        self.failure = self.failure or error
        self.stop.set(str(error))
