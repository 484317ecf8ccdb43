"""
What goes wrong with a database, in words that help its user.
"""

from __future__ import annotations

from psycopg_pool import PoolTimeout

from voicepush.errors import LedgerError
from voicepush.ledger.postgres.server import MOVED

#: What an SQLSTATE begins with, and what its user can do about it.
_MISHAPS = {
    MOVED: "it is on another server than when people were called last, or restored, so "
    "the last claims may be missing and people be called again; compare by receipts or "
    "voicepush resolve --evidence, then resume with --failed-over",
    "42501": "this user may not do that; see which rights a ledger needs",
    "53100": "its disk is full; make room",
    "53300": "it takes no more connections; raise max_connections, or use a pooler",
    "57014": "it gave up what took long; look at its statement_timeout",
    "57P": "it is being shut down or started",
    "25P03": "this process stood still, and that was undone",
    "25006": "it can only be read; is it a standby?",
    "VP002": "a process of an earlier version works on it; let that end first",
    "40": "others were in the way again and again; try again",
}


def translated(where: str, error: Exception) -> LedgerError:
    """
    *error*, which came up with the ledger at *where*, as one that its user understands.
    """
    failure = LedgerError(f"the ledger {where}: {_words(error)}")
    failure.is_unreachable = _may_be_back(error)
    failure.__cause__ = error
    return failure


def _may_be_back(error: Exception) -> bool:
    state = getattr(error, "sqlstate", None) or ""
    if isinstance(error, PoolTimeout) or not state:
        return True
    return state.startswith(("08", "53", "57P"))


def _words(error: Exception) -> str:
    state = getattr(error, "sqlstate", None) or ""
    for beginning, words in _MISHAPS.items():
        if state.startswith(beginning):
            return words
    if isinstance(error, PoolTimeout):
        return "it can't be reached; check that it runs"
    if not state:
        # libpq says why, with neither password nor what was written.
        first = str(error).partition("\n")[0]
        why = first.rpartition("FATAL: ")[2].rpartition("failed: ")[2].strip()
        return f"it can't be reached: {why}"
    # Messages may quote what was written, and so numbers.
    return f"it refuses (SQLSTATE {state})"
