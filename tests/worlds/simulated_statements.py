"""
Statements of a real PostgreSQL, that wait in simulated time for who is in their way.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from simulated_loop import SimulatedLoop

_T = TypeVar("_T")

#: So long the real server is given, in seconds, until it is asked whether something
#: waits for others; and then to find that they wait for each other.
_AT_ONCE = 0.003
_DEADLOCK = 0.01

#: Whatever a statement waits for, it is not looked for more often.
_MOST_LOOKS = 10_000

#: Who waits for a lock looks so often, in simulated seconds.
_LOOKS_EVERY = 0.02


class Statements:
    """
    Lets the server do what is wanted of it, and finds who has to wait.
    """

    def __init__(self, loop: SimulatedLoop) -> None:
        #: A connection that is no part of the world, and asks what the others wait for.
        self.behind: psycopg.Connection[Any]
        self._loop = loop
        self._waiting: list[Any] = []

    def done(
        self,
        connection: Any,
        gen: Generator[Any, Any, _T],
        check: Callable[[Any], object],
    ) -> Generator[float, None, _T]:
        """
        Let it be done, as soon as nobody is in the way; gives how long it waits.

        Args:
            check: Raises if *connection* was lost meanwhile.
        """
        try:
            wants = next(gen)
            while True:
                looks = 0
                while not (ready := self._ready(connection, wants, _AT_ONCE)):
                    looks += 1
                    if looks > _MOST_LOOKS:
                        self._loop.fail(f"the server is silent: {self._does()}")
                    if not self._is_blocked(connection):
                        continue
                    if self._ready(connection, wants, _DEADLOCK):
                        continue
                    self._waiting.append(connection)
                    try:
                        yield _LOOKS_EVERY
                    finally:
                        self._waiting.remove(connection)
                    check(connection)
                wants = gen.send(ready)
        except StopIteration as done:
            value: _T = done.value
            if connection.info.transaction_status == TransactionStatus.IDLE:
                self.settle()
            return value

    def settle(self) -> None:
        """
        Let those go on in whose way nobody is any more: what they do comes before all
        that others do next, however fast the machine is.
        """
        for connection in self._waiting:
            while not connection.closed and not self._ready(connection, 1, _AT_ONCE):
                if self._is_blocked(connection):
                    break

    def _ready(self, connection: Any, wants: Any, seconds: float) -> Any:
        socket = [connection.pgconn.socket]
        reads, writes = socket if wants & 1 else [], socket if wants & 2 else []
        can_read, can_write, _ = select.select(reads, writes, [], seconds)
        return psycopg.waiting.Ready((1 if can_read else 0) | (2 if can_write else 0))

    def _is_blocked(self, connection: Any) -> bool:
        found = self.behind.execute(
            "SELECT cardinality(pg_blocking_pids(%s)) > 0",
            (connection.info.backend_pid,),
        ).fetchone()
        is_blocked = bool(found and found[0])
        if is_blocked and connection.is_instant:
            self._loop.fail("the world itself has to wait for others")
        return is_blocked

    def _does(self) -> list[Any]:
        """
        What each connection does at present, as the server says.
        """
        return self.behind.execute(
            "SELECT pid, state, wait_event_type, wait_event, left(query, 80) "
            "FROM pg_stat_activity WHERE backend_type = 'client backend'"
        ).fetchall()

    def give_up(self, connection: Any, gen: Generator[Any, Any, Any]) -> None:
        """
        Whoever waits for a statement does so no longer.
        """
        if connection.info.transaction_status != TransactionStatus.ACTIVE:
            return
        self.behind.execute(
            "SELECT pg_cancel_backend(%s)", (connection.info.backend_pid,)
        )
        try:
            while True:
                gen.send(self._ready(connection, 1, 60.0))
        except (StopIteration, psycopg.Error):
            pass
