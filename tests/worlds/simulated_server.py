"""
A ledger in a real PostgreSQL, whose clock is the world's: statements of several
processes take turns on simulated time, and connections are lost before a commit, or
after it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from random import Random
from types import SimpleNamespace
from typing import Any, TypeVar
from unittest import mock

import procrastinate
import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus
from real_server import address, clock_file
from setups import BEGINNING, Setup
from simulated_connections import (
    SimulatedAsyncConnection,
    SimulatedAsyncPool,
    SimulatedConnection,
    SimulatedPool,
    Steps,
    reached_at_once,
)
from simulated_disk import PIDS, instantly, no_namespace, pid_of, started_long_ago
from simulated_loop import Process, SimulatedLoop, in_the_name_of, present_process
from simulated_statements import Statements
from simulated_threads import Threads

from voicepush.ledger.postgres import store
from voicepush.ledger.postgres.address import Address
from voicepush.ledger.postgres.ledger import PostgresLedger
from voicepush.ledger.postgres.schema import make_tables
from voicepush.ledger.sql import books, tokens

_T = TypeVar("_T")

#: Where the tables of a world are.
SCHEMA = "world"

#: Every moment that the server tells is that of the world, which stands in a file: to
#: tell it with each statement would take as long as these do.
_CLOCK = """
CREATE OR REPLACE FUNCTION life_clock() RETURNS double precision
LANGUAGE sql VOLATILE AS 'SELECT pg_read_file({0})::double precision';
CREATE OR REPLACE FUNCTION now() RETURNS timestamptz
LANGUAGE sql STABLE AS 'SELECT to_timestamp(pg_read_file({0})::double precision)';
"""

#: A process that stands still in a transaction for longer loses it.
_STANDS_STILL = 10.0

_Any = SimulatedConnection | SimulatedAsyncConnection


class SimulatedServer:
    """
    The database of a world.

    Args:
        wall: Takes what the server's clock shows, in seconds since 1970.
        processes: Everyone who ever ran.
        tell: Takes a line of the world's story.
    """

    def __init__(
        self,
        setup: Setup,
        loop: SimulatedLoop,
        chance: Random,
        processes: list[Process],
        tell: Callable[[str], None],
    ) -> None:
        self.threads = Threads(loop, chance)
        self.is_instant = False
        #: Whether it can't be reached at present.
        self.is_gone = False
        self.statements = Statements(loop)
        self._sent = 0
        self._setup = setup
        self._loop = loop
        self._begun = loop.time()
        self._chance = chance
        self._processes = processes
        self._tell = tell
        self._where = str(Address.parse(address(), SCHEMA))
        self._told = 0.0
        self._open: list[_Any] = []
        self._known: set[int] = set()
        named = {"server": self}
        self.connection: type[SimulatedConnection]
        self.connection = type("Connection", (SimulatedConnection,), named)
        self.async_connection: type[SimulatedAsyncConnection]
        self.async_connection = type("Async", (SimulatedAsyncConnection,), named)
        self._pool = type("Pool", (SimulatedPool,), named)
        self._async_pool = type("AsyncPool", (SimulatedAsyncPool,), named)

    @property
    def path(self) -> sql.Composed:
        """
        Where names are looked for: the world's clock comes before the server's own.
        """
        text = sql.SQL("SET search_path TO {}, pg_catalog, pg_temp")
        return text.format(sql.Identifier(SCHEMA))

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """
        Let the ledger's connections be simulated, as long as the block lasts.
        """
        with ExitStack() as stack:
            self._behind: psycopg.Connection[Any] = stack.enter_context(
                psycopg.connect(address(), autocommit=True)
            )
            self.statements.behind = self._behind
            stack.callback(self._close_all)
            self._clock = os.open(clock_file(), os.O_RDWR | os.O_CREAT, 0o644)
            stack.callback(os.close, self._clock)
            self._make()
            engine = partial(
                procrastinate.PsycopgConnector, pool_factory=self._async_pool
            )
            system = SimpleNamespace(
                getpid=pid_of, kill=self._look_for, stat=no_namespace
            )
            network = SimpleNamespace(gethostname=self._host)
            for where, name, ours in (
                (store, "asyncio", self.threads.library),
                (store, "ThreadPoolExecutor", self.threads.executor),
                (store, "wait", self.threads.wait),
                (store, "get_ident", lambda: self.threads.present),
                (books, "Lock", self.threads.lock),
                (store, "ConnectionPool", self._pool),
                (asyncio, "all_tasks", _tasks_here),
                (psycopg, "connect", self.connection.connect),
                (psycopg, "AsyncConnection", self.async_connection),
                (psycopg.waiting, "wait_conn_async", reached_at_once),
                (procrastinate, "PsycopgConnector", engine),
                # All apps share these, and would outlive their worlds by them.
                (procrastinate.App, "_register_builtin_tasks", _nothing),
                (tokens, "os", system),
                (tokens, "socket", network),
                (tokens, "_started", started_long_ago),
            ):
                stack.enter_context(mock.patch.object(where, name, ours))
            tokens.at_work.clear()
            for when, seconds in self._setup.outages:
                self._loop.call_later(
                    when, self._goes, seconds, context=in_the_name_of(None)
                )
            yield
            tokens.at_work.clear()

    def _make(self) -> None:
        """
        Make the tables, with nothing in them.
        """
        execute = self._behind.execute
        execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE".encode())
        execute(f"CREATE SCHEMA {SCHEMA}".encode())
        execute(self.path)
        self._set_clock()
        text = _CLOCK.format(f"''{clock_file()}''").encode()
        execute(text)  # before there are columns that say when something was made
        execute(b"DROP FUNCTION life_clock")
        make_tables(self._behind, SCHEMA)
        execute(text)

    def opened(self) -> PostgresLedger:
        """
        The ledger, opened by someone whom it answers at once.
        """
        with self.instantly():
            opening = PostgresLedger.open(address(), schema=SCHEMA)
            return in_the_name_of(None).run(instantly, opening)

    @contextmanager
    def instantly(self) -> Iterator[None]:
        """
        Whoever connects meanwhile is the world itself, for whom no time goes by.
        """
        self.is_instant = True
        try:
            with self.threads.instantly():
                yield
        finally:
            self.is_instant = False

    async def open(self) -> PostgresLedger:
        """
        The ledger, as whoever asks for it has it.
        """
        return await PostgresLedger.open(address(), schema=SCHEMA)

    def told(self, line: str) -> str:
        """
        *line* without where the server is, which is another place each time.
        """
        return line.replace(self._where, "the database")

    def takes(self) -> float:
        """
        How long a statement is under way, in seconds.
        """
        return self._chance.random() ** 4 * 0.02

    # What connections do.

    def check_there(self) -> None:
        """
        Refuse connections as long as the database is gone.
        """
        if self.is_gone and not self.is_instant:
            self._trouble(present_process())
            raise psycopg.OperationalError("connection failed: Connection refused")

    def connected(self, connection: _Any) -> None:
        """
        One more is open.
        """
        self._open.append(connection)
        process = connection.process
        if process is not None and process.number not in self._known:
            self._known.add(process.number)
            process.at_death.append(partial(self._died, process))
            process.at_stop.append(partial(self._stands_still, process))

    def steps(self, connection: _Any, gen: Generator[Any, Any, _T]) -> Steps[_T]:
        """
        Let the server do what *gen* wants of it, in the time that it takes.
        """
        if connection.is_instant:
            self._set_clock()
            return (yield from self.statements.done(connection, gen, self._check))
        yield self.takes()
        self._check(connection)
        self._may_be_lost(connection)
        self._set_clock()
        value = yield from self.statements.done(connection, gen, self._check)
        if connection.info.transaction_status == TransactionStatus.IDLE:
            if connection.is_lost_after:
                self._lose(connection, "after")
            yield self.takes()
            self._check(connection)
        return value

    def _check(self, connection: _Any) -> None:
        if connection.lost is not None:
            self._trouble(connection.process)
            raise connection.lost

    def _set_clock(self) -> None:
        """
        Let the server know what time it is.
        """
        now = BEGINNING + self._loop.time() - self._begun
        if now != self._told:
            self._told = now
            os.pwrite(self._clock, f"{now:.9f}".encode(), 0)

    # What goes wrong.

    def _may_be_lost(self, connection: _Any) -> None:
        if connection.process is None:
            return
        self._sent += 1
        if self._sent not in self._setup.losses:
            return
        if self._chance.random() < 0.5:
            self._lose(connection, "before")
        connection.is_lost_after = True

    def _lose(self, connection: _Any, when: str) -> None:
        process = connection.process
        number = process.number if process else "-"
        self._tell(f"process {number}: a connection is lost {when} a commit")
        self._drop(connection)
        self._check(connection)

    def _drop(self, connection: _Any, error: psycopg.Error | None = None) -> None:
        """
        Let *connection* be lost, and what was not committed undone.
        """
        connection.lost = error or psycopg.OperationalError("the connection is lost")
        self._open.remove(connection)
        if connection.closed:
            return
        if connection.info.transaction_status != TransactionStatus.IDLE:
            self._behind.execute(
                "SELECT pg_terminate_backend(%s, 60000)",
                (connection.info.backend_pid,),
            )
        connection.pgconn.finish()
        self.statements.settle()

    def _trouble(self, process: Process | None) -> None:
        if process is not None:
            process.is_troubled = True

    def _goes(self, seconds: float) -> None:
        self._tell(f"the database is gone for {seconds:.0f} s")
        self.is_gone = True
        for connection in self._open[:]:
            if not connection.is_instant:
                self._trouble(connection.process)
                self._drop(connection)
        self._loop.call_later(seconds, self._is_back, context=in_the_name_of(None))

    def _is_back(self) -> None:
        self._tell("the database is back")
        self.is_gone = False

    def _died(self, process: Process) -> None:
        for connection in self._open[:]:
            if connection.process is process:
                self._drop(connection)

    def _stands_still(self, process: Process, seconds: float) -> None:
        if seconds > _STANDS_STILL:
            self._loop.call_later(
                _STANDS_STILL, self._undo, process, context=in_the_name_of(None)
            )

    def _undo(self, process: Process) -> None:
        """
        The server undoes the transactions of a process that stands still.
        """
        for connection in self._open[:]:
            status = connection.info.transaction_status
            if connection.process is process and status == TransactionStatus.INTRANS:
                error = psycopg.errors.IdleInTransactionSessionTimeout("too long")
                self._drop(connection, error)

    def _close_all(self) -> None:
        for connection in self._open:
            if not connection.closed:
                connection.pgconn.finish()
        self._open.clear()
        self.threads.end()

    # What processes are called.

    def _host(self) -> str:
        process = present_process()
        if process is None or not self._setup.machines:
            return "machine"
        return f"machine-{process.number}"

    def _look_for(self, pid: int, _: int) -> None:
        number = pid - PIDS
        if number >= 0 and self._processes[number].has_ended:
            raise ProcessLookupError


def _tasks_here() -> set[asyncio.Task[Any]]:
    """
    Those of the process that asks; those of others are in other event loops.
    """
    process = present_process()
    return {each for each in process.tasks if not each.done()} if process else set()


def _nothing(_: object) -> None:
    pass
