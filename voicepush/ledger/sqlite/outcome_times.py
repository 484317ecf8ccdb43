"""
The table of when people got their outcomes, as SQL.
"""

from __future__ import annotations

_NAMES = ("accepted", "rejected", "expired", "not_sent", "unknown")

_ADD = f"""
    ON CONFLICT (campaign, at) DO UPDATE SET {
    ", ".join(f"{name} = {name} + excluded.{name}" for name in _NAMES)
};
"""

#: An answer that is lost stands where its request was claimed, all others where they
#: were recorded, and proofs where the last receipt came. Changes are kept, so that who
#: was recorded before stays where they were.
_OF_PROOFS = """
        INSERT INTO outcome_time
        SELECT {row}.campaign, CAST(coalesce(
            (SELECT max(received_at) FROM call WHERE call.campaign = {row}.campaign
             AND call.number = {row}.number), recorded_at, 0) AS INTEGER),
            {sign} {row}.accepted, -({sign} {row}.rejected), -({sign} {row}.expired),
            -({sign} {row}.not_sent), 0
        FROM batch WHERE batch.campaign = {row}.campaign AND batch.number = {row}.number
        {add}
        INSERT INTO outcome_time
        SELECT {row}.campaign, CAST(coalesce(claimed_at, 0) AS INTEGER),
            0, 0, 0, 0, -({sign} {row}.unknown)
        FROM batch WHERE batch.campaign = {row}.campaign AND batch.number = {row}.number
        {add}
"""

OUTCOME_TIMES = f"""
    CREATE TABLE outcome_time (
        campaign INTEGER NOT NULL REFERENCES campaign (id),
        at INTEGER NOT NULL,                   -- in seconds
        accepted INTEGER NOT NULL,
        rejected INTEGER NOT NULL,
        expired INTEGER NOT NULL,
        not_sent INTEGER NOT NULL,
        unknown INTEGER NOT NULL,
        PRIMARY KEY (campaign, at)
    ) WITHOUT ROWID;

    CREATE TRIGGER outcomes_have_times
    AFTER UPDATE OF accepted, rejected, expired, not_sent, unknown ON batch
    WHEN old.accepted != new.accepted OR old.rejected != new.rejected
    OR old.expired != new.expired OR old.not_sent != new.not_sent BEGIN
        INSERT INTO outcome_time VALUES (
            new.campaign, CAST(coalesce(new.recorded_at, 0) AS INTEGER),
            new.accepted - old.accepted, new.rejected - old.rejected,
            new.expired - old.expired, new.not_sent - old.not_sent, 0
        ) {_ADD}
    END;

    CREATE TRIGGER unknown_have_times AFTER UPDATE OF unknown ON batch
    WHEN old.unknown != new.unknown BEGIN
        INSERT INTO outcome_time VALUES (
            new.campaign,
            CAST(coalesce(new.claimed_at, new.recorded_at, 0) AS INTEGER),
            0, 0, 0, 0, new.unknown - old.unknown
        ) {_ADD}
    END;

    CREATE TRIGGER proofs_have_times AFTER INSERT ON proof BEGIN
        {_OF_PROOFS.format(row="new", sign="+", add=_ADD)}
    END;

    CREATE TRIGGER proofs_lose_times AFTER DELETE ON proof BEGIN
        {_OF_PROOFS.format(row="old", sign="-", add=_ADD)}
    END;
"""  # noqa: S608 -- our names

#: Fills it from what a file that did not have it knows.
COUNT_OUTCOME_TIMES = """
    INSERT INTO outcome_time
    SELECT batch.campaign,
        CAST(coalesce(recorded_at, claimed_at, planned_at) AS INTEGER),
        sum(batch.accepted + coalesce(proof.accepted, 0)),
        sum(batch.rejected - coalesce(proof.rejected, 0)),
        sum(batch.expired - coalesce(proof.expired, 0)),
        sum(batch.not_sent - coalesce(proof.not_sent, 0)),
        sum(batch.unknown - coalesce(proof.unknown, 0))
    FROM batch JOIN campaign ON campaign.id = batch.campaign
    LEFT JOIN proof ON proof.campaign = batch.campaign AND proof.number = batch.number
    GROUP BY 1, 2;
"""
