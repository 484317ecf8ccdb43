"""
One connection to the file: its locks, transactions and pragmas.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import floor
from pathlib import Path
from typing import Any, TypeVar

from voicepush import clock

_T = TypeVar("_T")

#: How long another process may hold the file's lock, in seconds.
LOCK_PATIENCE = 10.0

#: How long until it is tried again where SQLite does not wait by itself.
_LOCK_AGAIN = 0.02


class BeingReadError(sqlite3.OperationalError):
    """
    Another program looks at an older state of the file at present.
    """


class SQLiteConnection(sqlite3.Connection):
    """
    A connection that takes what `ledger.sql` asks for.
    """

    each_of = "json_each(?) AS asked"

    def insert_many(
        self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
    ) -> None:
        """
        Insert *rows* into *columns* of *table*.
        """
        marks = ", ".join("?" * len(columns))
        self.executemany(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})",  # noqa: S608
            rows,
        )

    def now(self) -> float:
        """
        Seconds since 1970; all who use the file are on this machine.
        """
        return clock.now()

    def queue(self) -> None:
        """
        Nothing is to be done: one at a time writes into a file.
        """

    def lock_suppression(self, *, alone: bool = False) -> None:
        """
        Nothing is to be done: one at a time writes into a file.
        """

    def lock_calls(self, *, alone: bool = False) -> None:
        """
        The same.
        """


def connect(path: Path) -> SQLiteConnection:
    """
    A connection to the file at *path*, which threads hand on, without transactions of
    its own.
    """
    connection = sqlite3.connect(
        path,
        timeout=LOCK_PATIENCE,
        isolation_level=None,
        check_same_thread=False,
        factory=SQLiteConnection,
    )
    # All who use the file are on this machine, so signs of life are told by its clock.
    connection.create_function("life_clock", 0, _life_clock)
    connection.create_function("whole", 1, floor, deterministic=True)
    return connection


def _life_clock() -> float:
    return clock.monotonic()


@contextmanager
def transaction(
    connection: sqlite3.Connection, *, writes: bool = True
) -> Iterator[None]:
    """
    A transaction, which ends with the block.
    """
    # Readers must not wait for another process that writes.
    connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def pragma(connection: sqlite3.Connection, name: str) -> int:
    """
    The number that the pragma called *name* has.
    """
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)


def use_log(connection: sqlite3.Connection) -> None:
    """
    Let commits go into a log beside the file.

    SQLite does not wait by itself for others who look at a file that has none yet.
    """
    patiently(lambda: connection.execute("PRAGMA journal_mode = WAL"))


def patiently(work: Callable[[], _T]) -> _T:
    """
    The value of *work*, which is tried again while someone else holds a lock.
    """
    until = clock.monotonic() + LOCK_PATIENCE
    while True:
        try:
            return work()
        except sqlite3.OperationalError as error:
            if not _is_locked(error) or clock.monotonic() >= until:
                raise
        clock.pause(_LOCK_AGAIN)


def _is_locked(error: sqlite3.OperationalError) -> bool:
    if isinstance(error, BeingReadError):
        return True
    return error.sqlite_errorname.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
