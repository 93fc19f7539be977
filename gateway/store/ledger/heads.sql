-- ledger_head: the next turn of a lane, with all that is needed to run it; no row if there is none.
-- The conversation's row says which turn that is; a look at turns for "the first accepted one" would judge by an old
-- snapshot and, on young statistics, read the whole history.
CREATE OR REPLACE FUNCTION ledger_head(lane bigint) RETURNS TABLE (
    turn bigint, seq bigint, surface text, address jsonb, message jsonb, trace_id text,
    user_id bigint, user_key text, user_name text, user_locale text,
    accepted_by bigint, deaths integer, age_s float8, state jsonb, memory jsonb
) LANGUAGE sql STABLE AS $$
    SELECT t.id, t.seq, t.surface, t.address, t.message, t.trace_id, u.id, u.key, u.name, u.locale,
           t.accepted_by, t.deaths, extract(epoch FROM clock_timestamp() - t.accepted_at)::float8, c.state, u.memory
    FROM (SELECT id, last_seq, done_seq, state FROM conversations WHERE id = lane OFFSET 0) AS c
    CROSS JOIN LATERAL (
        SELECT * FROM turns WHERE conversation_id = c.id AND seq = c.done_seq + 1 AND c.last_seq > c.done_seq OFFSET 0
    ) AS t
    CROSS JOIN LATERAL (SELECT * FROM users WHERE id = t.user_id OFFSET 0) AS u
$$;

-- ledger_heads: the same for many lanes that this process owns, with the words that name each lane.
CREATE OR REPLACE FUNCTION ledger_heads(me bigint, my_epoch bigint, lanes bigint[]) RETURNS TABLE (
    lane bigint, channel text, account text, key text, fence bigint,
    turn bigint, seq bigint, surface text, address jsonb, message jsonb, trace_id text,
    user_id bigint, user_key text, user_name text, user_locale text,
    accepted_by bigint, deaths integer, age_s float8, state jsonb, memory jsonb
) LANGUAGE sql STABLE AS $$
    SELECT c.id, c.channel, c.account, c.key, c.fence, h.*
    FROM unnest(lanes) AS l(id)
    CROSS JOIN LATERAL (
        SELECT * FROM conversations WHERE id = l.id AND owner_process = me AND owner_epoch = my_epoch OFFSET 0
    ) AS c
    CROSS JOIN LATERAL ledger_head(c.id) AS h
$$;
