"""
Threads that take turns on simulated time, and stop where they wait for something.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from random import Random
from types import SimpleNamespace
from typing import Any, NamedTuple, TypeVar

from greenlet import GreenletExit, getcurrent, greenlet  # type: ignore[import-untyped]
from simulated_loop import SimulatedLoop, in_the_name_of, present_process

_T = TypeVar("_T")

#: Who waits for others looks so often, in seconds.
_LOOKS_EVERY = 0.05


class _Waited(NamedTuple):
    """
    Who of those that were waited for has ended.
    """

    done: set[Future[Any]]
    not_done: set[Future[Any]]


class Threads:
    """
    Every thread of every process of a world.
    """

    def __init__(self, loop: SimulatedLoop, chance: Random) -> None:
        self.loop = loop
        self._chance = chance
        self._main = getcurrent()
        #: Kept, or else the garbage collector would end those of the dead.
        self._begun: list[greenlet] = []
        self._is_instant = False
        self._is_over = False

    @property
    def library(self) -> SimpleNamespace:
        """
        In place of asyncio, as far as it knows of threads.
        """
        return SimpleNamespace(wrap_future=self._wrapped, to_thread=self._apart)

    @contextmanager
    def instantly(self) -> Iterator[None]:
        """
        Whoever is made meanwhile is waited for by nobody: their work is done at once.
        """
        self._is_instant = True
        try:
            yield
        finally:
            self._is_instant = False

    @property
    def present(self) -> int:
        """
        Which thread it is that asks.
        """
        return id(getcurrent())

    def executor(self, most: int, _: str) -> Executor:
        """
        So many threads that work for one object.
        """
        return Executor(self, most, is_instant=self._is_instant)

    def lock(self) -> Lock:
        """
        What one thread at a time can hold.
        """
        return Lock(self)

    def begin(self, work: Callable[[], object]) -> None:
        """
        Let *work* be done in a thread of its own, in the name of who wants it.
        """
        if self._is_over:
            return
        thread = greenlet(work, parent=self._main)
        process = present_process()
        thread.gr_context = in_the_name_of(process)
        self._begun.append(thread)
        self.loop.call_later(
            self._chance.random() ** 4 * 0.01,
            thread.switch,
            context=in_the_name_of(process),
        )

    def pause(self, seconds: float) -> None:
        """
        Let everyone else go on for so many *seconds*; whoever can't wait does not.
        """
        thread = getcurrent()
        if self._is_over:
            raise GreenletExit
        if thread is not self._main:
            context = in_the_name_of(present_process())
            self.loop.call_later(seconds, thread.switch, context=context)
            self._main.switch()

    def end(self) -> None:
        """
        End those who did not live to the end, or are those of the dead.
        """
        self._is_over = True
        for thread in self._begun:
            if thread and not thread.dead:
                thread.throw(GreenletExit)
        self._begun.clear()

    def wait(
        self, futures: Collection[Future[Any]], timeout: float | None = None
    ) -> _Waited:
        """
        Wait until all *futures* are done.
        """
        until = None if timeout is None else self.loop.time() + timeout
        while not all(each.done() for each in futures):
            if until is not None and self.loop.time() >= until:
                break
            self.pause(_LOOKS_EVERY)
        done = {each for each in futures if each.done()}
        return _Waited(done, set(futures) - done)

    def _wrapped(self, future: Future[_T]) -> asyncio.Future[_T]:
        if not future.done():
            return asyncio.wrap_future(future)
        # Who asks goes on at once.
        answer: asyncio.Future[_T] = self.loop.create_future()
        error = future.exception()
        if error is None:
            answer.set_result(future.result())
        else:
            answer.set_exception(error)
        return answer

    async def _apart(self, work: Callable[..., _T], *args: Any) -> _T:
        future: Future[_T] = Future()
        self.begin(partial(_do, future, partial(work, *args)))
        return await asyncio.wrap_future(future)


class Lock:
    """
    Held by one thread at a time; the others look again and again.
    """

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._is_held = False

    def __enter__(self) -> None:
        while self._is_held:
            self._threads.pause(_LOOKS_EVERY)
        self._is_held = True

    def __exit__(self, *_: object) -> None:
        self._is_held = False


class Executor:
    """
    At most so many threads at a time, in the order in which they were asked for.
    """

    def __init__(self, threads: Threads, most: int, *, is_instant: bool) -> None:
        self._threads = threads
        self._most = most
        self._is_instant = is_instant
        self._busy = 0
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()

    def submit(self, work: Callable[..., _T], *args: Any) -> Future[_T]:
        """
        Let *work* be done.
        """
        future: Future[_T] = Future()
        if self._is_instant:
            _do(future, partial(work, *args))
        else:
            self._waiting.append((future, partial(work, *args)))
            self._go_on()
        return future

    def shutdown(self) -> None:
        """
        Wait until all is done.
        """
        while self._busy or self._waiting:
            self._threads.pause(_LOOKS_EVERY)

    def _go_on(self) -> None:
        while self._waiting and self._busy < self._most:
            future, work = self._waiting.popleft()
            if future.set_running_or_notify_cancel():
                self._busy += 1
                self._threads.begin(partial(self._run, future, work))

    def _run(self, future: Future[_T], work: Callable[[], _T]) -> None:
        try:
            _do(future, work)
        finally:
            self._busy -= 1
            self._go_on()


def _do(future: Future[_T], work: Callable[[], _T]) -> None:
    try:
        value = work()
    except Exception as error:  # noqa: BLE001 -- who waits gets it
        future.set_exception(error)
    else:
        future.set_result(value)
