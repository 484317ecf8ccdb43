"""
The tables of a file, as SQL.
"""

from __future__ import annotations

#: Campaigns, their batches and who is in them.
_CAMPAIGNS = """
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
        holder TEXT,                  -- the token of its one worker
        heartbeat_at REAL,            -- its last sign, on the clock since the start
        throughput REAL,              -- as it measured that
        waiting TEXT,                 -- why nothing goes on, where nothing does
        waiting_since REAL,
        held_until REAL,              -- until when the service asked to wait
        parent INTEGER REFERENCES campaign (id), -- whose calls it follows up
        follows TEXT,                 -- which of them, as JSON
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

#: Keeps the sums up to date.
_COUNTING = """
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

#: What became of each call.
_CALLS = """
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

#: What a new file gets.
TABLES = _CAMPAIGNS + _COUNTING + _CALLS

#: What turns a file of version 6 into one of version 7.
FROM_6 = f"""
    ALTER TABLE campaign ADD COLUMN parent INTEGER REFERENCES campaign (id);
    ALTER TABLE campaign ADD COLUMN follows TEXT;
    ALTER TABLE campaign ADD COLUMN caps TEXT;
    ALTER TABLE recipients ADD COLUMN origins BLOB;
    ALTER TABLE batch ADD COLUMN suppressed INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE tally ADD COLUMN suppressed INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE tally ADD COLUMN asked INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX batch_claimed ON batch (campaign, claimed_at)
    WHERE claimed_at IS NOT NULL;
    DROP TRIGGER batch_is_counted;
    {_COUNTING}
    {_CALLS}
"""
