"""
The tables of calls and of their receipts, as PostgreSQL's SQL.
"""

from __future__ import annotations

_TABLES = """
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
    was_offered integer NOT NULL DEFAULT 1,
    expired_as text,
    looked_at integer NOT NULL DEFAULT 0,
    PRIMARY KEY (campaign, number, recipient)
) WITH (fillfactor = 70);
CREATE INDEX call_expired ON call (campaign, number)
WHERE expired_as IS NOT NULL AND looked_at = 0;

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
"""

#: What is counted whenever more is known of a call, or nothing again, since its person
#: is due again.
_COUNTING = """
CREATE OR REPLACE FUNCTION call_is_counted() RETURNS trigger
LANGUAGE plpgsql AS $$
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
    ELSIF NOT is_new AND new.has_ended = 0 AND old.has_ended = 1 THEN
        UPDATE poll SET ended = ended - 1
        WHERE campaign = old.campaign AND number = old.number;
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
    ELSIF NOT is_new AND new.state = 'on_its_way' AND old.state != 'on_its_way' THEN
        UPDATE call_time SET number = number - 1
        WHERE campaign = old.campaign AND at = was_at
        AND state = old.state AND code = old.code;
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
"""

_REST = """
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
"""

#: The tables of calls.
CALLS = _TABLES + _COUNTING + _REST

#: What turns those of version 4 into those of version 5: who is due again, since their
#: request expired when their windows closed.
CALLS_FROM_4 = f"""
ALTER TABLE batch ADD COLUMN closes_at double precision;
ALTER TABLE call ADD COLUMN was_offered integer NOT NULL DEFAULT 1;
ALTER TABLE call ADD COLUMN expired_as text;
ALTER TABLE call ADD COLUMN looked_at integer NOT NULL DEFAULT 0;
CREATE INDEX call_expired ON call (campaign, number)
WHERE expired_as IS NOT NULL AND looked_at = 0;
{_COUNTING}
"""
