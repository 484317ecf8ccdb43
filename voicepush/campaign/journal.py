"""
A journal that is kept in a ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from voicepush import clock
from voicepush.errors import CampaignLostError, LedgerError
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
from voicepush.sending.journal import StopSignal

#: A record that can't be written is tried again after so many seconds.
_RECORD_AGAIN = 0.5


class LedgerJournal:
    """
    A journal whose every claim and record is durable.

    Args:
        drain: How long the ledger is given to take a record, in seconds.
        look: Is called before each record, and may set the stop signal.
        tell: Hears when the ledger can't be written.
    """

    def __init__(
        self,
        worker: Worker,
        drain: float,
        look: Callable[[], None],
        tell: Callable[[str], object],
    ) -> None:
        self.policy = Policy(
            retry_internal_error=worker.plan.retry_internal_error,
            resend_unknown=worker.plan.resend_unknown,
        )
        self.stop = StopSignal()
        self.longest_wait = worker.longest_wait
        #: By batch, what the ledger knows since it was claimed.
        self.recorded: dict[BatchId, BatchResult] = {}
        #: What went wrong with the ledger, if something did.
        self.failure: LedgerError | None = None
        self._worker = worker
        self._drain = drain
        self._look = look
        self._tell = tell

    async def claim(self, batch: Batch, places: Sequence[int]) -> Claim:
        """
        Let it be sent once the ledger has it.
        """
        if self.stop.is_set:
            return Refused(self.stop.reason or "stopped")
        return await self._worker.claim(batch, places)

    async def record(
        self,
        claimed: Claimed | None,
        result: BatchResult,
        due_at: float | None = None,
    ) -> Record:
        """
        Write down what is known; until that can be done, it is kept in memory.
        """
        self._look()
        # A dispatch that is to end does not wait for ever, and ends this as well.
        while True:
            try:
                record = await self._worker.record(claimed, result, due_at)
                break
            except CampaignLostError:
                raise
            except LedgerError as error:
                if self.failure is None:
                    self._tell(
                        f"{error}. What is answered is kept in memory meanwhile, for "
                        f"at most {self._drain:,.0f} s (--drain)"
                    )
                self.fail(error)
                await clock.sleep(_RECORD_AGAIN)
        if isinstance(record, Superseded):
            self.fail(CampaignLostError(record.reason))
        self.recorded[result.batch.id] = result
        return record

    def fail(self, error: LedgerError) -> None:
        """
        Let nothing else be sent, since the ledger can't take it.
        """
        self.failure = self.failure or error
        self.stop.set(str(error))
