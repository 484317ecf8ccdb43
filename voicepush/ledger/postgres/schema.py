"""
The schema of a ledger, and what tells ours from others.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import IsolationLevel, sql

from voicepush.errors import LedgerError
from voicepush.ledger.postgres.call_tables import CALLS, CALLS_FROM_4
from voicepush.ledger.postgres.engine_tables import latest, make_engine, version_of
from voicepush.ledger.postgres.pace_tables import PACE
from voicepush.ledger.postgres.server import SERVER
from voicepush.ledger.postgres.tables import (
    CAMPAIGNS,
    FROM_3,
    FUNCTIONS,
    KEEPING,
    SUPPRESSION,
    WORKERS,
    WORKERS_FROM_1,
)

#: Which tables a schema has; a later version is refused.
VERSION = 5

#: Only one makes the tables, whoever comes first; the number is any.
_LOCK = 0x766F_6963

_VERSION_TABLE = """
CREATE TABLE ledger_version (version integer NOT NULL);
INSERT INTO ledger_version VALUES (0);
"""

#: What makes the tables of this version, by the version that a schema has; a new one
#: has none.
_FROM = {
    0: (
        _VERSION_TABLE
        + FUNCTIONS
        + CAMPAIGNS
        + WORKERS
        + CALLS
        + SERVER
        + PACE
        + SUPPRESSION
        + KEEPING
    ),
    1: WORKERS_FROM_1 + SERVER + PACE + SUPPRESSION + FROM_3 + KEEPING + CALLS_FROM_4,
    2: SUPPRESSION + FROM_3 + KEEPING + CALLS_FROM_4,
    3: FROM_3 + KEEPING + CALLS_FROM_4,
    4: CALLS_FROM_4,
}


def make_tables(
    connection: psycopg.Connection[Any], schema: str, *, new: bool = True
) -> bool:
    """
    Make the tables that *schema* lacks; gives whether it has all of them then.

    Args:
        new: Make all of them where there is none.

    Raises:
        LedgerError: They are of a newer version, of another program, or of an earlier
            version and this user may not change that.
    """
    version = _version(connection, schema)
    if version is None and not new:
        return False
    if version == VERSION and (version_of(connection) or "") >= latest():
        return True
    connection.isolation_level = IsolationLevel.READ_COMMITTED
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        # Who held the lock before may have done it.
        version = _version(connection, schema) or 0
        if not version:
            _begin(connection, schema)
        else:
            _check_owner(connection, schema, version)
        if version < VERSION:
            connection.execute(_FROM[version].encode())
            connection.execute("UPDATE ledger_version SET version = %s", (VERSION,))
        make_engine(connection)
    return True


def _begin(connection: psycopg.Connection[Any], schema: str) -> None:
    if _tables(connection, schema):
        raise LedgerError(
            f"the schema {schema!r} belongs to another program; name another one"
        )
    # Who may use one that is there may not have the right to make one.
    if not _is_there(connection, schema):
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))


def _check_owner(
    connection: psycopg.Connection[Any], schema: str, version: int
) -> None:
    found = connection.execute(
        "SELECT pg_get_userbyid(relowner), pg_has_role(relowner, 'USAGE') "
        "FROM pg_class WHERE oid = 'ledger_version'::regclass"
    ).fetchone()
    owner, is_ours = found or ("", False)
    if not is_ours:
        raise LedgerError(
            f"the schema {schema!r} is of an earlier version ({version}, this "
            f"voicepush needs {VERSION}), and only its owner can change that: let "
            f"{owner} open it once, as by voicepush status"
        )


def _version(connection: psycopg.Connection[Any], schema: str) -> int | None:
    # `to_regclass` would remember that it was not there, while others made it.
    found = connection.execute(
        "SELECT 1 FROM pg_tables WHERE schemaname = %s "
        "AND tablename = 'ledger_version'",
        (schema,),
    ).fetchone()
    if found is None:
        return None
    row = connection.execute("SELECT version FROM ledger_version").fetchone()
    version = None if row is None else int(row[0])
    if version is not None and version > VERSION:
        raise LedgerError(
            f"the schema {schema!r} was written by a newer voicepush (version "
            f"{version}, this one knows {VERSION}); upgrade voicepush to use it"
        )
    return version


def _is_there(connection: psycopg.Connection[Any], schema: str) -> bool:
    found = connection.execute(
        "SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,)
    )
    return found.fetchone() is not None


def _tables(connection: psycopg.Connection[Any], schema: str) -> int:
    found = connection.execute(
        "SELECT count(*) FROM pg_tables WHERE schemaname = %s", (schema,)
    ).fetchone()
    return 0 if found is None else int(found[0])
