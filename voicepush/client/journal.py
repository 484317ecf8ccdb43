"""
What a list on its way has between its requests and their answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import attrs

from voicepush.model.batch import Batch
from voicepush.model.claim import Claim, Claimed, Policy, Record
from voicepush.model.outcome import BatchResult, Outcome, Summary, Verdict
from voicepush.sending.journal import ForgetfulJournal


@attrs.define
class _Known:
    """
    What is known of a batch, and which of its places are under way.
    """

    result: BatchResult
    claimed: Sequence[int] = ()


class ListJournal(ForgetfulJournal):
    """
    A journal that remembers batches until they are delivered, so that those of them
    whom nobody waits for any more have an outcome, too.
    """

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        #: Set while nothing is between a request and its delivery.
        self.idle = asyncio.Event()
        self.idle.set()
        #: By the number of the batch: a client has one counter for all.
        self._known: dict[int, _Known] = {}
        self._claimed: set[int] = set()

    def begin(self, due: BatchResult) -> None:
        """
        Remember a batch that is read.
        """
        self._known[due.batch.id.number] = _Known(due)

    async def claim(self, batch: Batch, places: Sequence[int]) -> Claim:
        """
        Let it pass, and remember who may be called by now.
        """
        claim = await super().claim(batch, places)
        if isinstance(claim, Claimed):
            number = batch.id.number
            self._known[number].claimed = claim.places
            self._claimed.add(number)
            self.idle.clear()
        return claim

    async def record(
        self,
        claimed: Claimed | None,
        result: BatchResult,
        due_at: float | None = None,
    ) -> Record:
        """
        Remember what an answer said.
        """
        known = self._known[result.batch.id.number]
        known.result, known.claimed = result, ()
        return await super().record(claimed, result, due_at)

    def delivered(self, result: BatchResult) -> None:
        """
        Forget it.
        """
        number = result.batch.id.number
        self._known.pop(number, None)
        self._claimed.discard(number)
        if not self._claimed:
            self.idle.set()

    def abandon(self, reason: str, summary: Summary) -> None:
        """
        Count those in *summary* who are not delivered: who may have been called is
        unknown, and who was not tried is not sent.
        """
        for known in self._known.values():
            summary.add(_abandoned(known, reason))
        self._known.clear()
        self._claimed.clear()
        self.idle.set()


def _abandoned(known: _Known, reason: str) -> BatchResult:
    result, claimed = known.result, set(known.claimed)
    verdicts = list(map(result.at, range(len(result.batch.recipients))))
    for place, verdict in enumerate(verdicts):
        if verdict.outcome is Outcome.PENDING:
            outcome = Outcome.UNKNOWN if place in claimed else Outcome.NOT_SENT
            verdicts[place] = Verdict(outcome, None, reason)
    return BatchResult.of_places(
        result.batch,
        verdicts,
        result.transaction_ids,
        attempts=result.attempts + bool(claimed),
    )
