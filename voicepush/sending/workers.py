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


async def send_all(
    sender: Sender,
    due: AsyncIterator[BatchResult],
    journal: Journal,
    deliver: Callable[[BatchResult], Awaitable[None]],
) -> None:
    """
    Send everything that *due* yields, and *deliver* each result when it is there.

    The workers share the iterator: each takes the next batch when it is free, and
    nothing is read further ahead than that. There are more of them than requests
    under way, so that the next bodies are ready when an answer comes, and a batch
    that waits for its next attempt does not hold up the others.

    Raises:
        Exception: The first that *due*, *journal* or *deliver* raised, after
            everything under way has been recorded.
    """
    shared = Shared(due)
    errors: list[Exception] = []
    idle = 2 * sender.settings.concurrency + 8

    async def work() -> None:
        nonlocal idle
        try:
            async for batch in shared:
                if idle:
                    # Each worker that finds something to do brings in the next.
                    idle -= 1
                    workers.create_task(work())
                await deliver(await sender.send(batch, journal))
                if errors:
                    break
        except Exception as error:  # noqa: BLE001 -- raised below
            errors.append(error)
            journal.stop.set(mask_numbers(str(error)))

    async with asyncio.TaskGroup() as workers:
        idle -= 1
        await work()
    if errors:
        raise errors[0]


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
