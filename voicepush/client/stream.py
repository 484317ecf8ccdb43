"""
Results while they come.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from voicepush.model.outcome import BatchResult, RecipientsError, Summary


class Stream:
    """
    The results of `Client.stream`, one `BatchResult` after the other.
    """

    def __init__(self) -> None:
        #: What became of everyone so far, read or not.
        self.summary = Summary()
        self._results: asyncio.Queue[BatchResult | None] = asyncio.Queue()
        # One place: a reader who is slower than the service slows the sending down.
        self._has_room = asyncio.Event()
        self._is_hurried = False
        self._left = False
        self._error: BaseException | None = None

    def __aiter__(self) -> AsyncIterator[BatchResult]:
        return self

    async def __anext__(self) -> BatchResult:
        result = None if self._left else await self._results.get()
        self._has_room.set()
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
        await self._put(result)

    async def end(self, error: BaseException | None) -> None:
        """
        Nothing else will come.
        """
        if isinstance(error, RecipientsError):
            error.summary = self.summary
        self._error = error
        await self._put(None)

    def hurry(self) -> None:
        """
        Wait for the reader no more: what is still to come is kept until it is read.
        """
        self._is_hurried = True
        self._has_room.set()

    def leave(self) -> None:
        """
        The reader wants no more; who waits for a place may go on.
        """
        self._left = True
        self._has_room.set()
        while not self._results.empty():
            self._results.get_nowait()

    async def _put(self, result: BatchResult | None) -> None:
        while not (self._left or self._is_hurried or self._results.empty()):
            self._has_room.clear()
            await self._has_room.wait()
        if not self._left:
            self._results.put_nowait(result)
