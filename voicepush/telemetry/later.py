"""
Events are handed on a few at a time.
"""

from __future__ import annotations

import asyncio
import atexit
from contextvars import Context, copy_context

from voicepush.model.events import (
    AttemptMade,
    BatchRecorded,
    Event,
    Observer,
    Observers,
)

#: So many wait at most, and no longer than so many seconds. To write about many at
#: once takes half the time of writing about each when it comes, since nothing of what
#: that needs is in the processor's caches by then. So few hold up nobody for long.
_MOST = 32
_SECONDS = 0.5


class Later:
    """
    An observer that lets others hear of attempts and batches a little later, in the
    surroundings in which those happened; of anything else at once.

    Args:
        hearing: Who hears of them.
    """

    def __init__(self, *hearing: Observer) -> None:
        self._hearing = [Observers(each) for each in hearing]
        self._waiting: list[tuple[Context, Event]] = []
        self._timer: asyncio.TimerHandle | None = None
        # A process may end without taking it back.
        atexit.register(self.hand_on)

    def __call__(self, event: Event) -> None:
        """
        Keep it for a moment.
        """
        self._waiting.append((copy_context(), event))
        can_wait = isinstance(event, AttemptMade | BatchRecorded)
        if not can_wait or len(self._waiting) >= _MOST:
            self.hand_on()
        elif self._timer is None:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                self.hand_on()
            else:
                self._timer = loop.call_later(_SECONDS, self.hand_on)

    def hand_on(self) -> None:
        """
        Let everything be heard that waits.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, []
        for hearing in self._hearing:
            for surroundings, event in waiting:
                surroundings.run(hearing.tell, event)

    def close(self) -> None:
        """
        Hand on what is left, and be forgotten.
        """
        self.hand_on()
        atexit.unregister(self.hand_on)
