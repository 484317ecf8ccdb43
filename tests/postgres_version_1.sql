-- The tables of version 1, as it made them.

CREATE TABLE ledger_version (version integer NOT NULL);

CREATE FUNCTION life_clock() RETURNS double precision LANGUAGE sql VOLATILE
AS 'SELECT extract(epoch FROM clock_timestamp())::double precision';

CREATE FUNCTION whole(double precision) RETURNS bigint LANGUAGE sql IMMUTABLE
AS 'SELECT floor($1)::bigint';

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
    holder text,
    heartbeat_at double precision,
    throughput double precision,
    waiting text,
    waiting_since double precision,
    held_until double precision,
    parent bigint REFERENCES campaign (id),
    follows text,
    caps text,
    moved text
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

CREATE TABLE call (
    campaign bigint NOT NULL REFERENCES campaign (id),
    number bigint NOT NULL,
    recipient integer NOT NULL,
    state text NOT NULL,
    rank integer NOT NULL,
    code text NOT NULL,
    words text NOT NULL,
    at double precision,
    answered_at double precision,
    ended_at double precision,
    heard integer NOT NULL,
    has_ended integer NOT NULL,
    received_at double precision NOT NULL,
    transactions text,
    bodies text NOT NULL,
    PRIMARY KEY (campaign, number, recipient)
) WITH (fillfactor = 70);

CREATE TABLE poll (
    campaign bigint NOT NULL REFERENCES campaign (id),
    number bigint NOT NULL,
    ended integer NOT NULL DEFAULT 0,
    asked_at double precision,
    asked text,
    PRIMARY KEY (campaign, number)
);

CREATE TABLE call_tally (
    campaign bigint NOT NULL REFERENCES campaign (id),
    state text NOT NULL,
    heard integer NOT NULL,
    number bigint NOT NULL,
    PRIMARY KEY (campaign, state, heard)
);

CREATE TABLE call_time (
    campaign bigint NOT NULL REFERENCES campaign (id),
    at bigint NOT NULL,
    state text NOT NULL,
    code text NOT NULL,
    number bigint NOT NULL,
    PRIMARY KEY (campaign, at, state, code)
);

CREATE TABLE picked_up (
    campaign bigint NOT NULL REFERENCES campaign (id),
    seconds bigint NOT NULL,
    number bigint NOT NULL,
    PRIMARY KEY (campaign, seconds)
);

CREATE FUNCTION call_is_counted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    is_new boolean := TG_OP = 'INSERT';
    ended_at bigint := whole(coalesce(new.at, new.received_at) / 10);
    was_at bigint;
    waited double precision;
BEGIN
    IF new.has_ended = 1 AND (is_new OR old.has_ended = 0) THEN
        INSERT INTO poll (campaign, number, ended)
        VALUES (new.campaign, new.number, 1)
        ON CONFLICT (campaign, number) DO UPDATE SET ended = poll.ended + 1;
    END IF;

    IF is_new OR old.state != new.state OR old.heard != new.heard THEN
        IF NOT is_new THEN
            UPDATE call_tally SET number = number - 1
            WHERE campaign = old.campaign AND state = old.state AND heard = old.heard;
        END IF;
        INSERT INTO call_tally VALUES (new.campaign, new.state, new.heard, 1)
        ON CONFLICT (campaign, state, heard)
        DO UPDATE SET number = call_tally.number + 1;
    END IF;

    IF NOT is_new THEN
        was_at := whole(coalesce(old.at, old.received_at) / 10);
    END IF;
    IF new.state != 'on_its_way' AND (
        is_new OR old.state != new.state OR old.code != new.code OR was_at != ended_at
    ) THEN
        IF NOT is_new THEN
            UPDATE call_time SET number = number - 1
            WHERE campaign = old.campaign AND at = was_at
            AND state = old.state AND code = old.code;
        END IF;
        INSERT INTO call_time VALUES (new.campaign, ended_at, new.state, new.code, 1)
        ON CONFLICT (campaign, at, state, code)
        DO UPDATE SET number = call_time.number + 1;
    END IF;

    IF new.answered_at IS NOT NULL AND (is_new OR old.answered_at IS NULL) THEN
        SELECT new.answered_at - claimed_at INTO waited FROM batch
        WHERE campaign = new.campaign AND number = new.number;
        IF waited >= -60 THEN
            INSERT INTO picked_up VALUES (
                new.campaign,
                CASE WHEN waited < 0 THEN 0
                     WHEN waited < 120 THEN whole(waited)
                     WHEN waited < 86400 THEN whole(waited / 60) * 60
                     ELSE 86400 END,
                1
            ) ON CONFLICT (campaign, seconds)
            DO UPDATE SET number = picked_up.number + 1;
        END IF;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER call_is_counted AFTER INSERT OR UPDATE ON call
FOR EACH ROW EXECUTE FUNCTION call_is_counted();

CREATE TABLE proof (
    campaign bigint NOT NULL REFERENCES campaign (id),
    number bigint NOT NULL,
    places text NOT NULL,
    pending integer NOT NULL,
    in_flight integer NOT NULL,
    rejected integer NOT NULL,
    expired integer NOT NULL,
    not_sent integer NOT NULL,
    unknown integer NOT NULL,
    suppressed integer NOT NULL,
    given_up integer NOT NULL,
    accepted integer GENERATED ALWAYS AS (
        pending + in_flight + rejected + expired + not_sent + unknown + suppressed
    ) STORED,
    PRIMARY KEY (campaign, number)
);

CREATE FUNCTION proof_is_counted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed proof := CASE TG_OP WHEN 'INSERT' THEN new ELSE old END;
    times integer := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
    sent_at double precision;
    heard_at double precision;
BEGIN
    PERFORM tally_add(ROW(
        changed.campaign, pg_backend_pid(),
        times * changed.suppressed,
        -times * changed.in_flight,
        times * (changed.pending + changed.in_flight + changed.rejected
                 + changed.expired + changed.not_sent + changed.unknown
                 + changed.suppressed),
        -times * changed.rejected,
        -times * changed.expired,
        -times * changed.not_sent,
        -times * changed.unknown,
        -times * changed.given_up,
        -times * changed.suppressed, 0)::tally_part);
    SELECT claimed_at, coalesce(
        (SELECT max(received_at) FROM call WHERE call.campaign = changed.campaign
         AND call.number = changed.number), recorded_at)
    INTO sent_at, heard_at FROM batch
    WHERE batch.campaign = changed.campaign AND batch.number = changed.number;
    PERFORM outcome_time_add(
        changed.campaign, heard_at, times * (
            changed.pending + changed.in_flight + changed.rejected + changed.expired
            + changed.not_sent + changed.unknown + changed.suppressed),
        -times * changed.rejected, -times * changed.expired,
        -times * changed.not_sent, 0);
    PERFORM outcome_time_add(
        changed.campaign, sent_at, 0, 0, 0, 0, -times * changed.unknown);
    RETURN NULL;
END $$;
CREATE TRIGGER proof_is_counted AFTER INSERT OR DELETE ON proof
FOR EACH ROW EXECUTE FUNCTION proof_is_counted();

CREATE TABLE body_block (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at double precision NOT NULL,
    number integer NOT NULL,
    packed bytea NOT NULL
);

CREATE TABLE aside (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    body text NOT NULL,
    received_at double precision NOT NULL,
    transaction_id text NOT NULL,
    report bytea,
    again_at double precision
);
CREATE INDEX aside_of_transaction ON aside (transaction_id) WHERE transaction_id != '';
CREATE INDEX aside_again ON aside (again_at) WHERE again_at IS NOT NULL;

CREATE TABLE receipt_count (
    received bigint NOT NULL DEFAULT 0,
    refused bigint NOT NULL DEFAULT 0,
    unplaced bigint NOT NULL DEFAULT 0,
    unreadable bigint NOT NULL DEFAULT 0,
    last_at double precision
);
INSERT INTO receipt_count DEFAULT VALUES;

CREATE FUNCTION aside_is_counted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed aside := CASE TG_OP WHEN 'INSERT' THEN new ELSE old END;
    times integer := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
BEGIN
    UPDATE receipt_count
    SET unplaced = unplaced + times * (changed.report IS NOT NULL)::integer,
        unreadable = unreadable + times * (changed.report IS NULL)::integer;
    RETURN NULL;
END $$;
CREATE TRIGGER aside_is_counted AFTER INSERT OR DELETE ON aside
FOR EACH ROW EXECUTE FUNCTION aside_is_counted();

INSERT INTO ledger_version VALUES (1);
