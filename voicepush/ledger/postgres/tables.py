"""
The tables of a schema, as PostgreSQL's SQL: those of `ledger.sqlite.tables`, with the
sums of a campaign kept per connection, so that no two writers share a row.
"""

from __future__ import annotations

#: What the statements of `ledger.sql` call: a clock that all machines share, and the
#: greatest whole number that is not above another.
FUNCTIONS = """
CREATE FUNCTION life_clock() RETURNS double precision LANGUAGE sql VOLATILE
AS 'SELECT extract(epoch FROM clock_timestamp())::double precision';

CREATE FUNCTION whole(double precision) RETURNS bigint LANGUAGE sql IMMUTABLE
AS 'SELECT floor($1)::bigint';
"""

#: Who works on a campaign, or plans it.
WORKERS = """
CREATE TABLE worker (
    token text PRIMARY KEY,
    campaign bigint NOT NULL REFERENCES campaign (id),
    shares integer NOT NULL DEFAULT 0,
    heartbeat_at double precision NOT NULL,
    throughput double precision,
    waiting text,
    waiting_since double precision,
    engine bigint
) WITH (fillfactor = 50);
CREATE INDEX worker_of ON worker (campaign);
CREATE INDEX batch_sending ON batch (campaign, claimed_by) WHERE state = 1;
CREATE TABLE engine (version text NOT NULL);
"""

#: What makes that of the tables of version 1, where one worker stood in the campaign.
WORKERS_FROM_1 = f"""
DO $$ BEGIN
    IF EXISTS (
        SELECT * FROM campaign
        WHERE holder IS NOT NULL AND life_clock() - heartbeat_at BETWEEN 0 AND 15
    ) THEN
        RAISE EXCEPTION USING ERRCODE = 'VP002';
    END IF;
END $$;
{WORKERS}
INSERT INTO worker (token, campaign, heartbeat_at)
SELECT holder, id, heartbeat_at FROM campaign WHERE holder IS NOT NULL;
ALTER TABLE campaign
    DROP COLUMN holder, DROP COLUMN heartbeat_at, DROP COLUMN throughput,
    DROP COLUMN waiting, DROP COLUMN waiting_since;
"""  # noqa: S608 -- ours

#: Who must not be called, and who did what to the list of them.
SUPPRESSION = """
CREATE TABLE suppression (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at double precision NOT NULL,
    who text NOT NULL,
    event text NOT NULL,
    people bigint NOT NULL DEFAULT 0,
    category text,
    reason text
);

CREATE TABLE suppressed_number (
    number bigint PRIMARY KEY,
    deed bigint NOT NULL
);

CREATE TABLE suppressed_id (
    value text PRIMARY KEY,
    deed bigint NOT NULL
);
"""

#: What turns a schema of version 3 into one of version 4: what its owner may want
#: of a campaign.
FROM_3 = """
ALTER TABLE campaign ADD COLUMN windows text;
ALTER TABLE campaign ADD COLUMN any_hour text;
ALTER TABLE campaign ADD COLUMN starts_at double precision;
ALTER TABLE campaign ADD COLUMN stops_at double precision;
ALTER TABLE campaign ADD COLUMN trial text;
ALTER TABLE campaign ADD COLUMN stage text;
ALTER TABLE campaign ADD COLUMN tried_at double precision;
"""

#: Who and what was taken out of it.
KEEPING = """
CREATE TABLE forgotten (
    hash text PRIMARY KEY,
    at double precision NOT NULL,
    who text NOT NULL
);

CREATE TABLE forgetting (key text NOT NULL);

CREATE TABLE deleted (
    name text PRIMARY KEY,
    at double precision NOT NULL,
    who text NOT NULL,
    planned bigint NOT NULL,
    accepted bigint NOT NULL
);

ALTER TABLE campaign ADD COLUMN archived_at double precision;
"""

CAMPAIGNS = """
CREATE TABLE campaign (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    source text NOT NULL,
    digest text,
    source_size bigint,
    source_modified_ns bigint,
    given text NOT NULL,
    tag text NOT NULL,
    retry_internal_error integer NOT NULL,
    resend_unknown integer NOT NULL,
    expires_at double precision,
    rate double precision,
    state text NOT NULL,
    reason text,
    command text,
    planned_at double precision NOT NULL,
    read bigint NOT NULL DEFAULT 0,
    invalid bigint NOT NULL DEFAULT 0,
    duplicate bigint NOT NULL DEFAULT 0,
    suppressed bigint NOT NULL DEFAULT 0,
    held_until double precision,
    parent bigint REFERENCES campaign (id),
    follows text,
    caps text,
    moved text,
    windows text,
    any_hour text,
    starts_at double precision,
    stops_at double precision,
    trial text,
    stage text,
    tried_at double precision
);
CREATE UNIQUE INDEX campaign_tag ON campaign (tag);

CREATE TABLE message_group (
    campaign bigint NOT NULL REFERENCES campaign (id),
    number bigint NOT NULL,
    message text NOT NULL,
    zones text NOT NULL DEFAULT '[]',
    priority integer NOT NULL DEFAULT 0,
    trial integer NOT NULL DEFAULT 0,
    PRIMARY KEY (campaign, number)
);

CREATE TABLE batch (
    campaign bigint NOT NULL REFERENCES campaign (id),
    number bigint NOT NULL,
    message_group bigint NOT NULL,
    state integer NOT NULL DEFAULT 0,
    size integer NOT NULL,
    in_flight integer NOT NULL DEFAULT 0,
    accepted integer NOT NULL DEFAULT 0,
    rejected integer NOT NULL DEFAULT 0,
    expired integer NOT NULL DEFAULT 0,
    not_sent integer NOT NULL DEFAULT 0,
    unknown integer NOT NULL DEFAULT 0,
    given_up integer NOT NULL DEFAULT 0,
    suppressed integer NOT NULL DEFAULT 0,
    attempts integer NOT NULL DEFAULT 0,
    claimed_at double precision,
    recorded_at double precision,
    claimed_by text,
    lost text,
    due_at double precision,
    closes_at double precision,
    claimed text,
    given_up_places text,
    late integer NOT NULL DEFAULT 0,
    outcome text NOT NULL DEFAULT 'pending',
    code text,
    description text NOT NULL DEFAULT '',
    exceptions bytea,
    transactions text,
    PRIMARY KEY (campaign, number)
) WITH (fillfactor = 50);
CREATE INDEX batch_claimed ON batch (campaign, claimed_at) WHERE claimed_at IS NOT NULL;

CREATE TABLE recipients (
    campaign bigint NOT NULL REFERENCES campaign (id),
    number bigint NOT NULL,
    kind text NOT NULL,
    packed bytea NOT NULL,
    ids bytea,
    widths bytea,
    rows bytea,
    as_came bytea,
    kept bytea,
    origins bytea,
    PRIMARY KEY (campaign, number)
);

CREATE TABLE tally_part (
    campaign bigint NOT NULL REFERENCES campaign (id),
    writer integer NOT NULL,
    planned bigint NOT NULL DEFAULT 0,
    in_flight bigint NOT NULL DEFAULT 0,
    accepted bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    expired bigint NOT NULL DEFAULT 0,
    not_sent bigint NOT NULL DEFAULT 0,
    unknown bigint NOT NULL DEFAULT 0,
    given_up bigint NOT NULL DEFAULT 0,
    suppressed bigint NOT NULL DEFAULT 0,
    asked bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (campaign, writer)
) WITH (fillfactor = 50);

CREATE VIEW tally AS SELECT
    campaign,
    sum(planned)::bigint AS planned,
    sum(planned - in_flight - accepted - rejected - expired - not_sent
        - unknown)::bigint AS pending,
    sum(in_flight)::bigint AS in_flight,
    sum(accepted)::bigint AS accepted,
    sum(rejected)::bigint AS rejected,
    sum(expired)::bigint AS expired,
    sum(not_sent)::bigint AS not_sent,
    sum(unknown)::bigint AS unknown,
    sum(given_up)::bigint AS given_up,
    sum(suppressed)::bigint AS suppressed,
    sum(asked)::bigint AS asked
FROM tally_part GROUP BY campaign;

CREATE FUNCTION tally_add(part tally_part) RETURNS void LANGUAGE sql AS $$
    INSERT INTO tally_part SELECT (part).*
    ON CONFLICT (campaign, writer) DO UPDATE SET
        planned = tally_part.planned + excluded.planned,
        in_flight = tally_part.in_flight + excluded.in_flight,
        accepted = tally_part.accepted + excluded.accepted,
        rejected = tally_part.rejected + excluded.rejected,
        expired = tally_part.expired + excluded.expired,
        not_sent = tally_part.not_sent + excluded.not_sent,
        unknown = tally_part.unknown + excluded.unknown,
        given_up = tally_part.given_up + excluded.given_up,
        suppressed = tally_part.suppressed + excluded.suppressed,
        asked = tally_part.asked + excluded.asked
$$;

CREATE FUNCTION tally_changes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM tally_part WHERE campaign = old.campaign;
        RETURN old;
    END IF;
    IF TG_OP = 'INSERT' THEN
        PERFORM tally_add(ROW(
            new.campaign, pg_backend_pid(), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)::tally_part);
    ELSE
        PERFORM tally_add(ROW(new.campaign, pg_backend_pid(),
            0, 0, 0, 0, 0, 0, 0, 0, 0, new.asked - old.asked)::tally_part);
    END IF;
    RETURN new;
END $$;
CREATE TRIGGER tally_changes INSTEAD OF INSERT OR UPDATE OR DELETE ON tally
FOR EACH ROW EXECUTE FUNCTION tally_changes();

CREATE FUNCTION batches_are_planned() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM tally_add(ROW(
        campaign, pg_backend_pid(), sum(size), 0, 0, 0, 0, 0, 0, 0, 0, 0)::tally_part)
    FROM planned GROUP BY campaign;
    RETURN NULL;
END $$;
CREATE TRIGGER batches_are_planned AFTER INSERT ON batch
REFERENCING NEW TABLE AS planned
FOR EACH STATEMENT EXECUTE FUNCTION batches_are_planned();

CREATE FUNCTION batch_is_counted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM tally_add(ROW(
        new.campaign, pg_backend_pid(),
        old.suppressed - new.suppressed,
        new.in_flight - old.in_flight,
        new.accepted - old.accepted,
        new.rejected - old.rejected,
        new.expired - old.expired,
        new.not_sent - old.not_sent,
        new.unknown - old.unknown,
        new.given_up - old.given_up,
        new.suppressed - old.suppressed, 0)::tally_part);
    RETURN NULL;
END $$;
CREATE TRIGGER batch_is_counted AFTER UPDATE OF
    in_flight, accepted, rejected, expired, not_sent, unknown, given_up, suppressed
ON batch FOR EACH ROW EXECUTE FUNCTION batch_is_counted();

CREATE TABLE outcome_time (
    campaign bigint NOT NULL REFERENCES campaign (id),
    at bigint NOT NULL,
    writer integer NOT NULL DEFAULT 0,
    accepted bigint NOT NULL,
    rejected bigint NOT NULL,
    expired bigint NOT NULL,
    not_sent bigint NOT NULL,
    unknown bigint NOT NULL,
    PRIMARY KEY (campaign, at, writer)
);

CREATE FUNCTION outcome_time_add(
    campaign bigint, moment double precision, accepted bigint, rejected bigint,
    expired bigint, not_sent bigint, unknown bigint
) RETURNS void LANGUAGE sql AS $$
    INSERT INTO outcome_time VALUES (
        $1, whole(coalesce($2, 0)), pg_backend_pid(), $3, $4, $5, $6, $7
    ) ON CONFLICT ON CONSTRAINT outcome_time_pkey DO UPDATE SET
        accepted = outcome_time.accepted + excluded.accepted,
        rejected = outcome_time.rejected + excluded.rejected,
        expired = outcome_time.expired + excluded.expired,
        not_sent = outcome_time.not_sent + excluded.not_sent,
        unknown = outcome_time.unknown + excluded.unknown
$$;

CREATE FUNCTION outcomes_have_times() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF old.accepted != new.accepted OR old.rejected != new.rejected
    OR old.expired != new.expired OR old.not_sent != new.not_sent THEN
        PERFORM outcome_time_add(
            new.campaign, new.recorded_at, new.accepted - old.accepted,
            new.rejected - old.rejected, new.expired - old.expired,
            new.not_sent - old.not_sent, 0);
    END IF;
    IF old.unknown != new.unknown THEN
        PERFORM outcome_time_add(
            new.campaign, coalesce(new.claimed_at, new.recorded_at),
            0, 0, 0, 0, new.unknown - old.unknown);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER outcomes_have_times AFTER UPDATE OF
    accepted, rejected, expired, not_sent, unknown
ON batch FOR EACH ROW EXECUTE FUNCTION outcomes_have_times();

CREATE TABLE index_run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    campaign bigint NOT NULL REFERENCES campaign (id)
);

CREATE TABLE index_page (
    run bigint NOT NULL REFERENCES index_run (id),
    first bigint NOT NULL,
    entries bytea NOT NULL,
    PRIMARY KEY (run, first)
);

CREATE TABLE history (
    campaign bigint NOT NULL REFERENCES campaign (id),
    at double precision NOT NULL,
    who text NOT NULL,
    event text NOT NULL,
    detail text,
    rowid bigint GENERATED ALWAYS AS IDENTITY -- as SQLite calls the order of coming
);
CREATE INDEX history_of ON history (campaign, rowid);

CREATE TABLE minute (
    campaign bigint NOT NULL REFERENCES campaign (id),
    minute bigint NOT NULL,
    recipients bigint NOT NULL,
    throttled bigint NOT NULL,
    rate double precision,
    PRIMARY KEY (campaign, minute)
);
"""
