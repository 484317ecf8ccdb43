"""
The mark of who may have written into the log what is not in the file yet.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from voicepush.ledger.sql.tokens import is_gone, new_token
from voicepush.ledger.sqlite.connection import BeingReadError, patiently, transaction


def register(connection: sqlite3.Connection) -> str:
    """
    Leave a mark in the file itself before anything is written into its log.

    Where the mark is and the log is not, someone has taken them apart. Marks of
    processes that have died are taken away: their log is there.
    """
    us = new_token()
    with transaction(connection):
        was_marked = bool(marks(connection))
        _forget_the_dead(connection)
        connection.execute("INSERT INTO writer VALUES (?)", (us,))

    def merge() -> None:
        _, length, merged = connection.execute("PRAGMA wal_checkpoint").fetchone()
        if not was_marked and merged < length:
            raise BeingReadError

    try:
        # A reader that looks at an older state at this moment is in the way.
        patiently(merge)
    except BaseException:
        with suppress(sqlite3.Error):
            unregister(connection, us)
        raise
    return us


def unregister(connection: sqlite3.Connection, us: str) -> None:
    """
    Take our mark away.
    """
    with transaction(connection):
        connection.execute("DELETE FROM writer WHERE id = ?", (us,))
        _forget_the_dead(connection)


def marks(connection: sqlite3.Connection) -> list[str]:
    """
    The marks in the file.
    """
    return [row[0] for row in connection.execute("SELECT id FROM writer")]


def _forget_the_dead(connection: sqlite3.Connection) -> None:
    """
    Remove the marks of those of this machine who are gone.
    """
    connection.executemany(
        "DELETE FROM writer WHERE id = ?",
        [(mark,) for mark in marks(connection) if is_gone(mark)],
    )
