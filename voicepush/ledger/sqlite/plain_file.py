"""
The file as the file system has it: one plain file with one name, and SQLite's beside.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from voicepush.errors import LedgerError


def check_plain(path: Path) -> None:
    """
    Make sure that there is a plain file with this one name, or none yet.

    Each name has a log of its own, so a second name would show other contents.

    Raises:
        LedgerError: It is something else, or what was saved of it waits beside it.
    """
    is_empty = not has_bytes(path)
    log = log_of(path)
    if is_empty and has_bytes(log):
        # SQLite would take it away, and with it who was called.
        raise LedgerError(
            f"{log} is the log of a ledger that was moved away; put that ledger "
            f"back as {path}, move its log to it, or remove the log"
        )
    if is_empty and rescued(path).exists():
        raise LedgerError(
            f"the ledger {path} was deleted while it was in use; move "
            f"{rescued(path)} back to {path} to go on, or remove it"
        )
    try:
        found = path.stat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(found.st_mode):
        raise LedgerError(f"{path} is no plain file; name another with --ledger")
    if found.st_nlink > 1:
        raise LedgerError(
            f"the ledger {path} has a second name (a hard link), under which "
            "its newest entries would not be seen; remove one of the names, or "
            "make a copy while no process uses it"
        )


def create(path: Path) -> None:
    """
    Make the file before SQLite would, so that it is never readable by others.

    A file that exists must not be opened here: closing it would take away the locks
    that SQLite holds on it elsewhere in this process, and another process would then
    delete the write-ahead log under us.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def log_of(path: Path) -> Path:
    """
    Where SQLite keeps what is not in the file yet.
    """
    return path.with_name(path.name + "-wal")


def beside(path: Path) -> list[Path]:
    """
    All files that SQLite keeps beside the one at *path*.
    """
    return [log_of(path), path.with_name(path.name + "-shm")]


def rescued(path: Path) -> Path:
    """
    Where a ledger that was deleted while it was in use is saved.
    """
    return path.with_name(path.name + ".rescued")


def has_bytes(path: Path) -> bool:
    """
    Whether there is such a file that is not empty.
    """
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def identity(path: Path) -> tuple[int, int] | None:
    """
    What tells a file from every other, whatever its name; None if there is none.
    """
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
