"""
A copy of the file as it is at one moment, which says of itself that it is one.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from voicepush import clock
from voicepush.errors import InputError, LedgerError
from voicepush.ledger.sql.history import this_process
from voicepush.ledger.sql.store import Connection
from voicepush.ledger.sqlite.connection import BeingReadError, patiently
from voicepush.ledger.sqlite.plain_file import beside, has_bytes, log_of

#: So many pages are copied between two looks whether that is still wanted.
_TOGETHER = 1_024


def backup_of(connection: Connection | sqlite3.Connection) -> str | None:
    """
    What the file is a backup of, in words; None if it is none.
    """
    row = connection.execute("SELECT at, who, made_of FROM backup").fetchone()
    if row is None:
        return None
    at, who, made_of = row
    return f"a backup of {made_of}, made {_text(at)} by {who}"


def check_log_is_its(path: Path) -> None:
    """
    Refuse a backup that was put beside the log of the ledger in whose place it came.

    SQLite would read that log into it: who was pending long ago would be so again, and
    the backup no more. A backup has none of its own before it was restored, and then
    its log is merged before anyone is called.

    Raises:
        LedgerError: It was put there.
    """
    log = log_of(path)
    if not (has_bytes(path) and has_bytes(log)):
        return
    try:
        # Without the log, and without a lock that another connection could lose.
        uri = f"{path.as_uri()}?immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            found = backup_of(connection)
    except sqlite3.Error:
        return  # it is none, or is being written
    if found is not None:
        raise LedgerError(
            f"{path} is {found}, and {log} is the log of the ledger that was there "
            "before: it says who was called last in that. Move the log away, and keep "
            "it; then go on from the backup"
        )


def merge(path: Path) -> None:
    """
    Let all that is in the log be in the file at *path* as well.
    """

    def work() -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            is_busy, *_ = connection.execute("PRAGMA wal_checkpoint(FULL)").fetchone()
        if is_busy:
            raise BeingReadError

    patiently(work)


def back_up(
    connection: sqlite3.Connection,
    made_of: Path,
    path: Path,
    tell: Callable[[int, int], object],
) -> int:
    """
    Copy what *connection* sees in its transaction to *path*, where nothing is yet;
    gives the size of that in bytes.

    Another one that writes goes on meanwhile. A copy outside of a transaction would
    begin anew with each commit of its, and never end.

    Args:
        tell: Hears how many pages of how many are left; what it raises ends it.

    Raises:
        InputError: There is something at *path*, or it can't be written.
    """
    # From now on, all that is read is of this moment.
    connection.execute("SELECT 1 FROM campaign LIMIT 1").fetchone()
    try:
        # Readable by nobody else from its first byte.
        descriptor, name = tempfile.mkstemp(
            prefix=f".{path.name[:100]}.", dir=path.parent
        )
        os.close(descriptor)
        new = Path(name)
        try:
            with closing(sqlite3.connect(new)) as copy:
                # It is flushed as a whole, see below.
                copy.execute("PRAGMA synchronous = OFF")
                connection.backup(
                    copy,
                    pages=_TOGETHER,
                    progress=lambda _, left, total: tell(left, total),
                )
                _mark(copy, made_of)
            _flush(new)
            size = new.stat().st_size
            _put(new, path)
        finally:
            for each in (new, *beside(new)):
                with suppress(OSError):
                    each.unlink()
        _flush(path.parent)
        return size  # noqa: TRY300 -- it may fail until here
    except FileExistsError:
        raise InputError(
            f"there is something at {path} already, and a backup goes over nothing; "
            "name another file"
        ) from None
    except OSError as error:
        raise InputError(f"{path} can't be written: {error.strerror}") from error
    except sqlite3.Error as error:
        raise LedgerError(f"the backup {path} can't be made: {error}") from error


def _mark(copy: sqlite3.Connection, made_of: Path) -> None:
    # Without a log of its own, so that it is whole without a second file.
    copy.execute("PRAGMA journal_mode = DELETE")
    with copy:
        # All that the log held is in it.
        copy.execute("DELETE FROM writer")
        # A backup of a backup is as old as that.
        copy.execute(
            "INSERT INTO backup (at, who, made_of) SELECT ?, ?, ? "
            "WHERE NOT EXISTS (SELECT * FROM backup)",
            (clock.now(), this_process(), str(made_of)),
        )


def _put(new: Path, path: Path) -> None:
    """
    Let the file *new* be called *path*, if nothing is called so.
    """
    try:
        # A rename would go over what came there meanwhile.
        path.hardlink_to(new)
    except FileExistsError:
        raise
    except OSError:
        # There are none of these here.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        new.replace(path)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _text(at: float) -> str:
    moment = clock.moment(at)
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"
