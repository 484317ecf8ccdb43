"""
The tables of campaigns and of their batches, as SQL.
"""

from __future__ import annotations

#: Campaigns, their batches and who is in them.
CAMPAIGNS = """
    CREATE TABLE campaign (
        id INTEGER PRIMARY KEY AUTOINCREMENT, -- a dropped draft's is never given again
        name TEXT NOT NULL UNIQUE,
        source TEXT NOT NULL,
        digest TEXT,                  -- of the source, where it was a file or a stream
        source_size INTEGER,
        source_modified_ns INTEGER,
        given TEXT NOT NULL,          -- what was typed when it was planned, as JSON
        tag TEXT NOT NULL,
        retry_internal_error INTEGER NOT NULL,
        resend_unknown INTEGER NOT NULL,
        expires_at REAL,
        rate REAL,                    -- as its owner wants it
        state TEXT NOT NULL,          -- 'draft' until it is published
        reason TEXT,
        command TEXT,                 -- 'pause' or 'cancel'
        planned_at REAL NOT NULL,     -- seconds since 1970, like all other times
        read INTEGER NOT NULL DEFAULT 0,
        invalid INTEGER NOT NULL DEFAULT 0,
        duplicate INTEGER NOT NULL DEFAULT 0,
        suppressed INTEGER NOT NULL DEFAULT 0,
        held_until REAL,              -- until when the service asked to wait
        windows TEXT,                 -- when people may be called, as JSON
        any_hour TEXT,                -- why they are called at any hour
        starts_at REAL,               -- nothing is claimed before,
        stops_at REAL,                -- and nothing from then on
        trial TEXT,                   -- who is called first, as JSON
        stage TEXT,                   -- how far that is
        tried_at REAL,                -- when they had been called
        parent INTEGER REFERENCES campaign (id), -- whose calls it follows up
        follows TEXT,                 -- which of them, as JSON
        moved TEXT,                   -- what it was before it was moved, as JSON
        caps TEXT                     -- how often someone may be called, as JSON
    );

    -- What is played to whom; the batches name their group by its number.
    CREATE TABLE message_group (
        campaign INTEGER NOT NULL REFERENCES campaign (id),
        number INTEGER NOT NULL,      -- counted from 0 in a campaign
        message TEXT NOT NULL,        -- as JSON
        zones TEXT NOT NULL DEFAULT '[]', -- their names, as JSON
        priority INTEGER NOT NULL DEFAULT 0,
        trial INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (campaign, number)
    ) WITHOUT ROWID;

    -- Small, and written three times per batch; the recipients stay apart, because an
    -- update writes a row anew as a whole.
    CREATE TABLE batch (
        campaign INTEGER NOT NULL REFERENCES campaign (id),
        number INTEGER NOT NULL,
        message_group INTEGER NOT NULL,
        state INTEGER NOT NULL DEFAULT 0,      -- 0 ready, 1 sending, 2 recorded
        size INTEGER NOT NULL,                 -- in values, like all counts here
        in_flight INTEGER NOT NULL DEFAULT 0,
        accepted INTEGER NOT NULL DEFAULT 0,
        rejected INTEGER NOT NULL DEFAULT 0,
        expired INTEGER NOT NULL DEFAULT 0,
        not_sent INTEGER NOT NULL DEFAULT 0,
        unknown INTEGER NOT NULL DEFAULT 0,
        given_up INTEGER NOT NULL DEFAULT 0,   -- of the unknown
        suppressed INTEGER NOT NULL DEFAULT 0, -- left out when it was their turn
        attempts INTEGER NOT NULL DEFAULT 0,
        claimed_at REAL,
        recorded_at REAL,
        claimed_by TEXT,                       -- the token of the last worker
        lost TEXT,                             -- places by the claiming token
        due_at REAL,                           -- not before, or NULL: at once
        closes_at REAL,                        -- if its last request expires so
        claimed TEXT,                          -- places, or NULL: all that are pending
        given_up_places TEXT,                  -- or NULL: none
        late INTEGER NOT NULL DEFAULT 0,       -- whether a late record was added to it
        outcome TEXT NOT NULL DEFAULT 'pending',
        code TEXT,
        description TEXT NOT NULL DEFAULT '',
        exceptions BLOB,                       -- see packing.py
        transactions TEXT,                     -- one for all, or one per place
        PRIMARY KEY (campaign, number)
    ) WITHOUT ROWID;

    CREATE TABLE recipients (
        campaign INTEGER NOT NULL REFERENCES campaign (id),
        number INTEGER NOT NULL,
        kind TEXT NOT NULL,                    -- and more of packing.py's columns:
        packed NOT NULL,                       -- the values
        ids,                                   -- the owner's
        widths BLOB,
        rows BLOB,                             -- of the source
        as_came BLOB,                          -- what stood there, where it differs
        kept BLOB,                             -- columns of the source
        origins BLOB,                          -- whose earlier calls they had
        UNIQUE (campaign, number)
    );

    -- Whom others have called lately.
    CREATE INDEX batch_claimed ON batch (campaign, claimed_at)
    WHERE claimed_at IS NOT NULL;

    -- The sums over the batches of a campaign, so that nobody has to look at them all.
    CREATE TABLE tally (
        campaign INTEGER PRIMARY KEY REFERENCES campaign (id),
        planned INTEGER NOT NULL DEFAULT 0,
        pending INTEGER GENERATED ALWAYS AS (
            planned - in_flight - accepted - rejected - expired - not_sent - unknown
        ) VIRTUAL,
        in_flight INTEGER NOT NULL DEFAULT 0,
        accepted INTEGER NOT NULL DEFAULT 0,
        rejected INTEGER NOT NULL DEFAULT 0,
        expired INTEGER NOT NULL DEFAULT 0,
        not_sent INTEGER NOT NULL DEFAULT 0,
        unknown INTEGER NOT NULL DEFAULT 0,
        given_up INTEGER NOT NULL DEFAULT 0,
        suppressed INTEGER NOT NULL DEFAULT 0, -- and so no longer planned
        asked INTEGER NOT NULL DEFAULT 0      -- calls of which only an answer tells
    );

    -- No statement can forget them so.
    CREATE TRIGGER batch_is_planned AFTER INSERT ON batch BEGIN
        UPDATE tally SET planned = planned + new.size WHERE campaign = new.campaign;
    END;

    -- Who stands in which batch, see index.py: runs that are sorted, in pages.
    CREATE TABLE index_run (
        id INTEGER PRIMARY KEY,
        campaign INTEGER NOT NULL REFERENCES campaign (id)
    );

    CREATE TABLE index_page (
        run INTEGER NOT NULL REFERENCES index_run (id),
        first INTEGER NOT NULL,                -- its first entry
        entries BLOB NOT NULL,
        PRIMARY KEY (run, first)
    ) WITHOUT ROWID;

    -- Who did what to a campaign when, and how it went in each minute.
    CREATE TABLE history (
        campaign INTEGER NOT NULL REFERENCES campaign (id),
        at REAL NOT NULL,
        who TEXT NOT NULL,
        event TEXT NOT NULL,
        detail TEXT
    );

    CREATE TABLE minute (
        campaign INTEGER NOT NULL REFERENCES campaign (id),
        minute INTEGER NOT NULL,               -- since 1970
        recipients INTEGER NOT NULL,
        throttled INTEGER NOT NULL,
        rate REAL,
        PRIMARY KEY (campaign, minute)
    ) WITHOUT ROWID;

    -- Who may have written into the log what is not in the file yet.
    CREATE TABLE writer (id TEXT PRIMARY KEY);
"""

#: Who works on a campaign, or plans it.
WORKERS = """
    CREATE TABLE worker (
        token TEXT PRIMARY KEY,
        campaign INTEGER NOT NULL REFERENCES campaign (id),
        shares INTEGER NOT NULL DEFAULT 0, -- whether others may work on it as well
        heartbeat_at REAL NOT NULL,        -- on the clock since the start
        throughput REAL,                   -- as it measured that
        waiting TEXT,                      -- why nothing goes on, where nothing does
        waiting_since REAL
    ) WITHOUT ROWID;
    CREATE INDEX worker_of ON worker (campaign);
"""

#: Who must not be called, and who did what to the list of them.
SUPPRESSION = """
    CREATE TABLE suppression (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at REAL NOT NULL,
        who TEXT NOT NULL,
        event TEXT NOT NULL,               -- 'added', 'imported' or 'removed'
        people INTEGER NOT NULL DEFAULT 0,
        category TEXT,
        reason TEXT
    );

    -- The digits of a number are its key, which is exact and takes the least room.
    CREATE TABLE suppressed_number (
        number INTEGER PRIMARY KEY,
        deed INTEGER NOT NULL              -- what put it there
    );

    CREATE TABLE suppressed_id (
        value TEXT PRIMARY KEY,            -- a customer id
        deed INTEGER NOT NULL
    ) WITHOUT ROWID;
"""

#: Whether it is a backup, and who and what was taken out of it.
KEEPING = """
    -- Has a row only in a backup that nobody has restored yet.
    CREATE TABLE backup (
        at REAL NOT NULL,
        who TEXT NOT NULL,
        made_of TEXT NOT NULL              -- the ledger
    );

    -- Who was forgotten and is not called again, as no one can read it: hashed with
    -- the key of this ledger.
    CREATE TABLE forgotten (
        hash TEXT PRIMARY KEY,
        at REAL NOT NULL,
        who TEXT NOT NULL                  -- has forgotten them
    ) WITHOUT ROWID;

    CREATE TABLE forgetting (key TEXT NOT NULL);

    -- Which campaigns were deleted; planned again, they would call everyone again.
    CREATE TABLE deleted (
        name TEXT PRIMARY KEY,
        at REAL NOT NULL,
        who TEXT NOT NULL,
        planned INTEGER NOT NULL,
        accepted INTEGER NOT NULL
    ) WITHOUT ROWID;

    ALTER TABLE campaign ADD COLUMN archived_at REAL;
"""

#: Keeps the sums up to date.
COUNTING = """
    CREATE TRIGGER batch_is_counted
    AFTER UPDATE OF in_flight, accepted, rejected, expired, not_sent, unknown, given_up,
        suppressed
    ON batch BEGIN
        UPDATE tally
        SET planned = planned - new.suppressed + old.suppressed,
            suppressed = suppressed + new.suppressed - old.suppressed,
            in_flight = in_flight + new.in_flight - old.in_flight,
            accepted = accepted + new.accepted - old.accepted,
            rejected = rejected + new.rejected - old.rejected,
            expired = expired + new.expired - old.expired,
            not_sent = not_sent + new.not_sent - old.not_sent,
            unknown = unknown + new.unknown - old.unknown,
            given_up = given_up + new.given_up - old.given_up
        WHERE campaign = new.campaign;
    END;
"""
