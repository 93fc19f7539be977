-- Messages that answer nothing: reminders, timers, news.  Each is a turn of its own without a word of its user's, written
-- and settled at once, so that it stands in the transcript where it was said and web chat shows it like any other.

-- Where such a message goes: the user, surface and address of the conversation's last turn that has an address: one whose
-- user was erased has none.  What was pushed has one, or each push would look further back than the one before it.  No
-- row: nobody has spoken, as far as is known.
CREATE OR REPLACE FUNCTION ledger_push_place(lane bigint) RETURNS TABLE (
    channel text, account text, key text, user_id bigint, surface text, address jsonb
) LANGUAGE sql STABLE AS $$
    SELECT c.channel, c.account, c.key, t.user_id, t.surface, t.address
    FROM (SELECT * FROM conversations WHERE id = lane OFFSET 0) AS c
    CROSS JOIN LATERAL (
        SELECT * FROM turns WHERE conversation_id = c.id AND seq <= c.last_seq AND address <> '{}'
        ORDER BY seq DESC LIMIT 1
    ) AS t
$$;

-- Writes the message, the outbox rows of its payloads, and the jobs that carry those.  Only while the lane has no work:
-- a turn that waits or runs comes first, with its answer.
--   kept       seconds for which it is told in a later response, where nothing can be sent; NULL: it is sent
--   once       the name by which this message is known to have been written, for as long as dedupe keys are kept
--   outcome    'done' | 'again' (it was written before) | 'busy' (the lane has work) | 'gone' (no such conversation)
--   push_jobs  the jobs that carry what was written now
-- Lock order as in ledger_accept: dedupe keys, conversations, turns.
CREATE OR REPLACE FUNCTION ledger_push_message(
    me bigint, lane bigint, once text, user_row bigint, its_surface text, its_address jsonb, its_message jsonb,
    its_reply jsonb, its_degraded jsonb, trace text, payloads jsonb[], resend boolean, kept float8
) RETURNS TABLE (outcome text, turn bigint, turn_seq bigint, push_jobs bigint[])
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    new_turn bigint := nextval('turn_ids');
    it       record;
    boxes    bigint[];
    jobs     bigint[];
    at_once  timestamptz := clock_timestamp();
BEGIN
    INSERT INTO dedupe_keys (key, turn_id) VALUES (once, new_turn) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        -- A statement of its own, because the one that lost cannot see the winner.
        RETURN QUERY SELECT 'again', t.id, t.seq, '{}'::bigint[]
        FROM dedupe_keys d LEFT JOIN turns t ON t.id = d.turn_id WHERE d.key = once;
        RETURN;
    END IF;
    SELECT c.channel, c.account, c.last_seq, c.done_seq INTO it FROM conversations c WHERE c.id = lane FOR UPDATE;
    IF NOT FOUND OR it.last_seq > it.done_seq THEN
        -- Nothing was written, so nothing may seem to have been.
        DELETE FROM dedupe_keys d WHERE d.key = once;
        RETURN QUERY SELECT CASE WHEN it.last_seq IS NULL THEN 'gone' ELSE 'busy' END, NULL::bigint, NULL::bigint,
                            '{}'::bigint[];
        RETURN;
    END IF;
    INSERT INTO turns (id, conversation_id, seq, state, user_id, surface, address, message, trace_id, accepted_by,
                       accepted_at, settled_at, reply, degraded)
    VALUES (new_turn, lane, it.last_seq + 1, 'answered', user_row, its_surface, its_address, its_message, trace, me,
            at_once, at_once, its_reply, its_degraded);
    UPDATE conversations AS c SET last_seq = c.last_seq + 1, done_seq = c.done_seq + 1, active_at = at_once
    WHERE c.id = lane;
    IF cardinality(payloads) > 0 THEN
        WITH boxed AS (
            INSERT INTO outbox (conversation_id, turn_id, channel, account, trace_id, kind, state, payload, due_at,
                                resend_unknown, kept_until)
            SELECT lane, new_turn, it.channel, it.account, trace, CASE WHEN kept IS NULL THEN 'push' ELSE 'response' END,
                   'pending', p.payload, at_once, resend, at_once + make_interval(secs => kept)
            FROM unnest(payloads) WITH ORDINALITY AS p(payload, i) ORDER BY p.i
            RETURNING id
        ) SELECT array_agg(b.id ORDER BY b.id) INTO boxes FROM boxed b;
        IF kept IS NULL THEN
            jobs := outbox_carry(
                boxes, array_fill(lane, ARRAY[cardinality(boxes)]), array_fill(trace, ARRAY[cardinality(boxes)]),
                array_fill(at_once, ARRAY[cardinality(boxes)])
            );
        END IF;
    END IF;
    RETURN QUERY SELECT 'done', new_turn, it.last_seq + 1, coalesce(jobs, '{}');
END $$;

-- Forgets jobs of these unique keys that are not done.  One that runs at this moment may have its effect all the same;
-- how it ends is not written any more.  Answers those that a worker may have read, so that it is told.
CREATE OR REPLACE FUNCTION jobs_cancel(keys text[]) RETURNS TABLE (id bigint, partition smallint, state text)
LANGUAGE sql AS $$
    DELETE FROM jobs AS j WHERE j.id = ANY (ARRAY(
        SELECT w.id FROM jobs w WHERE w.unique_key = ANY (keys) AND w.state IN ('ready', 'scheduled')
        ORDER BY w.id FOR UPDATE
    )) RETURNING j.id, j.partition, j.state
$$;
