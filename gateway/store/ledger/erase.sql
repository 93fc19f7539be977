-- What one user leaves behind, removed: what was said and answered, what assistants kept, and what was sent or given up.
--
-- A turn is emptied and not deleted, because repeats of its message may still lead to it (dedupe keys): nothing is left of
-- it but its number, its times and an id of a user without a name.  forget_gone deletes both days later.  Every step can
-- be run again.

-- The user of this key; NULL: there is none, or not any more.
CREATE OR REPLACE FUNCTION erase_find(its_channel text, its_account text, its_key text) RETURNS bigint
LANGUAGE sql STABLE AS $$
    SELECT u.id FROM users u WHERE u.channel = its_channel AND u.account = its_account AND u.key = its_key
$$;

-- Empties up to rows_max of a user's turns from behind a turn on, and with each what was sent for it and its dead letters,
-- and clears what assistants keep for their conversations.  A conversation in which nobody else has spoken loses its key:
-- it may be the user's own, and the user's next message is to begin another one.
--
--   next_behind  where to go on; NULL: there are no more
--   busy         conversations that were left as they are, because a turn of theirs waits, or a reply is being sent:
--                whatever runs would write again what is removed here
--   emptied      turns; lanes: the conversations that were the user's alone; boxes, letters: how many rows went
CREATE OR REPLACE FUNCTION erase_turns(its_id bigint, behind bigint, rows_max integer)
RETURNS TABLE (next_behind bigint, busy bigint, emptied bigint[], lanes bigint[], boxes bigint, letters bigint)
LANGUAGE plpgsql AS $$
DECLARE
    seen    record;
    idle    bigint[];
    alone   bigint[];
    theirs  bigint[];
    sent    bigint[];
    told    bigint;
    told_of bigint;
BEGIN
    SELECT count(*) AS n, max(s.id) AS last, array_agg(s.id) AS turns,
           coalesce(array_agg(DISTINCT s.conversation_id), '{}') AS lanes
      INTO seen
    FROM (
        SELECT t.id, t.conversation_id FROM turns t WHERE t.user_id = its_id AND t.id > behind ORDER BY t.id LIMIT rows_max
    ) AS s;
    -- Lock in one statement, decide in the next, as everywhere.
    PERFORM 1 FROM (
        SELECT 1 FROM conversations c WHERE c.id = ANY (seen.lanes) ORDER BY c.id FOR UPDATE
    ) AS locked;
    -- With all that is to go, and all that may be taken to be sent: from here on nobody takes any of it.
    PERFORM 1 FROM (
        SELECT 1 FROM outbox o WHERE o.id = ANY (ARRAY(
            SELECT b.id FROM unnest(seen.lanes) AS l(id) CROSS JOIN LATERAL (
                SELECT w.id FROM outbox w WHERE w.conversation_id = l.id AND w.state IN ('pending', 'sending') OFFSET 0
            ) AS b
            UNION ALL
            SELECT b.id FROM unnest(seen.turns) AS t(id) CROSS JOIN LATERAL (
                SELECT w.id FROM outbox w WHERE w.turn_id = t.id OFFSET 0
            ) AS b
        )) ORDER BY o.id FOR UPDATE
    ) AS locked;
    idle := ARRAY(
        SELECT c.id FROM unnest(seen.lanes) AS l(id)
        CROSS JOIN LATERAL (SELECT * FROM conversations WHERE id = l.id OFFSET 0) AS c
        LEFT JOIN LATERAL (
            SELECT o.id FROM outbox o WHERE o.conversation_id = l.id AND o.state IN ('pending', 'sending')
              AND o.state || '' = 'sending' LIMIT 1 OFFSET 0
        ) AS o ON true
        WHERE c.last_seq = c.done_seq AND c.owner_process IS NULL AND o.id IS NULL
    );
    alone := ARRAY(
        SELECT l.id FROM unnest(idle) AS l(id)
        LEFT JOIN LATERAL (
            SELECT t.id FROM turns t
            CROSS JOIN LATERAL (SELECT u.gone_at FROM users u WHERE u.id = t.user_id OFFSET 0) AS u
            WHERE t.conversation_id = l.id AND t.user_id <> its_id AND u.gone_at IS NULL LIMIT 1 OFFSET 0
        ) AS other ON true
        WHERE other.id IS NULL
    );
    UPDATE turns AS t SET
        message = '{"kind": "text", "text": ""}', address = '{}', trace_id = '',
        reply = CASE WHEN t.reply IS NOT NULL THEN '{}'::jsonb END, detail = NULL, degraded = NULL
    WHERE t.id = ANY (seen.turns) AND t.conversation_id = ANY (idle);
    theirs := ARRAY(
        SELECT s.id FROM unnest(seen.turns) AS s(id)
        CROSS JOIN LATERAL (SELECT conversation_id FROM turns WHERE id = s.id OFFSET 0) AS t
        WHERE t.conversation_id = ANY (idle)
    );
    UPDATE conversations AS c SET
        state = NULL,
        key = CASE WHEN c.id = ANY (alone) THEN 'gone:' || c.id ELSE c.key END,
        gone_at = CASE WHEN c.id = ANY (alone) THEN coalesce(c.gone_at, clock_timestamp()) ELSE c.gone_at END
    WHERE c.id = ANY (idle);

    WITH gone AS (
        DELETE FROM outbox o WHERE o.turn_id = ANY (theirs) RETURNING o.id
    ) SELECT coalesce(array_agg(g.id), '{}') INTO sent FROM gone g;
    DELETE FROM dead_letters d WHERE d.turn_id = ANY (theirs);
    GET DIAGNOSTICS told = ROW_COUNT;
    DELETE FROM dead_letters d WHERE d.outbox_id = ANY (sent);
    GET DIAGNOSTICS told_of = ROW_COUNT;
    RETURN QUERY SELECT CASE WHEN seen.n = rows_max THEN seen.last END,
                        (cardinality(seen.lanes) - cardinality(idle))::bigint, theirs, alone,
                        cardinality(sent)::bigint, told + told_of;
END $$;

-- Jobs from behind an id on, with all in them that may tell of somebody.
CREATE OR REPLACE FUNCTION erase_look_at_jobs(behind bigint, rows_max integer)
RETURNS TABLE (job bigint, in_partition smallint, words text)
LANGUAGE sql STABLE AS $$
    SELECT j.id, j.partition,
           concat_ws(E'\n', j.lane, j.unique_key, j.payload::text, j.progress::text, j.result::text, j.detail)
    FROM jobs j WHERE j.id > behind ORDER BY j.id LIMIT rows_max
$$;

CREATE OR REPLACE FUNCTION erase_jobs(ids bigint[]) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
BEGIN
    PERFORM 1 FROM (
        SELECT 1 FROM jobs j WHERE j.id = ANY (ids) ORDER BY j.id FOR UPDATE
    ) AS locked;
    DELETE FROM jobs j WHERE j.id = ANY (ids);
    GET DIAGNOSTICS n = ROW_COUNT;
    DELETE FROM dead_letters d WHERE d.job_id = ANY (ids);
    RETURN n;
END $$;

-- Deliveries of an account that nobody understood, from behind an id on.
CREATE OR REPLACE FUNCTION erase_look_at_deliveries(its_channel text, its_account text, behind bigint, rows_max integer)
RETURNS TABLE (letter bigint, body bytea)
LANGUAGE sql STABLE AS $$
    SELECT d.id, d.body FROM dead_letters d
    WHERE d.channel = its_channel AND d.account = its_account AND d.kind = 'delivery' AND d.id > behind
    ORDER BY d.id LIMIT rows_max
$$;

CREATE OR REPLACE FUNCTION erase_deliveries(ids bigint[]) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
BEGIN
    DELETE FROM dead_letters d WHERE d.id = ANY (ids);
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END $$;

-- The last step: the user has no name any more, and neither has the job that asked for this.  false: something was said
-- behind the turn that was the last one, and is to be removed first.
CREATE OR REPLACE FUNCTION erase_end(its_id bigint, behind bigint, job bigint, new_payload text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM turns t WHERE t.user_id = its_id AND t.id > behind LIMIT 1;
    IF FOUND THEN
        RETURN false;
    END IF;
    UPDATE jobs AS j SET payload = new_payload::json WHERE j.id = job;
    PERFORM user_unname(ARRAY[its_id]);
    RETURN true;
END $$;
