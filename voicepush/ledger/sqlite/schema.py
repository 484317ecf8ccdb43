"""
The tables, and what tells our files from others.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from voicepush.errors import (
    LedgerError,
)
from voicepush.ledger.sqlite.connection import pragma, transaction
from voicepush.ledger.sqlite.tables import FROM_6, TABLES

DRAFT = "draft"


#: Written into the file's header, to tell our files from other programs'.
_APPLICATION_ID = 0x766F_6963  # "voic"


#: Which tables a file has; a later version is refused.
SCHEMA_VERSION = 7


#: The first version that this one can go on with.
_FIRST = 6


def check_ours(connection: sqlite3.Connection, path: Path) -> None:
    """
    Refuse a file of another program, or of another version.
    """
    application = pragma(connection, "application_id")
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application != _APPLICATION_ID and (application or tables):
        raise LedgerError(
            f"{path} belongs to another program; name another file with --ledger"
        )
    version = pragma(connection, "user_version")
    if version > SCHEMA_VERSION:
        raise LedgerError(
            f"{path} was written by a newer voicepush (schema version "
            f"{version}, this one knows {SCHEMA_VERSION}); upgrade voicepush to use it"
        )
    if 0 < version < _FIRST:
        raise LedgerError(
            f"{path} was written by a voicepush before the first release; finish its "
            "campaigns with that one, and name another file with --ledger"
        )


def make_tables(connection: sqlite3.Connection) -> None:
    """
    Make the tables that a file lacks: all of them in a new one.
    """
    with transaction(connection):
        version = pragma(connection, "user_version")
        if version < SCHEMA_VERSION:
            for statement in _statements(FROM_6 if version else TABLES):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _statements(script: str) -> list[str]:
    """
    The statements of *script*; ``executescript`` would commit between them.
    """
    found, begun = [], ""
    for line in script.splitlines(keepends=True):
        begun += line
        if sqlite3.complete_statement(begun):
            found.append(begun)
            begun = ""
    return found
