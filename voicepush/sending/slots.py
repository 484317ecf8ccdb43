"""
So many requests at once, and who goes first where more want to.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Slots:
    """
    A semaphore in which those in a hurry go first.

    A caller who waits for one answer must not stand behind a campaign of millions.
    """

    def __init__(self, number: int) -> None:
        self._free = number
        self._urgent: deque[asyncio.Future[None]] = deque()
        self._usual: deque[asyncio.Future[None]] = deque()

    @property
    def are_taken(self) -> bool:
        """
        Whether the next one has to wait.
        """
        return not self._free

    @asynccontextmanager
    async def one(self, *, urgent: bool = False) -> AsyncGenerator[None, None]:
        """
        Hold one of them for as long as the block lasts.
        """
        await self.take(urgent=urgent)
        try:
            yield
        finally:
            self.give_back()

    async def take(self, *, urgent: bool = False) -> None:
        """
        Wait for one of them, which has to be given back.
        """
        queue = self._urgent if urgent else self._usual
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back()
            raise

    def give_back(self) -> None:
        """
        Let the next one have what was taken.
        """
        for queue in (self._urgent, self._usual):
            while queue:
                turn = queue.popleft()
                if not turn.done():
                    turn.set_result(None)
                    return
        self._free += 1
