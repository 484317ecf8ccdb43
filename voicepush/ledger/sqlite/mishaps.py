"""
What goes wrong with the file, in words that help its user.
"""

from __future__ import annotations

from pathlib import Path

from voicepush.errors import LedgerError
from voicepush.ledger.sqlite.connection import BeingReadError

_DAMAGED = "it is damaged; restore it from a copy"


#: What SQLite calls a mishap, or how that begins, and what its user can do about it.
_MISHAPS = {
    "SQLITE_BUSY": "another program holds its lock; end that, and try again",
    "SQLITE_LOCKED": "another program holds its lock; end that, and try again",
    "SQLITE_FULL": "the disk is full; make room, and go on with resume",
    "SQLITE_IOERR": "the disk fails or is full; see to it, and go on with resume",
    "SQLITE_READONLY": "it can't be written; check its owner and mode",
    "SQLITE_CANTOPEN": (
        "it, or its log beside it, can't be opened or made; check its folder, and copy "
        "it first if it is on a medium that can only be read"
    ),
    "SQLITE_NOTADB": ("it is not a voicepush ledger; name another file with --ledger"),
    "SQLITE_CORRUPT": _DAMAGED,
}


def translated(path: Path, error: Exception) -> LedgerError:
    """
    *error*, which came up with the ledger at *path*, as one that its user understands.
    """
    if isinstance(error, LedgerError):
        return error
    if "Could not decode to UTF-8" in str(error):
        # Python says so of damaged texts and quotes them, which may be numbers.
        return LedgerError(f"the ledger {path}: {_DAMAGED}")
    failure = LedgerError(f"the ledger {path}: {_words(error)}")
    failure.__cause__ = error
    return failure


def _words(error: Exception) -> str:
    if isinstance(error, BeingReadError):
        return (
            "another program holds its lock, one that has begun to read the ledger and "
            "has not ended; end that, and try again"
        )
    # Errors of Python's own have no name of SQLite's.
    name = getattr(error, "sqlite_errorname", None) or ""
    for beginning, words in _MISHAPS.items():
        if name.startswith(beginning):
            return words
    return getattr(error, "strerror", None) or str(error)
