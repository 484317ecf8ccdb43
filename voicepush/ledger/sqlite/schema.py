"""
The tables, and what tells our files from others.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from voicepush.errors import (
    LedgerError,
)
from voicepush.ledger.sqlite.call_tables import (
    CALL_COLUMNS,
    CALL_TIMES,
    CALLS,
    CALLS_AGAIN,
    COUNT_CALL_TIMES,
)
from voicepush.ledger.sqlite.connection import pragma, transaction
from voicepush.ledger.sqlite.outcome_times import COUNT_OUTCOME_TIMES, OUTCOME_TIMES
from voicepush.ledger.sqlite.tables import (
    CAMPAIGNS,
    COUNTING,
    KEEPING,
    SUPPRESSION,
    WORKERS,
)

#: Written into the file's header, to tell our files from other programs'.
_APPLICATION_ID = 0x766F_6963  # "voic"


#: Which tables a file has; a later version is refused.
SCHEMA_VERSION = 12


#: What turns a file of version 11 into one of version 12: who is due again, since their
#: request expired when their windows closed.
_CLOSES = f"""
    ALTER TABLE batch ADD COLUMN closes_at REAL;
    {CALLS_AGAIN}
"""
_FROM_11 = CALL_COLUMNS + _CLOSES

#: What turns a file of version 10 into one of version 11: what its owner may want
#: of a campaign, and that the ledger may be a backup.
_FROM_10 = f"""
    ALTER TABLE campaign ADD COLUMN windows TEXT;
    ALTER TABLE campaign ADD COLUMN any_hour TEXT;
    ALTER TABLE campaign ADD COLUMN starts_at REAL;
    ALTER TABLE campaign ADD COLUMN stops_at REAL;
    ALTER TABLE campaign ADD COLUMN trial TEXT;
    ALTER TABLE campaign ADD COLUMN stage TEXT;
    ALTER TABLE campaign ADD COLUMN tried_at REAL;
    {KEEPING}
"""

#: What turns a file of version 9 into one of version 11: the ledger has a list of those
#: not to call.
_FROM_9 = SUPPRESSION + _FROM_10

#: What turns a file of version 8 into one of version 11: more than one may work on a
#: campaign of other stores.
_FROM_8 = f"""
    {WORKERS}
    INSERT INTO worker
        (token, campaign, heartbeat_at, throughput, waiting, waiting_since)
    SELECT holder, id, coalesce(heartbeat_at, 0), throughput, waiting, waiting_since
    FROM campaign WHERE holder IS NOT NULL;
    ALTER TABLE campaign DROP COLUMN holder;
    ALTER TABLE campaign DROP COLUMN heartbeat_at;
    ALTER TABLE campaign DROP COLUMN throughput;
    ALTER TABLE campaign DROP COLUMN waiting;
    ALTER TABLE campaign DROP COLUMN waiting_since;
    {_FROM_9}
"""  # noqa: S608 -- ours

#: What turns a file of version 6 into one of version 11.
_FROM_6 = f"""
    ALTER TABLE campaign ADD COLUMN parent INTEGER REFERENCES campaign (id);
    ALTER TABLE campaign ADD COLUMN follows TEXT;
    ALTER TABLE campaign ADD COLUMN caps TEXT;
    ALTER TABLE campaign ADD COLUMN moved TEXT;
    ALTER TABLE recipients ADD COLUMN origins BLOB;
    ALTER TABLE batch ADD COLUMN suppressed INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE tally ADD COLUMN suppressed INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE tally ADD COLUMN asked INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX batch_claimed ON batch (campaign, claimed_at)
    WHERE claimed_at IS NOT NULL;
    DROP TRIGGER batch_is_counted;
    {COUNTING}
    {CALLS}
    {CALL_TIMES}
    {OUTCOME_TIMES}
    {COUNT_OUTCOME_TIMES}
    {_FROM_8}
"""

#: What makes the tables of this version, by the version that a file has; a new one has
#: none.
_FROM = {
    0: (
        CAMPAIGNS
        + WORKERS
        + COUNTING
        + CALLS
        + CALL_TIMES
        + CALLS_AGAIN
        + OUTCOME_TIMES
        + SUPPRESSION
        + KEEPING
    ),
    6: _FROM_6 + _CLOSES,
    7: f"""
        ALTER TABLE campaign ADD COLUMN moved TEXT;
        {CALL_TIMES} {COUNT_CALL_TIMES} {OUTCOME_TIMES} {COUNT_OUTCOME_TIMES}
        {_FROM_8} {_FROM_11}
    """,
    8: _FROM_8 + _FROM_11,
    9: _FROM_9 + _FROM_11,
    10: _FROM_10 + _FROM_11,
    11: _FROM_11,
}

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
            for statement in _statements(_FROM[version]):
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
