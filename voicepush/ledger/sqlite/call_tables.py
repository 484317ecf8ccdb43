"""
The tables of calls and of their receipts, as SQL.
"""

from __future__ import annotations

#: What became of each call.
CALLS = """
    -- What the receipts say of one call; written by who receives them, never by who
    -- dispatches.
    CREATE TABLE call (
        campaign INTEGER NOT NULL REFERENCES campaign (id),
        number INTEGER NOT NULL,               -- of its batch
        recipient INTEGER NOT NULL,            -- in that, counted from 0
        state TEXT NOT NULL,
        rank INTEGER NOT NULL,
        code TEXT NOT NULL,
        words TEXT NOT NULL,
        at REAL,                               -- by the platform's stamp
        answered_at REAL,
        ended_at REAL,
        heard INTEGER NOT NULL,                -- whole seconds, or -1
        has_ended INTEGER NOT NULL,
        received_at REAL NOT NULL,             -- when it was last brought further
        transactions TEXT,                     -- those that no answer gave, as JSON
        bodies TEXT NOT NULL,                  -- where they are kept: block.place ...
        was_offered INTEGER NOT NULL DEFAULT 1,
        expired_as TEXT,                       -- attempts that expired, as JSON
        looked_at INTEGER NOT NULL DEFAULT 0,  -- whether they are due again was asked
        PRIMARY KEY (campaign, number, recipient)
    ) WITHOUT ROWID;

    -- How many calls of a batch have ended, and how far it was asked what became of
    -- the others.
    CREATE TABLE poll (
        campaign INTEGER NOT NULL REFERENCES campaign (id),
        number INTEGER NOT NULL,               -- of the batch
        ended INTEGER NOT NULL DEFAULT 0,
        asked_at REAL,                         -- for the last time
        asked TEXT,                            -- places asked lately, or NULL: all
        PRIMARY KEY (campaign, number)
    ) WITHOUT ROWID;

    CREATE TRIGGER call_is_known_to_have_ended AFTER INSERT ON call
    WHEN new.has_ended BEGIN
        INSERT INTO poll (campaign, number, ended)
        VALUES (new.campaign, new.number, 1)
        ON CONFLICT DO UPDATE SET ended = ended + 1;
    END;

    CREATE TRIGGER call_ends AFTER UPDATE OF has_ended ON call
    WHEN new.has_ended AND NOT old.has_ended BEGIN
        INSERT INTO poll (campaign, number, ended)
        VALUES (new.campaign, new.number, 1)
        ON CONFLICT DO UPDATE SET ended = ended + 1;
    END;

    CREATE TABLE call_tally (
        campaign INTEGER NOT NULL REFERENCES campaign (id),
        state TEXT NOT NULL,
        heard INTEGER NOT NULL,
        number INTEGER NOT NULL,
        PRIMARY KEY (campaign, state, heard)
    ) WITHOUT ROWID;

    CREATE TRIGGER call_is_known AFTER INSERT ON call BEGIN
        INSERT INTO call_tally VALUES (new.campaign, new.state, new.heard, 1)
        ON CONFLICT DO UPDATE SET number = number + 1;
    END;

    CREATE TRIGGER call_goes_on AFTER UPDATE OF state, heard ON call
    WHEN old.state != new.state OR old.heard != new.heard BEGIN
        UPDATE call_tally SET number = number - 1
        WHERE campaign = old.campaign AND state = old.state AND heard = old.heard;
        INSERT INTO call_tally VALUES (new.campaign, new.state, new.heard, 1)
        ON CONFLICT DO UPDATE SET number = number + 1;
    END;

    -- Whom receipts prove to be accepted although their batch's row says otherwise,
    -- and how many recipients are counted as what there. The dispatcher reads it in
    -- each claim and record; once its row says so, too, it is deleted.
    CREATE TABLE proof (
        campaign INTEGER NOT NULL REFERENCES campaign (id),
        number INTEGER NOT NULL,
        places TEXT NOT NULL,
        pending INTEGER NOT NULL,
        in_flight INTEGER NOT NULL,
        rejected INTEGER NOT NULL,
        expired INTEGER NOT NULL,
        not_sent INTEGER NOT NULL,
        unknown INTEGER NOT NULL,
        suppressed INTEGER NOT NULL,
        given_up INTEGER NOT NULL,
        accepted INTEGER GENERATED ALWAYS AS (
            pending + in_flight + rejected + expired + not_sent + unknown + suppressed
        ) VIRTUAL,
        PRIMARY KEY (campaign, number)
    ) WITHOUT ROWID;

    CREATE TRIGGER proof_is_counted AFTER INSERT ON proof BEGIN
        UPDATE tally
        SET planned = planned + new.suppressed,
            suppressed = suppressed - new.suppressed,
            in_flight = in_flight - new.in_flight,
            accepted = accepted + new.accepted,
            rejected = rejected - new.rejected,
            expired = expired - new.expired,
            not_sent = not_sent - new.not_sent,
            unknown = unknown - new.unknown,
            given_up = given_up - new.given_up
        WHERE campaign = new.campaign;
    END;

    CREATE TRIGGER proof_is_taken_back AFTER DELETE ON proof BEGIN
        UPDATE tally
        SET planned = planned - old.suppressed,
            suppressed = suppressed + old.suppressed,
            in_flight = in_flight + old.in_flight,
            accepted = accepted - old.accepted,
            rejected = rejected + old.rejected,
            expired = expired + old.expired,
            not_sent = not_sent + old.not_sent,
            unknown = unknown + old.unknown,
            given_up = given_up + old.given_up
        WHERE campaign = old.campaign;
    END;

    -- The bodies of those that came together, see bodies.py.
    CREATE TABLE body_block (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        received_at REAL NOT NULL,
        number INTEGER NOT NULL,
        packed BLOB NOT NULL
    );

    -- What belongs to no known call, and what could not be understood.
    CREATE TABLE aside (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        body TEXT NOT NULL,                    -- where it is kept: block.place
        received_at REAL NOT NULL,
        transaction_id TEXT NOT NULL,
        report BLOB,                           -- as JSON; NULL if not understood
        again_at REAL                          -- when it is tried again
    );
    CREATE INDEX aside_of_transaction ON aside (transaction_id)
    WHERE transaction_id != '';
    CREATE INDEX aside_again ON aside (again_at) WHERE again_at IS NOT NULL;

    CREATE TABLE receipt_count (
        received INTEGER NOT NULL DEFAULT 0,
        refused INTEGER NOT NULL DEFAULT 0,
        unplaced INTEGER NOT NULL DEFAULT 0,
        unreadable INTEGER NOT NULL DEFAULT 0,
        last_at REAL
    );
    INSERT INTO receipt_count DEFAULT VALUES;

    CREATE TRIGGER aside_is_counted AFTER INSERT ON aside BEGIN
        UPDATE receipt_count
        SET unplaced = unplaced + (new.report IS NOT NULL),
            unreadable = unreadable + (new.report IS NULL);
    END;

    CREATE TRIGGER aside_is_taken_back AFTER DELETE ON aside BEGIN
        UPDATE receipt_count
        SET unplaced = unplaced - (old.report IS NOT NULL),
            unreadable = unreadable - (old.report IS NULL);
    END;
"""

#: What a call of version 11 lacked.
CALL_COLUMNS = """
    ALTER TABLE call ADD COLUMN was_offered INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE call ADD COLUMN expired_as TEXT;
    ALTER TABLE call ADD COLUMN looked_at INTEGER NOT NULL DEFAULT 0;
"""

#: When a call came to its end, in tens of seconds since 1970.
_WHEN = "CAST(coalesce({0}.at, {0}.received_at) / 10 AS INTEGER)"

#: How long after its request a call was picked up: seconds, later on minutes, and a
#: day for all above. The platform's clock may be ahead of ours.
_AFTER = """
    CASE WHEN {0}.answered_at - claimed_at < 0 THEN 0
         WHEN {0}.answered_at - claimed_at < 120
         THEN CAST({0}.answered_at - claimed_at AS INTEGER)
         WHEN {0}.answered_at - claimed_at < 86400
         THEN CAST(({0}.answered_at - claimed_at) / 60 AS INTEGER) * 60
         ELSE 86400 END
"""

#: Which of those are not told at all: earlier by so much that no clock is to blame.
_IS_AFTER = "{0}.answered_at >= claimed_at - 60"

_PICKED_UP = f"""
        INSERT INTO picked_up
        SELECT new.campaign, {_AFTER.format("new")}, 1
        FROM batch WHERE campaign = new.campaign AND number = new.number
        AND {_IS_AFTER.format("new")}
        ON CONFLICT DO UPDATE SET number = number + 1;
"""  # noqa: S608 -- our names

#: When what happened to calls, so that nobody has to look at them all.
CALL_TIMES = f"""
    CREATE TABLE call_time (
        campaign INTEGER NOT NULL REFERENCES campaign (id),
        at INTEGER NOT NULL,                   -- in tens of seconds
        state TEXT NOT NULL,                   -- never on_its_way
        code TEXT NOT NULL,
        number INTEGER NOT NULL,
        PRIMARY KEY (campaign, at, state, code)
    ) WITHOUT ROWID;

    CREATE TRIGGER call_is_decided AFTER INSERT ON call
    WHEN new.state != 'on_its_way' BEGIN
        INSERT INTO call_time VALUES (
            new.campaign, {_WHEN.format("new")}, new.state, new.code, 1
        ) ON CONFLICT DO UPDATE SET number = number + 1;
    END;

    CREATE TRIGGER call_is_decided_later
    AFTER UPDATE OF state, code, at, received_at ON call
    WHEN new.state != 'on_its_way' AND (
        old.state != new.state OR old.code != new.code
        OR {_WHEN.format("old")} != {_WHEN.format("new")}
    ) BEGIN
        UPDATE call_time SET number = number - 1
        WHERE campaign = old.campaign AND at = {_WHEN.format("old")}
        AND state = old.state AND code = old.code;
        INSERT INTO call_time VALUES (
            new.campaign, {_WHEN.format("new")}, new.state, new.code, 1
        ) ON CONFLICT DO UPDATE SET number = number + 1;
    END;

    CREATE TABLE picked_up (
        campaign INTEGER NOT NULL REFERENCES campaign (id),
        seconds INTEGER NOT NULL,              -- after the request
        number INTEGER NOT NULL,
        PRIMARY KEY (campaign, seconds)
    ) WITHOUT ROWID;

    CREATE TRIGGER call_is_picked_up AFTER INSERT ON call
    WHEN new.answered_at IS NOT NULL BEGIN {_PICKED_UP} END;

    CREATE TRIGGER call_is_picked_up_later AFTER UPDATE OF answered_at ON call
    WHEN new.answered_at IS NOT NULL AND old.answered_at IS NULL BEGIN {_PICKED_UP} END;
"""  # noqa: S608 -- our names

#: What is counted when someone is due again, of whose call nothing is known then.
CALLS_AGAIN = f"""
    CREATE INDEX call_expired ON call (campaign, number)
    WHERE expired_as IS NOT NULL AND looked_at = 0;

    CREATE TRIGGER call_is_open_again AFTER UPDATE OF has_ended ON call
    WHEN old.has_ended AND NOT new.has_ended BEGIN
        UPDATE poll SET ended = ended - 1
        WHERE campaign = old.campaign AND number = old.number;
    END;

    CREATE TRIGGER call_is_undecided_again AFTER UPDATE OF state ON call
    WHEN old.state != 'on_its_way' AND new.state = 'on_its_way' BEGIN
        UPDATE call_time SET number = number - 1
        WHERE campaign = old.campaign AND at = {_WHEN.format("old")}
        AND state = old.state AND code = old.code;
    END;
"""  # noqa: S608 -- our names

#: Fills those from the calls of a file that did not have them.
COUNT_CALL_TIMES = f"""
    INSERT INTO call_time
    SELECT campaign, {_WHEN.format("call")}, state, code, count(*)
    FROM call WHERE state != 'on_its_way' GROUP BY 1, 2, 3, 4;
    INSERT INTO picked_up
    SELECT call.campaign, {_AFTER.format("call")}, count(*)
    FROM call JOIN batch USING (campaign, number)
    WHERE {_IS_AFTER.format("call")} GROUP BY 1, 2;
"""  # noqa: S608 -- our names
