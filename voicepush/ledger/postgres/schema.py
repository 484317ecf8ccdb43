"""
The schema of a ledger, and what tells ours from others.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from voicepush.errors import LedgerError
from voicepush.ledger.postgres.call_tables import CALLS
from voicepush.ledger.postgres.pace_tables import PACE
from voicepush.ledger.postgres.tables import CAMPAIGNS, FUNCTIONS

#: Which tables a schema has; a later version is refused.
VERSION = 1

#: Only one makes the tables, whoever comes first; the number is any.
_LOCK = 0x766F_6963

_VERSION_TABLE = """
CREATE TABLE ledger_version (version integer NOT NULL);
"""


def make_tables(connection: psycopg.Connection[Any], schema: str) -> None:
    """
    Make the tables in *schema*, if they are not there, in the transaction of
    *connection*.

    Raises:
        LedgerError: They are those of another version, or of another program.
    """
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    if has_tables(connection, schema):
        return
    if _tables(connection, schema):
        raise LedgerError(
            f"the schema {schema!r} belongs to another program; name another one"
        )
    connection.execute(
        sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema))
    )
    for script in (_VERSION_TABLE, FUNCTIONS, CAMPAIGNS, CALLS, PACE):
        connection.execute(script.encode())
    connection.execute("INSERT INTO ledger_version VALUES (%s)", (VERSION,))


def has_tables(connection: psycopg.Connection[Any], schema: str) -> bool:
    """
    Whether the tables are there.

    Raises:
        LedgerError: They are of a newer version.
    """
    version = _version(connection, schema)
    if version is not None and version != VERSION:
        raise LedgerError(
            f"the schema {schema!r} was written by a newer voicepush (version "
            f"{version}, this one knows {VERSION}); upgrade voicepush to use it"
        )
    return version is not None


def _version(connection: psycopg.Connection[Any], schema: str) -> int | None:
    found = connection.execute(
        "SELECT to_regclass(format('%%I.ledger_version', %s::text))", (schema,)
    ).fetchone()
    if found is None or found[0] is None:
        return None
    row = connection.execute("SELECT version FROM ledger_version").fetchone()
    return None if row is None else int(row[0])


def _tables(connection: psycopg.Connection[Any], schema: str) -> int:
    found = connection.execute(
        "SELECT count(*) FROM pg_tables WHERE schemaname = %s", (schema,)
    ).fetchone()
    return 0 if found is None else int(found[0])
