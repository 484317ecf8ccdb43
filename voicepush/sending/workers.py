"""
Many batches by tasks that share one iterator.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from voicepush import clock
from voicepush.masking import mask_numbers
from voicepush.model.outcome import BatchResult
from voicepush.sending.journal import Journal
from voicepush.sending.sender import Sender


class Workers:
    """
    Send everything that is due, and deliver each result when it is there.

    They share one iterator: each takes the next batch when it is free, and nothing is
    read further ahead than that. There are more of them than requests under way, so
    that the next bodies are ready when an answer comes, and a batch that waits for its
    next attempt does not hold up the others.

    Args:
        deliver: Takes each result.
    """

    def __init__(
        self,
        sender: Sender,
        journal: Journal,
        deliver: Callable[[BatchResult], Awaitable[None]],
    ) -> None:
        self._sender = sender
        self._journal = journal
        self._deliver = deliver
        #: How many more may be brought in.
        self._more = 2 * sender.settings.concurrency + 7
        self._errors: list[Exception] = []

    async def run(self, due: AsyncIterator[BatchResult]) -> None:
        """
        Send everything that *due* yields.

        Raises:
            Exception: The first that *due*, the journal or *deliver* raised, after
                everything under way has been recorded.
        """
        shared = Shared(due)
        async with asyncio.TaskGroup() as group:
            await self._work(shared, group)
        if self._errors:
            raise self._errors[0]

    async def _work(self, due: Shared, group: asyncio.TaskGroup) -> None:
        try:
            async for batch in due:
                if self._more:
                    self._more -= 1
                    # Each that finds something to do brings in the next.
                    group.create_task(self._work(due, group))
                await self._deliver(await self._sender.send(batch, self._journal))
                if self._errors:
                    break
        except Exception as error:  # noqa: BLE001 -- raised when all have ended
            self._errors.append(error)
            self._journal.stop.set(mask_numbers(str(error)))


class Shared:
    """
    An async iterator that several tasks may read from, one after the other.

    Each batch is handed out in a turn of its own of the event loop, so that a request
    that is ready leaves before the next one is made, and when many answers come at
    once, everyone else in the process need not wait for as many batches.
    """

    def __init__(self, source: AsyncIterator[BatchResult]) -> None:
        self._source = source
        self._turn = asyncio.Lock()
        self._begun = False

    def __aiter__(self) -> AsyncIterator[BatchResult]:
        return self

    async def __anext__(self) -> BatchResult:
        async with self._turn:
            if self._begun:
                await clock.sleep(0)
            self._begun = True
            return await anext(self._source)
