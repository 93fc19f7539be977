-- The outbox: pending -> sending -> sent | not_sent | unknown; a retry goes back to pending with a later due_at.
-- Rows of a conversation are sent in the order of their ids, one at a time.

-- Takes up to rows_max due rows for this process, only the first unfinished one of each conversation.  A response that
-- nobody wrote into its HTTP response is due once its caller has certainly left; from then on it is a push.
CREATE OR REPLACE FUNCTION outbox_claim(me bigint, my_epoch bigint, rows_max integer) RETURNS TABLE (
    id bigint, conversation_id bigint, turn_id bigint, channel text, account text, trace_id text,
    payload jsonb, attempts integer, maybe_repeat boolean, age_s float8
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM 1 FROM processes p WHERE p.id = me AND p.epoch = my_epoch AND p.beat IS NOT NULL FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    RETURN QUERY
    UPDATE outbox AS o SET
        state = 'sending', kind = 'push', attempts = o.attempts + 1, claimed_process = me, claimed_epoch = my_epoch
    -- An array is made once; a subselect behind IN may be run again for every row, and so take more than rows_max.
    WHERE o.id = ANY (ARRAY(
        SELECT w.id FROM outbox w
        WHERE w.state = 'pending' AND w.due_at <= clock_timestamp()
          AND NOT EXISTS (
              SELECT 1 FROM outbox e
              WHERE e.conversation_id = w.conversation_id AND e.id < w.id AND e.state IN ('pending', 'sending')
          )
        ORDER BY w.due_at LIMIT rows_max FOR UPDATE SKIP LOCKED
    ))
    RETURNING o.id, o.conversation_id, o.turn_id, o.channel, o.account, o.trace_id, o.payload, o.attempts,
              o.maybe_repeat, extract(epoch FROM clock_timestamp() - o.created_at)::float8;
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
        SELECT w.id FROM outbox w WHERE w.turn_id = ANY (turns) AND w.kind = 'response' AND w.state = 'pending'
        ORDER BY w.id FOR UPDATE SKIP LOCKED
    ))
    RETURNING o.id, o.turn_id;
END $$;

-- Writes what became of sends: 'sent' | 'not_sent' | 'unknown' | 'retry' (after so many seconds) | 'push' (a response
-- that could not be written and goes the other way).  A row that is no longer this process's stays as it is: only
-- the ids that were written come back.  An unknown is sent again only where the row says so, once, and then marked:
-- without that bound a user could get copies without end.
CREATE OR REPLACE FUNCTION outbox_finish(
    me bigint, my_epoch bigint, ids bigint[], fates text[], reasons text[], details text[], platform_ids text[],
    after_s float8[]
) RETURNS SETOF bigint
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM 1 FROM (
        SELECT 1 FROM outbox o WHERE o.id = ANY (ids) ORDER BY o.id FOR UPDATE
    ) AS locked;
    RETURN QUERY
    WITH written AS (
        UPDATE outbox AS o SET
            state = CASE WHEN f.fate IN ('retry', 'push') OR f.again THEN 'pending' ELSE f.fate END,
            kind = CASE WHEN f.fate = 'push' OR f.again THEN 'push' ELSE o.kind END,
            due_at = CASE WHEN f.fate IN ('retry', 'push') OR f.again
                          THEN clock_timestamp() + make_interval(secs => f.after_s) ELSE o.due_at END,
            maybe_repeat = o.maybe_repeat OR f.again,
            reason = f.reason, detail = f.detail, platform_id = f.platform_id,
            finished_at = CASE WHEN f.fate IN ('sent', 'not_sent', 'unknown') AND NOT f.again
                               THEN clock_timestamp() END
        FROM (
            SELECT g.*, g.fate = 'unknown' AND b.resend_unknown AND NOT b.maybe_repeat AS again
            FROM unnest(ids, fates, reasons, details, platform_ids, after_s)
                 AS g(id, fate, reason, detail, platform_id, after_s)
            CROSS JOIN LATERAL (SELECT resend_unknown, maybe_repeat FROM outbox WHERE id = g.id OFFSET 0) AS b
        ) AS f
        WHERE o.id = f.id AND o.state = 'sending' AND o.claimed_process = me AND o.claimed_epoch = my_epoch
        RETURNING o.id, o.state, o.channel, o.account, o.conversation_id, o.turn_id, o.reason, o.detail
    ), letters AS (
        INSERT INTO dead_letters (kind, channel, account, conversation_id, turn_id, outbox_id, reason, detail)
        SELECT 'outbox', w.channel, w.account, w.conversation_id, w.turn_id, w.id,
               w.state || ': ' || coalesce(w.reason, ''), coalesce(w.detail, '')
        FROM written w WHERE w.state IN ('not_sent', 'unknown')
    )
    SELECT w.id FROM written w;
END $$;

-- Rows not yet ended, by account: what the bound on outbox rows is held against.
CREATE OR REPLACE FUNCTION outbox_counts() RETURNS TABLE (channel text, account text, rows bigint)
LANGUAGE sql STABLE AS $$
    SELECT channel, account, count(*) FROM outbox WHERE state IN ('pending', 'sending') GROUP BY channel, account
$$;

-- Rows that the ledger says this process is sending.  What it knows nothing of (the answer to its claim was lost) it
-- has certainly not sent.
CREATE OR REPLACE FUNCTION outbox_owned(me bigint, my_epoch bigint) RETURNS SETOF bigint
LANGUAGE sql STABLE AS $$
    SELECT id FROM outbox WHERE state = 'sending' AND claimed_process = me AND claimed_epoch = my_epoch
$$;
