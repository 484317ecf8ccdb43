"""
What a client has begun and not ended: counted, waited for, and cut off.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import timedelta
from math import inf
from typing import Self

import attrs

from voicepush.errors import InputError
from voicepush.model.outcome import BatchResult, Outcome
from voicepush.sending.journal import StopSignal
from voicepush.sources.blocks import Block


@attrs.frozen(kw_only=True)
class Drained:
    """
    What became of those who were under way when a client was closed, in recipients.
    """

    #: Those who had their outcome in time, whatever that is.
    finished: int = 0
    #: Those who were cut off, and were not called.
    not_sent: int = 0
    #: Those who were cut off, and may have been called.
    unknown: int = 0

    @property
    def left(self) -> int:
        """
        How many were cut off.
        """
        return self.not_sent + self.unknown


class Piece:
    """
    One thing that is done: a list, a caller's submission, or a request of some; stands
    around it by ``with``.

    Args:
        stop: Stops it.
        when_cut: Is called when it is cut off.
    """

    def __init__(
        self,
        work: Work,
        stop: StopSignal,
        when_cut: Callable[[], object] = lambda: None,
    ) -> None:
        self._work = work
        self._stop = stop
        self._when_cut = when_cut
        self._reading: asyncio.Timeout | None = None
        #: How many recipients it has taken that have no outcome yet.
        self.in_flight = 0

    def __enter__(self) -> Self:
        self._work.begin(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._work.end(self)

    def taken(self, result: BatchResult) -> None:
        """
        Count those who are to be called.
        """
        size = len(result)
        self.in_flight += size
        self._work.in_flight += size

    def ended(self, result: BatchResult) -> None:
        """
        Count what became of them.
        """
        size = len(result)
        self.in_flight -= size
        self._work.in_flight -= size
        for outcome, number in result.counts().items():
            self._work.counts[outcome] += number

    @property
    def is_cut(self) -> bool:
        """
        Whether it was cut off.
        """
        return self._work.is_cut

    async def reading(
        self, blocks: AsyncIterator[list[Block]]
    ) -> AsyncIterator[list[Block]]:
        """
        Read *blocks* until the piece is cut off, however long they are silent.
        """
        interrupted = False
        while interrupted or not self.is_cut:
            try:
                async with asyncio.timeout(None) as scope:
                    self._reading = scope
                    read = await anext(blocks, None)
            except TimeoutError:
                if not scope.expired():
                    raise
                return
            finally:
                self._reading = None
            if read is None:
                return
            # What comes after an interruption had been read before.
            interrupted = interrupted or scope.expired()
            yield read

    def cut(self, reason: str) -> None:
        """
        Send nothing else of it, and read nothing else.
        """
        self._stop.set(reason)
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.reschedule(asyncio.get_running_loop().time())
        self._when_cut()


class Work:
    """
    The pieces that are under way.
    """

    def __init__(self) -> None:
        #: How many recipients have had each outcome so far.
        self.counts: Counter[Outcome] = Counter()
        #: How many recipients were taken and have no outcome yet.
        self.in_flight = 0
        self._pieces: set[Piece] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._cut_because: str | None = None
        self._counts_when_cut: Counter[Outcome] = Counter()

    @property
    def is_cut(self) -> bool:
        """
        Whether everything was cut off.
        """
        return self._cut_because is not None

    def begin(self, piece: Piece) -> None:
        """
        Count *piece* among them; it is cut off at once where everything is.
        """
        self._pieces.add(piece)
        self._idle.clear()
        if self._cut_because is not None:
            piece.cut(self._cut_because)

    def end(self, piece: Piece) -> None:
        """
        It has ended, also where some of its recipients have no outcome.
        """
        self._pieces.discard(piece)
        self.in_flight -= piece.in_flight
        if not self._pieces:
            self._idle.set()

    async def done(self, within: float | None) -> None:
        """
        Wait until nothing is under way, but no longer than *within* seconds.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._idle.wait()

    def cut(self, reason: str) -> None:
        """
        Cut off all that is under way, and whatever else begins.
        """
        if not self.is_cut:
            self._cut_because = reason
            self._counts_when_cut = self.counts.copy()
        for piece in list(self._pieces):
            piece.cut(reason)

    def drained(self, begun: Counter[Outcome]) -> Drained:
        """
        What became of those who were under way when *begun* had been counted.
        """
        cut_off = self.counts - self._counts_when_cut
        not_sent, unknown = cut_off[Outcome.NOT_SENT], cut_off[Outcome.UNKNOWN]
        ended = (self.counts - begun).total()
        return Drained(
            finished=ended - not_sent - unknown, not_sent=not_sent, unknown=unknown
        )


def drain_seconds(drain: float | timedelta | None) -> float | None:
    """
    *drain* in seconds.

    Raises:
        InputError: It is below 0, or no number.
    """
    seconds = drain.total_seconds() if isinstance(drain, timedelta) else drain
    if seconds is not None and not 0 <= seconds < inf:
        raise InputError(f"drain must be None or at least 0 seconds, not {drain}")
    return seconds
