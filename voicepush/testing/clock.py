"""
A clock that a test moves, for the client, the ledger and the stand-in alike.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import Context
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TypeVar

from voicepush import clock
from voicepush.simulator.clock import Clock

_T = TypeVar("_T")

#: Everyone gets turns, of a moment each, until nothing has happened in so many of them:
#: what is on its way between two sockets arrives meanwhile. Where something happens all
#: the time, that has an end, too.
_A_MOMENT = 0.001
_QUIET_TURNS = 10
_MOST_TURNS = 100


class VoiceClock(Clock):
    """
    The true time, until a test moves it.

    Moved are voicepush's own clocks, that of the stand-in, and the timers of the
    event loop: whoever sleeps until then wakes up. The clock of the process
    (``time.time()``) is left alone.
    """

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._passed = 0.0
        self._set_by = 0.0
        self._loops: list[asyncio.AbstractEventLoop] = []
        self._fixed: asyncio.AbstractEventLoop | None = None
        #: How much has happened in those loops; our own turns, too.
        self._happened = 0

    def now(self) -> float:
        """
        Seconds since 1970, by the clock on the wall.
        """
        return time.time() + self._passed + self._set_by

    def monotonic(self) -> float:
        """
        Seconds that only ever become more.
        """
        return time.monotonic() + self._passed

    @property
    def moment(self) -> datetime:
        """
        What time it is, in UTC.
        """
        return datetime.fromtimestamp(self.now(), UTC)

    @property
    def passed(self) -> timedelta:
        """
        How much time has passed since the test began: what it took, and what it was
        moved by.
        """
        return timedelta(seconds=self.monotonic() - self._began)

    def set(self, moment: datetime) -> None:
        """
        Set the clock on the wall to *moment*, forward or back; no time passes by that.

        Raises:
            ValueError: *moment* has no time zone.
        """
        if moment.tzinfo is None:
            raise ValueError(f"{moment} has no time zone; give one, such as UTC")
        self._set_by += moment.timestamp() - self.now()

    def move(self, by: timedelta) -> None:
        """
        Let so much time pass, without a turn for anyone; for tests that are not async.

        Raises:
            ValueError: Time can't pass backwards.
            RuntimeError: The timers of the event loop can't be moved, as uvloop's.
        """
        if by < timedelta(0):
            raise ValueError("time does not pass backwards; set() sets the clock back")
        if self._fixed is not None:
            whose = type(self._fixed).__module__
            raise RuntimeError(
                f"the timers of {whose} can't be moved; let this test run on asyncio's "
                "own event loop"
            )
        self._passed += by.total_seconds()
        for loop in self._loops:
            # It may be waiting for something that is due by now.
            loop.call_soon_threadsafe(_nothing)

    async def advance(self, by: timedelta) -> None:
        """
        Let so much time pass, and whoever waited for that go on.

        Everything that is under way meanwhile takes as long: a request whose answer
        has not come within its time-out has none.

        Raises:
            ValueError: Time can't pass backwards.
            RuntimeError: The timers of the event loop can't be moved, as uvloop's.
        """
        self.move(by)
        await self.settle()

    async def settle(self) -> None:
        """
        Let everyone go on until nothing happens any more unless time passes.
        """
        quiet = 0
        for _ in range(_MOST_TURNS):
            before = self._happened
            await asyncio.sleep(_A_MOMENT)
            # This task itself was woken up.
            quiet = quiet + 1 if self._happened - before <= 1 else 0
            if quiet == _QUIET_TURNS:
                return

    async def hurry(
        self,
        what: Awaitable[_T],
        *,
        step: timedelta = timedelta(seconds=5),
        at_most: timedelta = timedelta(days=1),
    ) -> _T:
        """
        Wait for *what*, and give what it gives; time passes in steps, each as soon as
        nothing happens any more without that.

        Raises:
            TimeoutError: It is not done when *at_most* has passed.
        """
        task = asyncio.ensure_future(what)
        end = self._passed + at_most.total_seconds()
        try:
            await self.settle()
            while not task.done():
                if self._passed >= end:
                    raise TimeoutError(f"it is not done after {at_most}")
                await self.advance(step)
            return await task
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait([task])

    @contextmanager
    def moving(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """
        Let voicepush live by this clock, and the timers of *loop*.
        """
        source = SimpleNamespace(
            time=self.now,
            monotonic=self.monotonic,
            process_time=time.process_time,
            sleep=time.sleep,
        )
        with ExitStack() as stack:
            _replace(stack, clock, "time", source)
            if isinstance(loop, asyncio.BaseEventLoop):
                true = loop.time
                _replace(stack, loop, "time", lambda: true() + self._passed)
                _replace(stack, loop, "call_soon", self._noting(loop.call_soon))
            else:
                # Its timers do not ask for its time. That matters only if the test
                # moves the clock.
                self._fixed = loop
            self._loops.append(loop)
            stack.callback(self._loops.remove, loop)
            yield

    def _noting(
        self, call_soon: Callable[..., asyncio.Handle]
    ) -> Callable[..., asyncio.Handle]:
        """
        *call_soon*, by which a loop is told of everything that goes on.
        """

        def noting(*what: object, context: Context | None = None) -> asyncio.Handle:
            self._happened += 1
            return call_soon(*what, context=context)

        return noting


def _replace(stack: ExitStack, owner: object, name: str, value: object) -> None:
    there = vars(owner).get(name)
    setattr(owner, name, value)
    if there is None:
        stack.callback(delattr, owner, name)
    else:
        stack.callback(setattr, owner, name, there)


def _nothing() -> None:
    pass
