"""
The table of the rate that all processes share, as PostgreSQL's SQL.

How the rate falls and comes back is said in `model.pace` alone; a row holds what came
of that. Here is what must be decided in the statement that takes: GCRA, and whose turn
it is.
"""

from __future__ import annotations

#: What a schema gets for it.
PACE = """
CREATE TYPE pace_waiter AS (
    taker text,
    urgency integer,
    number integer,
    since double precision,
    until double precision
);

CREATE TABLE pace (
    name text PRIMARY KEY,
    version bigint NOT NULL DEFAULT 0,
    due double precision NOT NULL DEFAULT '-Infinity',
    rate double precision,
    most integer NOT NULL DEFAULT 1000,
    ceiling double precision,
    searches boolean NOT NULL DEFAULT false,
    changed_at double precision NOT NULL DEFAULT '-Infinity',
    regained_at double precision NOT NULL DEFAULT '-Infinity',
    raise_at double precision NOT NULL DEFAULT 'Infinity',
    held_until double precision NOT NULL DEFAULT '-Infinity',
    shares double precision[] NOT NULL
        DEFAULT '[0:3]={-Infinity,-Infinity,-Infinity,-Infinity}',
    waiting pace_waiter[] NOT NULL DEFAULT '{}'
) WITH (fillfactor = 10);
INSERT INTO pace (name) VALUES ('tenant');

CREATE TABLE campaign_pace (
    campaign text PRIMARY KEY,
    due double precision NOT NULL,
    used_at double precision NOT NULL
) WITH (fillfactor = 50);

-- For how long a class that waits could not have its share, a twentieth of the rate;
-- below 0, when that comes. It is the same for all of a class, however much they want,
-- so that they go in the order in which they came.
CREATE FUNCTION pace_is_owed(
    tenant pace, urgency integer, moment double precision
) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN urgency = 0 THEN '-Infinity' ELSE moment - least(
        tenant.shares[urgency], moment + 20 * tenant.most / tenant.rate
    ) END
$$;

-- Whose turn comes first: those in a hurry, then the classes in their order. Before
-- the classes goes who is owed its share; before all, who is so for as long as four
-- requests take.
CREATE FUNCTION pace_rank(
    tenant pace, waiter pace_waiter, moment double precision
) RETURNS integer LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN pace_is_owed(tenant, waiter.urgency, moment)
            >= 4 * tenant.most / tenant.rate THEN 0
        WHEN waiter.urgency = 0 THEN 1
        WHEN pace_is_owed(tenant, waiter.urgency, moment) >= 0 THEN 2
        ELSE 2 + waiter.urgency END
$$;

CREATE FUNCTION pace_take(
    taker text, urgency integer, wanted integer, ahead double precision,
    of_campaign text, own_rate double precision, own_most integer,
    told_moment double precision,
    OUT number integer, OUT wait double precision, OUT held double precision,
    OUT raises boolean, OUT moment double precision, OUT tenant pace
) LANGUAGE plpgsql AS $$
DECLARE
    me pace_waiter;
    others pace_waiter[];
    cost double precision := 0;
    burst double precision := 0;
    base double precision;
    before double precision;
    shared_wait double precision := 0;
    owed double precision;
    own_due double precision;
    own_wait double precision := 0;
    is_first boolean := true;
BEGIN
    number := 0; wait := 0; held := 0; raises := false;
    SELECT * INTO STRICT tenant FROM pace WHERE name = 'tenant';
    moment := coalesce(told_moment, life_clock());
    IF tenant.rate IS NULL AND own_rate IS NULL AND tenant.held_until <= moment THEN
        number := wanted; -- the rule where no limit is known
        RETURN;
    END IF;

    SELECT * INTO STRICT tenant FROM pace WHERE name = 'tenant' FOR UPDATE;
    -- Not before the others are done.
    moment := coalesce(told_moment, life_clock());
    IF moment < tenant.held_until THEN
        held := tenant.held_until - moment;
        RETURN;
    END IF;
    IF moment >= tenant.raise_at THEN
        raises := true;
        RETURN;
    END IF;
    number := least(wanted, tenant.most, own_most);
    me := ROW(taker, urgency, number, moment, moment);

    IF own_rate IS NOT NULL THEN
        SELECT due INTO own_due FROM campaign_pace WHERE campaign = of_campaign
        FOR UPDATE;
        own_due := coalesce(own_due, '-Infinity');
        -- Never longer than one request at the present rate, whatever it was before,
        -- and wherever the clock was set; but what was told ahead counts.
        own_due := least(own_due, moment + own_most / own_rate + 1);
        own_wait := greatest(own_due, moment)
            + number / own_rate - own_most / own_rate - moment;
    END IF;

    IF tenant.rate IS NOT NULL THEN
        cost := number / tenant.rate;
        burst := tenant.most / tenant.rate;
        base := greatest(least(tenant.due, moment + burst + 1), moment);
        shared_wait := base + cost - burst - moment;
        SELECT since INTO me.since FROM unnest(tenant.waiting) AS waiter
        WHERE waiter.taker = me.taker AND waiter.urgency = me.urgency
        AND waiter.until > moment;
        me.since := coalesce(me.since, moment);
        SELECT array_agg(waiter) INTO others FROM unnest(tenant.waiting) AS waiter
        WHERE waiter.until > moment
        AND (waiter.taker != me.taker OR waiter.urgency != me.urgency);
        others := coalesce(others, '{}');
        -- Who comes after it wanted nothing for a while is owed nothing yet.
        IF me.since = moment
        AND tenant.shares[urgency] < moment - 4 * burst - 0.1
        AND NOT EXISTS (
            SELECT FROM unnest(others) AS waiter WHERE waiter.urgency = me.urgency
        ) THEN
            tenant.shares[urgency] := moment;
        END IF;
        -- Only the first of a class has its share when that is owed; the next of them
        -- are where they usually are by then.
        SELECT coalesce(sum(each.number), 0) / tenant.rate INTO before
        FROM (
            SELECT *, pace_rank(tenant, waiter, moment) AS rank,
            2 + waiter.urgency - (waiter.urgency = 0)::integer AS later,
            row_number() OVER (
                PARTITION BY waiter.urgency ORDER BY waiter.since, waiter.taker
            ) = 1 AS leads
            FROM unnest(others) AS waiter
        ) AS each
        WHERE (CASE WHEN leads THEN rank ELSE later END, each.since, each.taker)
            < (pace_rank(tenant, me, moment), me.since, me.taker);
        is_first := before = 0;
    END IF;

    IF is_first AND shared_wait <= ahead AND own_wait <= ahead THEN
        wait := greatest(shared_wait, own_wait, 0);
        IF tenant.rate IS NOT NULL THEN
            UPDATE pace SET
                due = greatest(base, moment + wait) + cost,
                waiting = others,
                -- Who had more than that is owed nothing, but not in debt either.
                shares[me.urgency] = least(
                    greatest(tenant.shares[me.urgency], moment + wait - 4 * burst)
                        + 20 * cost,
                    moment + wait + 20 * burst
                )
            WHERE name = 'tenant';
        END IF;
        IF own_rate IS NOT NULL THEN
            INSERT INTO campaign_pace VALUES (
                of_campaign,
                greatest(own_due, moment + wait) + number / own_rate, moment
            ) ON CONFLICT (campaign) DO UPDATE SET
                due = excluded.due, used_at = excluded.used_at;
        END IF;
        RETURN;
    END IF;

    IF NOT is_first THEN
        -- Until those before are gone, or it comes before them.
        owed := pace_is_owed(tenant, urgency, moment);
        shared_wait := greatest(0.02, shared_wait, least(
            shared_wait + before,
            CASE WHEN owed < 0 THEN -owed ELSE 4 * burst - owed END
        ));
    END IF;
    wait := greatest(shared_wait, own_wait);
    number := 0;
    IF tenant.rate IS NOT NULL THEN
        -- Who waits for its campaign's own rate keeps nobody waiting.
        IF own_wait <= shared_wait THEN
            me.until := moment + least(wait, 0.5) + 0.1;
            others := others || me;
        END IF;
        UPDATE pace SET waiting = others, shares = tenant.shares WHERE name = 'tenant';
    END IF;
END $$;

-- Whether what came of a refusal for speed, or of its owner's will, is written down.
-- If not, another was faster, and it has to be thought about anew.
CREATE FUNCTION pace_change(
    known bigint, new_rate double precision, new_most integer,
    new_ceiling double precision, new_searches boolean,
    new_changed_at double precision, new_regained_at double precision,
    new_raise_at double precision, new_held_until double precision,
    moment double precision
) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
    -- What was taken may be forgotten in a crash that takes longer; this may not.
    PERFORM set_config('synchronous_commit', 'on', true);
    UPDATE pace SET
        version = version + 1,
        -- No one waits for more than one request at the new rate.
        due = least(due, moment + new_most / new_rate),
        rate = new_rate, most = new_most, ceiling = new_ceiling,
        searches = new_searches, changed_at = new_changed_at,
        regained_at = new_regained_at, raise_at = new_raise_at,
        held_until = new_held_until
    WHERE name = 'tenant' AND version = known;
    RETURN FOUND;
END $$;
"""
