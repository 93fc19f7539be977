-- The outbox: pending -> sending -> sent | not_sent | unknown; a retry goes back to pending with a later due_at.
-- Rows of a conversation are sent in the order of their ids, one at a time.
--
-- Each pending row has a carrier: an unfinished job 'reply.send' in the lane of its conversation, written in the
-- transaction that made the row pending.  A carrier is done only once it has found its row ended, so a row that becomes
-- pending again still has it, or gets a new one here: none is ever left behind.  A response that a process is writing at
-- this moment needs none until it becomes a push, and a push that its own settle gave to a gateway needs none until it
-- goes back.  One that is kept (kept_until) never becomes a push and has none: what
-- its own delivery did not carry is told in the response of a later one (outbox_tell).

-- Writes the carriers of pending rows, in the order given; a row that has one keeps it.  Answers the jobs' ids.  STRICT:
-- without rows (NULL) nothing is done.
CREATE OR REPLACE FUNCTION outbox_carry(boxes bigint[], conversations bigint[], traces text[], dues timestamptz[])
RETURNS bigint[]
LANGUAGE plpgsql STRICT AS $$
DECLARE
    ids     bigint[];
    at_once timestamptz := clock_timestamp();
BEGIN
    -- The transaction's number before any place, as in jobs_enqueue.
    PERFORM pg_current_xact_id();
    ids := ARRAY(SELECT nextval('job_places') FROM generate_subscripts(boxes, 1));
    INSERT INTO jobs (id, place, partition, priority, state, kind, lane, payload, due_at, unique_key, trace_id)
    SELECT c.id, c.id, job_partition(c.lane, c.id), 0,
           CASE WHEN c.due > at_once THEN 'scheduled' ELSE 'ready' END, 'reply.send', c.lane,
           ('{"outbox_id":' || c.box || '}')::json, greatest(c.due, at_once), 'outbox:' || c.box, c.trace
    FROM (
        SELECT u.id, u.box, 'conversation:' || u.conversation AS lane, u.trace, u.due
        FROM unnest(ids, boxes, conversations, traces, dues) AS u(id, box, conversation, trace, due)
    ) AS c
    ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL AND state IN ('ready', 'scheduled') DO NOTHING;
    RETURN ids;
END $$;

-- Takes these rows for this process, to be sent.  Answers one row an id, unless this process was declared dead:
--   found    'taken'      it is to be sent now; also one that this process took already: the answer to that was lost,
--                         and only the process itself knows whether it has begun (it asks for none that it has)
--            'earlier'    an earlier row of the conversation is not ended yet
--            'early'      not due for wait_s more seconds
--            'elsewhere'  another process is sending it
--            'ended'      or gone
-- A response that nobody wrote into its HTTP response is due once its caller has certainly left; it is a push from here on.
CREATE OR REPLACE FUNCTION outbox_take(me bigint, my_epoch bigint, ids bigint[]) RETURNS TABLE (
    id bigint, found text, wait_s float8, conversation_id bigint, turn_id bigint, channel text, account text,
    trace_id text, payload jsonb, attempts integer, maybe_repeat boolean, age_s float8
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    at_once timestamptz;
BEGIN
    PERFORM 1 FROM processes p WHERE p.id = me AND p.epoch = my_epoch AND p.beat IS NOT NULL FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    PERFORM 1 FROM (
        SELECT 1 FROM outbox o WHERE o.id = ANY (ids) ORDER BY o.id FOR UPDATE
    ) AS locked;
    at_once := clock_timestamp();
    RETURN QUERY
    WITH looked AS MATERIALIZED (
        SELECT a.id,
               CASE WHEN b.state = 'sending' AND b.claimed_process = me AND b.claimed_epoch = my_epoch THEN 'taken'
                    WHEN b.state = 'sending' THEN 'elsewhere'
                    WHEN b.state IS DISTINCT FROM 'pending' THEN 'ended'
                    WHEN EXISTS (
                        -- OFFSET 0: what is open of the conversation first.  Where the table was last analysed when it had
                        -- a few rows, all that is earlier looks like less.
                        SELECT 1 FROM (
                            SELECT w.id, w.kept_until FROM outbox w
                            WHERE w.conversation_id = b.conversation_id AND w.state IN ('pending', 'sending') OFFSET 0
                        ) AS e WHERE e.id < b.id AND e.kept_until IS NULL
                    ) THEN 'earlier'
                    WHEN b.due_at > at_once THEN 'early' ELSE 'taken' END AS found,
               greatest(0, extract(epoch FROM b.due_at - at_once))::float8 AS wait_s
        FROM unnest(ids) AS a(id)
        LEFT JOIN LATERAL (SELECT * FROM outbox WHERE id = a.id OFFSET 0) AS b ON true
    ), taken AS (
        UPDATE outbox AS o SET
            state = 'sending', kind = 'push', attempts = o.attempts + (o.state = 'pending')::integer,
            claimed_process = me, claimed_epoch = my_epoch
        WHERE o.id = ANY (ARRAY(SELECT l.id FROM looked l WHERE l.found = 'taken'))
        RETURNING o.*
    )
    SELECT l.id, l.found, l.wait_s, t.conversation_id, t.turn_id, t.channel, t.account, t.trace_id, t.payload,
           t.attempts, t.maybe_repeat, extract(epoch FROM at_once - t.created_at)::float8
    FROM looked l LEFT JOIN taken t ON t.id = l.id;
END $$;

-- A caller whose turn ran elsewhere takes the response that waits for it.  No row: somebody else has it.
CREATE OR REPLACE FUNCTION outbox_claim_responses(me bigint, my_epoch bigint, turns bigint[])
RETURNS TABLE (id bigint, turn_id bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM 1 FROM processes p WHERE p.id = me AND p.epoch = my_epoch AND p.beat IS NOT NULL FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    RETURN QUERY
    UPDATE outbox AS o SET state = 'sending', attempts = o.attempts + 1, claimed_process = me, claimed_epoch = my_epoch
    WHERE o.id = ANY (ARRAY(
        -- || '': so that no index over what waits fits, which would be read whole by a plan made while nothing did; and
        -- found before they are put in order, for which another index would be read whole.
        SELECT w.id FROM outbox w
        WHERE w.id = ANY (ARRAY(
            SELECT b.id FROM unnest(turns) AS t(id)
            CROSS JOIN LATERAL (SELECT o.id FROM outbox o WHERE o.turn_id = t.id OFFSET 0) AS b
        )) AND w.kind = 'response' AND w.state || '' = 'pending'
        ORDER BY w.id FOR UPDATE SKIP LOCKED
    ))
    RETURNING o.id, o.turn_id;
END $$;

-- Writes what became of sends: 'sent' | 'not_sent' | 'unknown' | 'retry' (after so many seconds) | 'wait' (the same, and
-- it was no try) | 'push' (a response that could not be written and goes the other way).  A row that is no longer this
-- process's stays as it is: only the ids that were written come back.  An unknown is sent again only where the row says
-- so, once, and then marked: without that bound a user could get copies without end.
CREATE OR REPLACE FUNCTION outbox_finish(
    me bigint, my_epoch bigint, ids bigint[], fates text[], reasons text[], details text[], platform_ids text[],
    after_s float8[]
) RETURNS SETOF bigint
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    box      record;
    i        integer;
    -- By end: where its row is, if it is this process's.  Of its full length from the beginning: an array that is begun
    -- in its middle counts from there.
    places   tid[] := array_fill(NULL::tid, ARRAY[cardinality(ids)]);
    again    boolean[];  -- it is sent again, marked
    back     boolean[];  -- it is pending again
    unsent   boolean := false;
    returned boolean := false;
BEGIN
    FOR box IN
        SELECT o.ctid AS at, o.id, o.resend_unknown AND NOT o.maybe_repeat AS resend,
               o.state = 'sending' AND o.claimed_process = me AND o.claimed_epoch = my_epoch AS mine
        FROM outbox o WHERE o.id = ANY (ids) ORDER BY o.id FOR UPDATE
    LOOP
        CONTINUE WHEN box.mine IS NOT TRUE;
        i := array_position(ids, box.id);
        places[i] := box.at;
        again[i] := fates[i] = 'unknown' AND box.resend;
        back[i] := again[i] OR fates[i] IN ('retry', 'wait', 'push');
        unsent := unsent OR fates[i] <> 'sent';
        returned := returned OR back[i];
        RETURN NEXT box.id;
    END LOOP;
    -- By where the row is, which stays so while it is locked: a plan that was made on a table known to be empty would read
    -- all of a history to find it by its id.
    UPDATE outbox AS o SET
        state = CASE WHEN back[f.i] THEN 'pending' ELSE fates[f.i] END,
        kind = CASE WHEN (fates[f.i] = 'push' OR again[f.i]) AND o.kept_until IS NULL THEN 'push' ELSE o.kind END,
        due_at = CASE WHEN back[f.i] THEN clock_timestamp() + make_interval(secs => after_s[f.i]) ELSE o.due_at END,
        attempts = o.attempts - (fates[f.i] = 'wait')::integer,
        maybe_repeat = o.maybe_repeat OR again[f.i],
        reason = reasons[f.i], detail = details[f.i], platform_id = platform_ids[f.i],
        finished_at = CASE WHEN NOT back[f.i] THEN clock_timestamp() END
    FROM unnest(places) WITH ORDINALITY AS f(at, i) WHERE o.ctid = f.at;
    IF unsent THEN
        INSERT INTO dead_letters (kind, channel, account, conversation_id, turn_id, outbox_id, reason, detail)
        SELECT 'outbox', o.channel, o.account, o.conversation_id, o.turn_id, o.id,
               o.state || ': ' || coalesce(o.reason, ''), coalesce(o.detail, '')
        FROM unnest(ids) WITH ORDINALITY AS f(id, i)
        CROSS JOIN LATERAL (SELECT * FROM outbox WHERE id = f.id OFFSET 0) AS o
        WHERE NOT back[f.i] AND fates[f.i] <> 'sent';
    END IF;
    IF returned THEN
        PERFORM outbox_carry(array_agg(o.id ORDER BY o.id), array_agg(o.conversation_id ORDER BY o.id),
                             array_agg(o.trace_id ORDER BY o.id), array_agg(o.due_at ORDER BY o.id))
        FROM unnest(ids) WITH ORDINALITY AS f(id, i)
        CROSS JOIN LATERAL (SELECT * FROM outbox WHERE id = f.id OFFSET 0) AS o
        WHERE back[f.i] AND o.kept_until IS NULL;
    END IF;
END $$;

-- Looks at up to rows_max pending rows, those that are due from behind a time on, and mends those without a carrier,
-- which no function here leaves: gives them one (a process of an earlier version wrote them, or an operator dropped
-- it), or ends them where theirs was buried, because they would hold back their conversation for ever.  Kept rows need
-- none; those that nobody came for in time are ended.
-- next_due: where to look from the next time; NULL: from the beginning.
-- Planned anew at each call, which is rare: of two indexes over what is buried a plan made on an empty table may take the
-- one that must be read whole.
CREATE OR REPLACE FUNCTION outbox_mend(behind timestamptz, rows_max integer)
RETURNS TABLE (next_due timestamptz, carried bigint, given_up bigint)
LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
    looked bigint;
    last   timestamptz;
    bare   bigint[];
    buried bigint[] := '{}';
    stale  bigint[];
BEGIN
    WITH seen AS MATERIALIZED (
        SELECT o.id, o.due_at, o.kept_until FROM outbox o
        WHERE o.state = 'pending' AND o.due_at > coalesce(behind, '-infinity') ORDER BY o.due_at LIMIT rows_max
    )
    SELECT count(*), max(s.due_at), array_agg(s.id) FILTER (WHERE c.id IS NULL AND s.kept_until IS NULL),
           array_agg(s.id) FILTER (WHERE s.kept_until <= clock_timestamp())
      INTO looked, last, bare, stale
    FROM seen s LEFT JOIN LATERAL (
        SELECT j.id FROM jobs j WHERE j.unique_key = 'outbox:' || s.id AND j.state IN ('ready', 'scheduled') OFFSET 0
    ) AS c ON true;
    bare := coalesce(bare, '{}');
    stale := coalesce(stale, '{}');
    IF cardinality(stale) > 0 THEN
        stale := ARRAY(SELECT o.id FROM outbox o WHERE o.id = ANY (stale) AND o.state || '' = 'pending'
                       ORDER BY o.id FOR UPDATE SKIP LOCKED);
        WITH ended AS (
            UPDATE outbox AS o SET state = 'not_sent', reason = 'kept_too_long', finished_at = clock_timestamp()
            WHERE o.id = ANY (stale) RETURNING o.*
        )
        INSERT INTO dead_letters (kind, channel, account, conversation_id, turn_id, outbox_id, reason, detail)
        SELECT 'outbox', e.channel, e.account, e.conversation_id, e.turn_id, e.id, 'not_sent: kept_too_long',
               'it was kept for the next turn, and its user did not come back in time'
        FROM ended e;
    END IF;
    IF cardinality(bare) > 0 THEN
        -- What became of them meanwhile is somebody else's doing, and right.
        bare := ARRAY(SELECT o.id FROM outbox o WHERE o.id = ANY (bare) AND o.state = 'pending'
                      ORDER BY o.id FOR UPDATE SKIP LOCKED);
        buried := ARRAY(SELECT b.id FROM unnest(bare) AS b(id) CROSS JOIN LATERAL (
            -- BETWEEN, and in order: so that of two indexes over what is buried the one that has the keys is better even
            -- where nothing is believed to be buried.
            SELECT 1 FROM jobs j
            WHERE j.state = 'buried' AND j.unique_key BETWEEN 'outbox:' || b.id AND 'outbox:' || b.id
            ORDER BY j.unique_key LIMIT 1
        ) AS c);
        PERFORM outbox_carry(array_agg(o.id ORDER BY o.id), array_agg(o.conversation_id ORDER BY o.id),
                             array_agg(o.trace_id ORDER BY o.id), array_agg(o.due_at ORDER BY o.id))
        FROM outbox o WHERE o.id = ANY (bare) AND o.id <> ALL (buried);
        WITH ended AS (
            UPDATE outbox AS o SET state = 'not_sent', reason = 'job_buried', finished_at = clock_timestamp()
            WHERE o.id = ANY (buried) RETURNING o.*
        )
        INSERT INTO dead_letters (kind, channel, account, conversation_id, turn_id, outbox_id, reason, detail)
        SELECT 'outbox', e.channel, e.account, e.conversation_id, e.turn_id, e.id, 'not_sent: job_buried',
               'the job that should have sent it was given up'
        FROM ended e;
    END IF;
    RETURN QUERY SELECT CASE WHEN looked = rows_max THEN last END, (cardinality(bare) - cardinality(buried))::bigint,
                        (cardinality(buried) + cardinality(stale))::bigint;
END $$;

-- Rows not yet ended, by account: what the bound on outbox rows is held against.  Without what is kept, which waits for
-- its user and not for us.
CREATE OR REPLACE FUNCTION outbox_counts() RETURNS TABLE (channel text, account text, rows bigint)
LANGUAGE sql STABLE AS $$
    SELECT channel, account, count(*) FROM outbox
    WHERE state IN ('pending', 'sending') AND kept_until IS NULL GROUP BY channel, account
$$;

-- Rows that the ledger says this process is sending.  What it knows nothing of (the answer to its claim was lost) it
-- has certainly not sent.
CREATE OR REPLACE FUNCTION outbox_owned(me bigint, my_epoch bigint) RETURNS SETOF bigint
LANGUAGE sql STABLE AS $$
    SELECT id FROM outbox WHERE state = 'sending' AND claimed_process = me AND claimed_epoch = my_epoch
$$;
