"""
Questions that cost much are asked seldom, however many want to know.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import attrs

from voicepush import clock
from voicepush.dashboard.pace import Pace

_T = TypeVar("_T")

#: So many answers are kept.
_MOST = 100


@attrs.define(eq=False)
class _Known(Generic[_T]):
    pace: Pace
    lock: asyncio.Lock = attrs.field(factory=asyncio.Lock)
    answer: _T | None = None
    until: float = 0.0


class Seldom(Generic[_T]):
    """
    Remembers answers for as long as asking again would cost too much.

    Args:
        least: How long an answer holds at least, in seconds.
    """

    def __init__(self, *, least: float) -> None:
        self._least = least
        self._known: dict[Hashable, _Known[_T]] = {}

    async def ask(self, about: Hashable, question: Callable[[], Awaitable[_T]]) -> _T:
        """
        The answer to *question*, or the one before where that still holds.

        Args:
            about: What tells this question from others.
        """
        known = self._known.pop(about, None) or _Known[_T](Pace(self._least))
        # The last to be asked about is the last to be forgotten.
        self._known[about] = known
        if len(self._known) > _MOST:
            del self._known[next(iter(self._known))]
        async with known.lock:
            if known.answer is None or clock.monotonic() >= known.until:
                before = clock.taken()
                known.answer = await question()
                pause = known.pace.pause(clock.taken() - before)
                known.until = clock.monotonic() + pause
            return known.answer
