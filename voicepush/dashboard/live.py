"""
Looks at a ledger for all who watch, and keeps for each what is new to them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

import attrs

from voicepush import clock
from voicepush.dashboard.pace import Pace
from voicepush.errors import VoicepushError

#: The parts of a page by name, as they are shown.
Parts = Mapping[str, str]

#: What a page is about: a campaign's name, or None for all of them.
Topic = str | None

#: How long it waits between two looks, in seconds.
_PAUSE = 1.0


class TooManyError(Exception):
    """
    So many watch already that nobody else may.
    """


@attrs.define(eq=False)
class Viewer:
    """
    Someone who watches: what they have not got yet, the newest of each part.
    """

    _watched: _Watched
    _due: dict[str, str] = attrs.field(init=False, factory=dict)
    _news: asyncio.Event = attrs.field(init=False, factory=asyncio.Event)
    #: Whether nothing will come any more.
    is_over: bool = attrs.field(init=False, default=False)

    @property
    def looked_at(self) -> float:
        """
        When it was looked at last, in seconds since 1970; 0 where it was not yet.
        """
        return self._watched.looked_at

    async def news(self, seconds: float) -> Parts:
        """
        What is new since it was asked for last; nothing if that takes longer.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
        due, self._due = self._due, {}
        if not self.is_over:
            self._news.clear()
        return due

    def tell(self, parts: Parts) -> None:
        """
        Let *parts* be what they get next, in place of what these were before.
        """
        self._due |= parts
        self._news.set()

    def end(self) -> None:
        """
        Let nothing come any more.
        """
        self.is_over = True
        self._news.set()


@attrs.define(eq=False)
class _Watched:
    """
    What some watch, and how it looked last.
    """

    topic: Topic
    pace: Pace
    due_at: float
    looked_at: float = 0.0
    viewers: set[Viewer] = attrs.field(factory=set)
    parts: dict[str, str] = attrs.field(factory=dict)

    def show(self, parts: Parts) -> None:
        """
        Tell everyone what is not as it was.
        """
        changed = {
            name: text for name, text in parts.items() if self.parts.get(name) != text
        }
        self.parts |= changed
        if changed:
            for viewer in self.viewers:
                viewer.tell(changed)


class Live:
    """
    One who looks for all: only while someone watches, and seldom enough to cost
    nothing.

    Args:
        look: The parts of a page as they are now.
        tell: The part that says what went wrong where one can't look.
        most: So many may watch at once.
        pause: Between two looks, in seconds, at least.
    """

    def __init__(
        self,
        look: Callable[[Topic], Awaitable[Parts]],
        tell: Callable[[VoicepushError], Parts],
        *,
        most: int,
        pause: float = _PAUSE,
    ) -> None:
        self._look = look
        self._tell = tell
        self._most = most
        self._pause = pause
        self._watched: dict[Topic, _Watched] = {}
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_over = False

    @property
    def viewers(self) -> int:
        """
        How many watch.
        """
        return sum(len(each.viewers) for each in self._watched.values())

    @contextmanager
    def watching(self, topic: Topic) -> Iterator[Viewer]:
        """
        Someone who watches *topic* in this block, and gets all of it first.

        Raises:
            TooManyError: Too many do.
        """
        if self.viewers >= self._most or self._is_over:
            raise TooManyError
        watched = self._watched.get(topic)
        if watched is None:
            watched = self._watched[topic] = _Watched(
                topic, Pace(self._pause), due_at=clock.monotonic()
            )
            self._hurry.set()
        viewer = Viewer(watched)
        watched.viewers.add(viewer)
        if watched.parts:
            viewer.tell(watched.parts)
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        try:
            yield viewer
        finally:
            watched.viewers.discard(viewer)
            if not watched.viewers:
                self._watched.pop(topic, None)
                self._hurry.set()

    async def close(self) -> None:
        """
        Let go of everyone who watches.
        """
        self._is_over = True
        self._end_all()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _end_all(self) -> None:
        for watched in self._watched.values():
            for viewer in watched.viewers:
                viewer.end()

    async def _run(self) -> None:
        try:
            while self._watched:
                watched = min(self._watched.values(), key=lambda each: each.due_at)
                wait = watched.due_at - clock.monotonic()
                if wait > 0:
                    self._hurry.clear()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(wait):
                            await self._hurry.wait()
                    continue
                await self._look_at(watched)
        finally:
            # Who goes on watching nothing would believe it.
            self._end_all()
            self._task = None

    async def _look_at(self, watched: _Watched) -> None:
        before = clock.taken()
        try:
            parts = await self._look(watched.topic)
            watched.looked_at = clock.now()
        except VoicepushError as error:
            parts = self._tell(error)
        pause = watched.pace.pause(clock.taken() - before, len(self._watched))
        watched.due_at = clock.monotonic() + pause
        watched.show(parts)
