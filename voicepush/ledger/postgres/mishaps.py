"""
What goes wrong with a database, in words that help its user.
"""

from __future__ import annotations

import psycopg
from psycopg import conninfo
from psycopg_pool import PoolTimeout

from voicepush.errors import InputError, LedgerError


def check_address(address: str) -> None:
    """
    Refuse an *address* that can't be used, or that holds a password: it would show in
    the list of processes, and in logs.

    Raises:
        InputError: It is so.
    """
    try:
        found = conninfo.conninfo_to_dict(address)
    except psycopg.Error as error:
        raise InputError(
            "the ledger's address can't be understood; write it like "
            "postgresql://user@host:5432/database"
        ) from error
    if found.get("password"):
        raise InputError(
            f"the ledger's address {shown_address(address)} holds a password, which "
            "others can see; leave it out, and put it into a file (PGPASSFILE, "
            "~/.pgpass), or into a service of pg_service.conf"
        )


def shown_address(address: str) -> str:
    """
    Where *address* leads, without what is nobody's business.
    """
    found = conninfo.conninfo_to_dict(address)
    host, port = found.get("host") or "the default host", found.get("port")
    database = found.get("dbname") or found.get("service") or "the default database"
    return f"{database} at {host}" + (f":{port}" if port else "")


#: What an SQLSTATE begins with, and what its user can do about it.
_MISHAPS = {
    "42501": "this user may not do that; see which rights a ledger needs",
    "53100": "its disk is full; make room, and go on with resume",
    "53300": "it takes no more connections; raise max_connections, or use a pooler",
    "57P": "it is being shut down or started; go on with resume when it is back",
    "25P03": "this process stood still, and that was undone; go on with resume",
    "25006": "it can only be read; is it a standby?",
    "40": "others were in the way again and again; try again",
}


def translated(where: str, error: Exception) -> LedgerError:
    """
    *error*, which came up with the ledger at *where*, as one that its user understands.
    """
    failure = LedgerError(f"the ledger {where}: {_words(error)}")
    failure.__cause__ = error
    return failure


def _words(error: Exception) -> str:
    state = getattr(error, "sqlstate", None) or ""
    for beginning, words in _MISHAPS.items():
        if state.startswith(beginning):
            return words
    if isinstance(error, PoolTimeout):
        return "it can't be reached; check that it runs, and go on with resume"
    if not state:
        # libpq says why, with neither password nor what was written.
        first = str(error).partition("\n")[0]
        why = first.rpartition("FATAL: ")[2].rpartition("failed: ")[2].strip()
        return f"it can't be reached: {why}; go on with resume when it can"
    # Messages may quote what was written, and so numbers.
    return f"it refuses (SQLSTATE {state})"
