"""
Results while they come.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncIterator,
    Sequence,
)

from voicepush.model.batch import Batch, BatchId
from voicepush.model.claim import Claim, Claimed, Policy
from voicepush.model.outcome import BatchResult, RecipientsError, Summary
from voicepush.sending.journal import ForgetfulJournal


class CountingJournal(ForgetfulJournal):
    """
    A journal that knows whether anything is between it and its answer.
    """

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self.idle = asyncio.Event()
        self.idle.set()
        self._claimed: set[BatchId] = set()

    async def claim(self, batch: Batch, places: Sequence[int]) -> Claim:
        """
        Let it pass, and remember it until its batch has been delivered.
        """
        claim = await super().claim(batch, places)
        if isinstance(claim, Claimed):
            self._claimed.add(batch.id)
            self.idle.clear()
        return claim

    def delivered(self, result: BatchResult) -> None:
        """
        Forget it.
        """
        self._claimed.discard(result.batch.id)
        if not self._claimed:
            self.idle.set()


class Stream:
    """
    The results of `Client.stream`, one `BatchResult` after the other.
    """

    def __init__(self) -> None:
        #: What became of everyone so far, read or not.
        self.summary = Summary()
        # One place: a reader who is slower than the service slows the sending down.
        self._results: asyncio.Queue[BatchResult | None] = asyncio.Queue(maxsize=1)
        self._left = False
        self._error: BaseException | None = None

    def __aiter__(self) -> AsyncIterator[BatchResult]:
        return self

    async def __anext__(self) -> BatchResult:
        result = None if self._left else await self._results.get()
        if result is not None:
            return result
        self.leave()
        if self._error is not None:
            raise self._error
        raise StopAsyncIteration

    def count(self, result: BatchResult) -> None:
        """
        Count *result*, whether it will be read or not.
        """
        self.summary.add(result)

    async def hand_over(self, result: BatchResult) -> None:
        """
        Give *result* to the reader, if there is still one.
        """
        if not self._left:
            await self._results.put(result)

    async def end(self, error: BaseException | None) -> None:
        """
        Nothing else will come.
        """
        if isinstance(error, RecipientsError):
            error.summary = self.summary
        self._error = error
        if not self._left:
            await self._results.put(None)

    def leave(self) -> None:
        """
        The reader wants no more; who waits for a place may go on.
        """
        self._left = True
        while not self._results.empty():
            self._results.get_nowait()
