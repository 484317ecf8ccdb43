"""
Connections to a real PostgreSQL, whose statements take simulated time, and pools of
them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import psycopg
from psycopg import waiting
from psycopg_pool import PoolClosed, PoolTimeout
from simulated_loop import Process, present_process

if TYPE_CHECKING:
    from simulated_server import SimulatedServer

_T = TypeVar("_T")

#: Who waits for a connection, or for a database that is gone, looks so often.
_LOOKS_EVERY = 0.1

#: A statement under way: how long it waits each time, in seconds.
Steps = Generator[float, None, _T]


class _Simulated:
    """
    What connections of both kinds know.
    """

    server: ClassVar[SimulatedServer]

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        #: Whose it is, and whether it is that of the world, which waits for nothing.
        self.process: Process | None = present_process()
        self.is_instant = self.server.is_instant
        #: What whoever uses it next gets, since it was lost meanwhile.
        self.lost: psycopg.Error | None = None
        #: Whether it is lost as soon as something is durable.
        self.is_lost_after = False


class SimulatedConnection(_Simulated, psycopg.Connection[Any]):
    """
    A connection that threads use.
    """

    @classmethod
    def connect(cls, conninfo: str = "", **named: Any) -> Self:
        """
        Reach the server, if it can be reached.
        """
        cls.server.threads.pause(cls.server.takes())
        cls.server.check_there()
        connection = super().connect(conninfo, **named)
        cls.server.connected(connection)
        return connection

    def wait(self, gen: Generator[Any, Any, _T], *_: object, **__: object) -> _T:
        """
        Let the server do something.
        """
        steps = self.server.steps(self, gen)
        while True:
            try:
                seconds = next(steps)
            except StopIteration as done:
                value: _T = done.value
                return value
            self.server.threads.pause(seconds)


class SimulatedAsyncConnection(_Simulated, psycopg.AsyncConnection[Any]):
    """
    A connection that coroutines use.
    """

    @classmethod
    async def connect(cls, conninfo: str = "", **named: Any) -> Self:
        """
        Reach the server, if it can be reached.
        """
        await asyncio.sleep(cls.server.takes())
        cls.server.check_there()
        connection = await super().connect(conninfo, **named)
        cls.server.connected(connection)
        return connection

    async def wait(self, gen: Generator[Any, Any, _T], *_: object, **__: object) -> _T:
        """
        Let the server do something.
        """
        steps = self.server.steps(self, gen)
        while True:
            try:
                seconds = next(steps)
            except StopIteration as done:
                value: _T = done.value
                return value
            try:
                await asyncio.sleep(seconds)
            except asyncio.CancelledError:
                self.server.statements.give_up(self, gen)
                raise


async def reached_at_once(gen: Any, **_: object) -> Any:
    """
    In place of what waits for a connection to be made.
    """
    return waiting.wait_conn(gen)


class _Pool:
    """
    What pools of both kinds do.
    """

    server: ClassVar[SimulatedServer]

    def __init__(
        self,
        conninfo: str,
        *,
        max_size: int,
        timeout: float,
        configure: Callable[[Any], Any],
        check: Callable[[Any], Any],
        kwargs: dict[str, Any] | None = None,
        **_: object,
    ) -> None:
        self.kwargs = kwargs or {}
        self._conninfo = conninfo
        self._most = max_size
        self._timeout = timeout
        self._configure = configure
        self._check = check
        self._idle: list[Any] = []
        self._made = 0
        self._is_closed = False
        self._is_instant = self.server.is_instant

    def _may_go_on(self, until: float) -> bool:
        """
        Whether a connection may be had now; else it is looked again.
        """
        if self._is_closed:
            raise PoolClosed("the pool is closed")
        is_there = self._is_instant or not self.server.is_gone
        if is_there and (self._idle or self._made < self._most):
            return True
        if self.server.threads.loop.time() >= until:
            raise PoolTimeout("couldn't get a connection")
        return False

    def _taken_back(self, connection: Any) -> bool:
        """
        Whether *connection* can be used again.
        """
        if connection.closed or self._is_closed:
            self._made -= 1
            return False
        self._idle.append(connection)
        return True


class SimulatedPool(_Pool):
    """
    In place of a pool whose connections threads use.
    """

    def open(self) -> None:
        """
        Nothing is there to be done.
        """

    def getconn(self, timeout: float) -> SimulatedConnection:
        """
        A connection that works.
        """
        loop = self.server.threads.loop
        until = loop.time() + timeout
        while True:
            if not self._may_go_on(until):
                self.server.threads.pause(_LOOKS_EVERY)
                continue
            try:
                connection = self._one()
                self._check(connection)  # new ones as well, as the real pool does
            except psycopg.OperationalError:
                self._made -= 1
            else:
                return connection

    def _one(self) -> SimulatedConnection:
        if self._idle:
            idle: SimulatedConnection = self._idle.pop()
            return idle
        self._made += 1
        if self._is_instant:
            with self.server.instantly():
                return self._new()
        return self._new()

    def _new(self) -> SimulatedConnection:
        connection = self.server.connection.connect(self._conninfo, **self.kwargs)
        self._configure(connection)
        connection.execute(self.server.path)
        connection._pool = self  # type: ignore[assignment]  # or `with` would close it
        return connection

    def putconn(self, connection: SimulatedConnection) -> None:
        """
        Take it back.
        """
        if not self._taken_back(connection):
            connection.close()

    def close(self) -> None:
        """
        Close all that is not used.
        """
        self._is_closed = True
        while self._idle:
            self._idle.pop().close()


class SimulatedAsyncPool(_Pool):
    """
    In place of a pool whose connections coroutines use.
    """

    async def open(self, *, wait: bool = False) -> None:
        """
        Nothing is there to be done.
        """

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[SimulatedAsyncConnection]:
        """
        A connection for as long as the block lasts.
        """
        connection = await self._getconn()
        try:
            async with connection:
                yield connection
        finally:
            if not self._taken_back(connection):
                await connection.close()

    async def _getconn(self) -> SimulatedAsyncConnection:
        until = self.server.threads.loop.time() + self._timeout
        while True:
            if not self._may_go_on(until):
                await asyncio.sleep(_LOOKS_EVERY)
                continue
            try:
                connection = await self._one()
                await self._check(connection)
            except psycopg.OperationalError:
                self._made -= 1
            except asyncio.CancelledError:
                self._made -= 1
                raise
            else:
                return connection

    async def _one(self) -> SimulatedAsyncConnection:
        connection: SimulatedAsyncConnection
        if self._idle:
            connection = self._idle.pop()
            return connection
        self._made += 1
        make = self.server.async_connection.connect
        connection = await make(self._conninfo, **self.kwargs)
        configured: Awaitable[None] = self._configure(connection)
        await configured
        await connection.execute(self.server.path)
        connection._pool = self  # type: ignore[assignment]  # see above
        return connection

    async def close(self) -> None:
        """
        Close all that is not used.
        """
        self._is_closed = True
        while self._idle:
            await self._idle.pop().close()
