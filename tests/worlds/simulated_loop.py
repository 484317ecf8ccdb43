"""
An event loop on simulated time, in which processes can die, and stand still.

Nothing waits: where nobody has anything to do, the time jumps to the next timer. Who
goes first among those who could is decided by a seed, so that a run repeats exactly.
"""

from __future__ import annotations

import asyncio
import contextvars
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from heapq import heappop
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, TypeVarTuple, Unpack

import attrs

if TYPE_CHECKING:
    from socket import socket

    from simulated_network import Network

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")

#: In whose name something is done; None where it is the world around the processes.
_PROCESS: contextvars.ContextVar[Process | None] = contextvars.ContextVar(
    "process", default=None
)


class WorldError(AssertionError):
    """
    A world did not go as it must.
    """


@attrs.define(eq=False)
class Process:
    """
    One that can be killed, and stopped as by SIGSTOP, between any two of its steps.
    """

    number: int
    #: After so many steps it dies; None for never.
    dies_after: int | None = None
    #: After so many steps it stands still, for so many seconds each.
    stops: dict[int, float] = attrs.field(factory=dict)
    steps: int = 0
    is_dead: bool = False
    #: Whether nothing of it is left, dead or not.
    has_ended: bool = False
    stopped_until: float = 0.0
    #: What it goes on with after that.
    waiting: list[events.Handle] = attrs.field(factory=list)
    #: Whether it was ever killed or stopped, or its ledger has failed.
    is_troubled: bool = False
    #: Whether a connection may break under a request before any of that has left.
    has_doubtful_connections: bool = False
    #: Kept, or else what is left of them would be run by the garbage collector.
    tasks: list[asyncio.Task[Any]] = attrs.field(factory=list)
    #: Hear that it stands still, and for how many seconds.
    at_stop: list[Callable[[float], object]] = attrs.field(factory=list)
    #: Hear that it died.
    at_death: list[Callable[[], object]] = attrs.field(factory=list)
    context: contextvars.Context = attrs.field(init=False)

    @context.default
    def _make_context(self) -> contextvars.Context:
        context = contextvars.Context()
        context.run(_PROCESS.set, self)
        return context

    def kill(self) -> None:
        """
        Let it do nothing any more, not even tidy up.
        """
        if not self.is_dead:
            self.is_dead = self.is_troubled = True
            for hear in self.at_death:
                hear()


def present_process() -> Process | None:
    """
    In whose name something is done right now.
    """
    return _PROCESS.get()


def in_the_name_of(process: Process | None) -> contextvars.Context:
    """
    A context of its own in which *process* does something.
    """
    context = contextvars.Context()
    context.run(_PROCESS.set, process)
    return context


class _NumberedTask(asyncio.Task[_T]):
    """
    A task whose place in a set does not depend on where it lies in the memory.
    """

    number: int

    def __hash__(self) -> int:
        return self.number


class SimulatedLoop(asyncio.BaseEventLoop):
    """
    An event loop without a clock, sockets and threads of its own.

    Args:
        chance: Decides about everything that real machines leave to chance.
        shuffles: Whether those who are ready go in any order; else in the one in which
            they became so, as asyncio promises.
        most_steps: It fails after so many, since nothing comes to an end then.
    """

    def __init__(
        self, chance: Random, *, shuffles: bool = False, most_steps: int = 400_000
    ) -> None:
        self._present = 1_000.0
        super().__init__()
        self.chance = chance
        self.network: Network | None = None
        self.steps = 0
        #: Whether what another thread would tell is heard at once.
        self.is_instant = False
        #: Why it must not go on.
        self.broken: str | None = None
        self._most_steps = most_steps
        self._shuffles = shuffles
        self._numbers = count(1)
        self._ready: deque[events.Handle] = deque()
        self._scheduled: list[events.TimerHandle] = []
        #: Everyone who did not live to the end.
        self.left_over: list[asyncio.Task[Any]] = []
        self.set_task_factory(self._make_task)
        self.set_exception_handler(self._heard)

    def time(self) -> float:
        """
        Seconds since some moment.
        """
        return self._present

    def _make_task(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, _T] | Generator[Any, None, _T],
        **more: Any,
    ) -> asyncio.Task[_T]:
        number = next(self._numbers)
        _NumberedTask.number = number  # its hash is asked for while it is made
        task: _NumberedTask[_T] = _NumberedTask(
            coroutine,
            loop=loop,
            **more,
        )
        task.number = number
        process = present_process()
        if process is not None:
            process.tasks.append(task)
        self.left_over.append(task)
        return task

    def fail(self, words: str) -> NoReturn:
        """
        End everything, whoever would hear the error.

        Raises:
            WorldError: Always; who swallows it is stopped, too.
        """
        self.broken = self.broken or words
        raise WorldError(words)

    def _heard(self, _: object, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if "callback" in context["message"] and self.broken is None:
            self.broken = f"{type(error).__name__}: {error}"

    def _run_once(self) -> None:
        if self.broken is not None:
            raise WorldError(self.broken)
        scheduled, ready = self._scheduled, self._ready
        while scheduled and scheduled[0]._cancelled:
            heappop(scheduled)._scheduled = False  # type: ignore[attr-defined]
        if not ready:
            if not scheduled:
                raise WorldError("nobody does anything any more, nor ever will")
            self._present = max(self._present, scheduled[0].when())
        while scheduled and scheduled[0].when() <= self._present:
            timer = heappop(scheduled)
            timer._scheduled = False  # type: ignore[attr-defined]
            ready.append(timer)
        turn = list(ready)
        ready.clear()
        if self._shuffles and len(turn) > 1:
            self.chance.shuffle(turn)
        for handle in turn:
            if not handle._cancelled:
                self._step(handle)

    def _step(self, handle: events.Handle) -> None:
        process = handle._context.get(_PROCESS)  # type: ignore[attr-defined]
        if process is not None:
            if process.is_dead:
                return
            if process.stopped_until > self._present:
                process.waiting.append(handle)
                return
            process.steps += 1
            if process.steps == process.dies_after:
                process.kill()
                return
            if (seconds := process.stops.pop(process.steps, None)) is not None:
                self._stop(process, seconds)
                process.waiting.append(handle)
                return
        self.steps += 1
        if self.steps > self._most_steps:
            raise WorldError(f"there is no end after {self._most_steps:,} steps")
        handle._run()

    def _stop(self, process: Process, seconds: float) -> None:
        process.is_troubled = True
        process.stopped_until = self._present + seconds
        for hear in process.at_stop:
            hear(seconds)

        def wake() -> None:
            self._ready.extend(process.waiting)
            process.waiting.clear()

        self.call_at(process.stopped_until, wake, context=contextvars.Context())

    def throw_away(self) -> None:
        """
        Close it, and forget everyone who did not live to the end.
        """
        for task in self.left_over:
            task._log_destroy_pending = False  # type: ignore[attr-defined]
        self.set_exception_handler(lambda *_: None)
        self.close()
        self.left_over.clear()
        self.network = None

    def call_soon_threadsafe(
        self,
        callback: Callable[[Unpack[_Ts]], object],
        *args: *_Ts,
        context: contextvars.Context | None = None,
    ) -> events.Handle:
        """
        The same as `call_soon`: there is one thread.
        """
        if self.is_instant:
            callback(*args)
            return events.Handle(callback, args, self)
        return self.call_soon(callback, *args, context=context)

    def _timer_handle_cancelled(self, handle: events.TimerHandle) -> None:
        """
        It is thrown away when it is its turn.
        """

    def _write_to_self(self) -> None:
        """
        Nobody waits for that.
        """

    def _process_events(self, event_list: object) -> None:
        """
        There are none.
        """

    def run_in_executor(  # type: ignore[override]
        self,
        executor: object,  # noqa: ARG002 -- the world's own chance decides
        func: Callable[..., _T],
        *args: Any,
    ) -> asyncio.Future[_T]:
        """
        Done at some moment soon, in one go.
        """
        answer: asyncio.Future[_T] = self.create_future()

        def work() -> None:
            try:
                value = func(*args)
            except Exception as error:  # noqa: BLE001 -- who waits gets it
                if not answer.done():
                    answer.set_exception(error)
            else:
                if not answer.done():
                    answer.set_result(value)

        self.call_later(self.chance.uniform(0.0, 0.01), work)
        return answer

    async def sock_connect(self, sock: socket, address: object) -> None:  # noqa: ARG002
        """
        Reach the one service that there is.
        """
        assert self.network is not None
        await self.network.connect()

    async def create_connection(  # type: ignore[override]
        self,
        factory: Callable[[], asyncio.Protocol],
        *_: object,
        sock: socket,
        **__: object,
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """
        A connection over the simulated network.
        """
        assert self.network is not None
        sock.close()
        protocol = factory()
        transport = self.network.connection(protocol)
        protocol.connection_made(transport)
        return transport, protocol
