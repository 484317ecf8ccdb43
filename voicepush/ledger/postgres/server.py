"""
Which server a ledger is on: another one may lack the last claims.
"""

from __future__ import annotations

from typing import Any

import psycopg

from voicepush.ledger.postgres.connection import PostgresConnection, ServerClock
from voicepush.ledger.sql.history import note
from voicepush.ledger.sql.store import DRAFT

#: What the database says when it refuses a claim.
MOVED = "VP001"

#: Three things tell where a ledger is. A standby that was promoted, and a server that
#: was restored to some moment, have another timeline; another server has another
#: system; and what was restored from a dump has other tables. Where one may not be
#: known, the others are left.
#:
#: A timeline is told by the name of what is written now: `pg_control_checkpoint` tells
#: a new one only after the next checkpoint, which may be minutes later.
#:
#: They are looked at with each claim and not with each connection, since one to a
#: standby lasts while that is promoted.
SERVER = f"""
CREATE TABLE server (
    system text,
    timeline text,
    tables text NOT NULL
);

CREATE FUNCTION server_now() RETURNS server LANGUAGE plpgsql AS $$
DECLARE
    found server;
BEGIN
    found.tables := 'batch'::regclass::oid::text;
    BEGIN
        found.system := (SELECT system_identifier::text FROM pg_control_system());
    EXCEPTION WHEN insufficient_privilege OR feature_not_supported THEN NULL;
    END;
    BEGIN
        IF NOT pg_is_in_recovery() THEN
            found.timeline := left(pg_walfile_name(pg_current_wal_lsn()), 8);
        END IF;
    EXCEPTION WHEN insufficient_privilege OR feature_not_supported THEN NULL;
    END;
    RETURN found;
END $$;

CREATE FUNCTION claims_stay_here() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    here server := server_now();
BEGIN
    IF EXISTS (
        SELECT * FROM server AS known WHERE known.system != here.system
        OR known.timeline != here.timeline OR known.tables != here.tables
    ) THEN
        RAISE EXCEPTION USING ERRCODE = '{MOVED}', MESSAGE = 'another server';
    END IF;
    RETURN new;
END $$;
CREATE TRIGGER claims_stay_here BEFORE UPDATE OF state ON batch
FOR EACH ROW WHEN (new.state = 1 AND old.state != 1)
EXECUTE FUNCTION claims_stay_here();

INSERT INTO server SELECT * FROM server_now();
"""  # noqa: S608 -- ours

_ACKNOWLEDGE = b"""
    WITH here AS (SELECT * FROM server_now()), known AS (SELECT * FROM server)
    UPDATE server
    SET system = here.system, timeline = here.timeline, tables = here.tables
    FROM here, known WHERE (known.*) IS DISTINCT FROM (here.*)
    RETURNING known.system, known.timeline, here.system, here.timeline
"""


def acknowledge(connection: psycopg.Connection[Any]) -> None:
    """
    Let people be called from where the ledger is now, and write that into the history
    of its campaigns.
    """
    with connection.transaction():
        changed = connection.execute(_ACKNOWLEDGE).fetchone()
        if changed is None:
            return
        before, here = (
            f"system {system or 'unknown'}, timeline {timeline or 'unknown'}"
            for system, timeline in (changed[:2], changed[2:])
        )
        ours = PostgresConnection(connection, ServerClock())
        for row in ours.execute(
            "SELECT id FROM campaign WHERE state != ?", (DRAFT,)
        ).fetchall():
            note(ours, row["id"], "failed over", f"from {before} to {here}")
