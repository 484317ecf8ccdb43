"""
Nothing that was deleted stays in the file, or in the log beside it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from voicepush.errors import LedgerError
from voicepush.ledger.sqlite.connection import LOCK_PATIENCE, BeingReadError, patiently
from voicepush.ledger.sqlite.plain_file import log_of


def wipe(path: Path) -> None:
    """
    Write the file at *path* anew without what was deleted, and empty its log.

    Pages that are free, and gaps between rows, hold what was deleted before anyone
    asked for more than that.

    Raises:
        LedgerError: It can't be done now.
    """
    try:
        with closing(
            sqlite3.connect(path, timeout=LOCK_PATIENCE, isolation_level=None)
        ) as connection:
            connection.execute("PRAGMA secure_delete = ON")
            patiently(lambda: connection.execute("VACUUM"))
            patiently(lambda: _empty_log(connection))
    except sqlite3.Error as error:
        why = (
            "another process has it open"
            if isinstance(error, BeingReadError)
            else str(error)
        )
        raise LedgerError(
            f"it is done, but {path} or its log {log_of(path)} may still hold what was "
            f"deleted: {why}; once that is over, any forget, archive or delete (the "
            "same forget again, too) writes the file anew"
        ) from error


def _empty_log(connection: sqlite3.Connection) -> None:
    is_busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if is_busy:
        raise BeingReadError
