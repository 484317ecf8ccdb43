"""
Connections to PostgreSQL and the threads that use them: transactions and mishaps.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from random import random
from threading import get_ident
from typing import Any, TypeVar

import psycopg
from psycopg import IsolationLevel, sql
from psycopg.errors import DeadlockDetected, SerializationFailure
from psycopg_pool import ConnectionPool, PoolTimeout

from voicepush import clock
from voicepush.errors import LedgerError, NoLedgerError
from voicepush.ledger.postgres.address import Address
from voicepush.ledger.postgres.connection import (
    PostgresConnection,
    ServerClock,
    prepare,
)
from voicepush.ledger.postgres.mishaps import translated
from voicepush.ledger.postgres.schema import make_tables
from voicepush.ledger.postgres.server import acknowledge

_T = TypeVar("_T")

# It tells of each try to connect; what comes of them is told once, by who waits.
logging.getLogger("psycopg.pool").addHandler(logging.NullHandler())

#: So many jobs are done at a time.
_TOGETHER = 4

#: What the server calls us, if the user says nothing else.
_NAME = "voicepush"

#: How long it is tried to connect, in seconds; and at least, for who has waited long.
_PATIENCE = 10.0
_A_MOMENT = 0.1

#: So long after that was in vain: who waits for a database that is gone asks again.
_WITHOUT_HOPE = 1.0

#: The pool tries less and less often, and begins anew after so many seconds, so that a
#: database that is back is found soon.
_BEGINS_ANEW = 5.0

#: A server that is gone without a word is noticed after some 30 seconds, also while
#: nothing is said; by the names of libpq.
_NOTICING = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}

#: Who waits for what was begun looks so often whether that can end, in seconds.
_LOOKS_EVERY = 0.2

#: A transaction that met another is done again so often, after the first few times in
#: a queue; and at most so much later, in seconds.
_MOST_TIMES = 50
_FREELY = 3
_LONGEST_WAIT = 0.01

#: A process that stands still in the middle of a transaction, or whose machine is gone,
#: keeps others waiting for so long, in seconds; less than until it is taken for dead.
STANDS_STILL = 10.0


class PostgresStore:
    """
    Runs jobs, each in a transaction that is durable before it is answered.

    They are serialisable: one that met another is done again as if it came after it, so
    that each job may read and then write as if it were alone.
    """

    def __init__(self, address: Address) -> None:
        self._database = address.database
        self._schema = address.schema
        self._where = str(address)
        self._clock = ServerClock()
        self._pool = ConnectionPool(
            address.database,
            min_size=0,
            max_size=_TOGETHER,
            open=False,
            timeout=_PATIENCE,
            reconnect_timeout=_BEGINS_ANEW,
            configure=self._configure,
            check=self._clock.look,
        )
        self._threads = ThreadPoolExecutor(_TOGETHER, "voicepush-ledger")
        #: Who waits for others must not take a thread from them.
        self._later = ThreadPoolExecutor(1, "voicepush-ledger-later")
        self._begun: set[Future[Any]] = set()
        self._closed = False
        self._patience = _PATIENCE
        #: Since when threads wait for a connection.
        self._waiting: dict[int, float] = {}

    async def open(self, *, make: bool, failed_over: bool) -> None:
        """
        Connect, and make the tables if they are not there.

        Args:
            failed_over: People may be called although it is on another server.

        Raises:
            NoLedgerError: They are not there, and are not to be made.
        """

        def work() -> None:
            # The pool would try again and again, and not say why it can't.
            with psycopg.connect(
                self._database,
                connect_timeout=int(_PATIENCE),
                fallback_application_name=_NAME,
            ) as connection:
                self._pool.kwargs = lasting(connection)
                self._configure(connection)
                if not make_tables(connection, self._schema, new=make):
                    raise NoLedgerError(
                        f"there is no ledger in {self._where}; plan a campaign first, "
                        "or name another"
                    )
                if failed_over:
                    acknowledge(connection)
            self._pool.open()

        try:
            await self._run(work)
        except BaseException:
            await self.close()
            raise

    async def do(
        self,
        work: Callable[[Any], _T],
        *,
        writes: bool = True,
        at_once: bool = False,  # noqa: ARG002 -- a transaction undoes itself
    ) -> _T:
        """
        The value of *work*, once what it wrote is durable. If it raises, nothing of it
        remains.
        """
        # Those who wait for a thread have waited for the database as well.
        until = clock.monotonic() + _PATIENCE
        return await self._run(lambda: self._transact(work, writes=writes, until=until))

    def do_later(self, work: Callable[[Any], object]) -> None:
        """
        Do *work* after all that was begun before, for someone who can't wait for it.
        """
        before = set(self._begun)

        def after() -> object:
            wait(before)
            until = clock.monotonic() + _PATIENCE
            return self._transact(work, writes=True, until=until)

        self._submit(self._later, after)

    def check_in_place(self) -> None:
        """
        What was committed is where others find it.
        """

    async def close(self) -> None:
        """
        Finish what was begun, and close the connections.
        """
        if not self._closed:
            self._closed = True
            await asyncio.to_thread(self._close)

    def _close(self) -> None:
        while wait(set(self._begun), timeout=_LOOKS_EVERY).not_done:
            since = min(list(self._waiting.values()), default=None)
            if since is not None and clock.monotonic() - since > _WITHOUT_HOPE:
                # Each thread has a connection, so the database is gone. This ends only
                # the waits for it.
                self._pool.close()
        self._threads.shutdown()
        self._later.shutdown()
        self._pool.close()

    async def _run(self, work: Callable[[], _T]) -> _T:
        if self._closed:
            raise LedgerError(f"the ledger {self._where} is closed")
        return await asyncio.wrap_future(self._submit(self._threads, work))

    def _submit(
        self, threads: ThreadPoolExecutor, work: Callable[[], _T]
    ) -> Future[_T]:
        begun = threads.submit(self._translating, work)
        self._begun.add(begun)
        begun.add_done_callback(self._begun.discard)
        return begun

    def _translating(self, work: Callable[[], _T]) -> _T:
        try:
            return work()
        except (psycopg.Error, PoolTimeout) as error:
            raise translated(self._where, error) from error

    def _transact(self, work: Callable[[Any], _T], *, writes: bool, until: float) -> _T:
        try_ = partial(self._try, work, writes=writes, until=until)
        for time in range(_MOST_TIMES):
            try:
                return try_(queues=time >= _FREELY)
            except (SerializationFailure, DeadlockDetected):
                # So that those who met don't meet again.
                clock.pause(_LONGEST_WAIT * random())  # noqa: S311 -- no secret
        return try_(queues=True)

    def _try(
        self,
        work: Callable[[Any], _T],
        *,
        writes: bool,
        until: float,
        queues: bool,
    ) -> _T:
        """
        Do *work* once.

        Args:
            until: How long a connection is waited for.
            queues: One at a time of those who have met others again and again.
        """
        with self._connection(until) as connection:
            connection.read_only = not writes
            connection.isolation_level = (
                IsolationLevel.SERIALIZABLE
                if writes
                else IsolationLevel.REPEATABLE_READ
            )
            with connection.transaction():
                ours = PostgresConnection(connection, self._clock)
                if queues and writes:
                    ours.queue()
                return work(ours)

    @contextmanager
    def _connection(self, until: float) -> Iterator[psycopg.Connection[Any]]:
        thread = get_ident()
        self._waiting[thread] = clock.monotonic()
        try:
            left = max(until - clock.monotonic(), _A_MOMENT)
            connection = self._pool.getconn(min(left, self._patience))
        except PoolTimeout:
            self._patience = _WITHOUT_HOPE
            raise
        finally:
            del self._waiting[thread]
        self._patience = _PATIENCE
        try:
            with connection:
                yield connection
        finally:
            self._pool.putconn(connection)

    def _configure(self, connection: psycopg.Connection[Any]) -> None:
        prepare(connection)
        connection.autocommit = True  # but for what is in a block of its own
        for statement in _SETTINGS:
            connection.execute(statement)
        connection.execute(
            "SELECT set_config('idle_in_transaction_session_timeout', %s, false)",
            (f"{1000 * STANDS_STILL:.0f}",),
        )
        connection.execute(
            sql.SQL("SET search_path TO {}, pg_temp").format(
                sql.Identifier(self._schema)
            )
        )


def lasting(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    """
    How to make more connections like *connection*, which last.
    """
    # What its address, a service or the environment says holds, whatever it is.
    given = connection.info.get_parameters()
    ours = {name: each for name, each in _NOTICING.items() if name not in given}
    return {**ours, "fallback_application_name": _NAME}


#: A commit that is not on the disk is none. A scan of a whole table would meet everyone
#: who writes into it; where there is no other way it passes for so expensive that the
#: server would compile it each time. And packing recipients in the server's older way,
#: where it knows another, would take most of its time in planning.
_SETTINGS = (
    b"""
    SELECT set_config('synchronous_commit', 'on', false)
    WHERE current_setting('synchronous_commit') = 'off'
    """,
    b"SET enable_seqscan = off",
    b"SET jit = off",
    b"""
    SELECT set_config(name, 'lz4', false) FROM pg_settings
    WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)
    """,
    b"SET TIME ZONE 'UTC'",
)
