-- ledger_accept: takes a batch of messages in: duplicates out, sequence numbers given, lanes claimed, turns written.
-- The caller commits; no 2xx that accepts may leave before that commit.
--
-- Parallel arrays; an index into another list counts from 1:
--   dedupe_*   sorted by key, no key twice; dedupe_m: the message it belongs to
--   lane_*     sorted by (channel, account, key), none twice
--   user_*     sorted by (lane's channel and account, key), none twice; user_c: any lane of the same account
--   message_c, message_u: lane and user of a message; then what is kept of it
--
-- Answers one row a message, in order:
--   outcome      'new' | 'duplicate' | 'refused' (more than waiting_max turns would wait in the lane)
--   turn, turn_seq, conversation, user_row: of the turn; of a duplicate, those of the turn that it repeats
--   lane_fence   not null: this process owns the lane, under this fence
--   is_head      the message is the next turn to run, and conversation_state and user_memory stand beside it;
--                otherwise a new owner must read the head (ledger_heads), never assume that it is this message
--
-- Lock order, the same everywhere: dedupe keys by key, own process row, conversations by id, turns, users by id.
-- OFFSET 0 keeps the planner, which knows nothing of a batch's size, from turning a probe into a scan.
CREATE OR REPLACE FUNCTION ledger_accept(
    me bigint, my_epoch bigint, waiting_max integer,
    dedupe_keys text[], dedupe_m integer[],
    lane_channels text[], lane_accounts text[], lane_keys text[],
    user_c integer[], user_keys text[], user_names text[], user_locales text[],
    message_c integer[], message_u integer[],
    surfaces text[], addresses jsonb[], messages jsonb[], trace_ids text[]
) RETURNS TABLE (
    outcome text, turn bigint, turn_seq bigint, conversation bigint, user_row bigint,
    lane_fence bigint, is_head boolean, conversation_state jsonb, user_memory jsonb
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    messages_n integer := cardinality(message_c);
    lost_n     integer;
    ids        bigint[];   -- by message: the id it gets if it is new
    repeat_of  bigint[];   -- by message: the turn that it repeats, or NULL
    lanes      bigint[];   -- by lane: its conversation
    users_at   bigint[];   -- by user
    memories   jsonb[];
    last_was   bigint[];   -- by lane, under its lock
    done_was   bigint[];
    fence_now  bigint[];
    states     jsonb[];
    owner_was  text[];     -- 'none' | 'dead' | 'me' | 'other'
    fresh      bigint[];   -- turns written, their sequence numbers and conversations
    fresh_seq  bigint[];
    fresh_lane bigint[];
    live       boolean;
BEGIN
    ids := ARRAY(SELECT nextval('turn_ids') FROM generate_series(1, messages_n));
    repeat_of := array_fill(NULL::bigint, ARRAY[messages_n]);

    -- Sorted by the caller: two batches that share keys meet at the first of them instead of embracing.
    WITH won AS (
        INSERT INTO dedupe_keys (key, turn_id)
        SELECT k.key, ids[k.m] FROM unnest(dedupe_keys, dedupe_m) AS k(key, m)
        ON CONFLICT DO NOTHING RETURNING 1
    ) SELECT cardinality(dedupe_keys) - count(*) INTO lost_n FROM won;
    IF lost_n > 0 THEN
        repeat_of := ledger_repeats(ids, dedupe_keys, dedupe_m);
    END IF;

    SELECT u.ids, u.memories INTO users_at, memories
    FROM ledger_users(lane_channels, lane_accounts, user_c, user_keys, user_names, user_locales) AS u;
    lanes := ledger_conversations(lane_channels, lane_accounts, lane_keys);

    -- KEY SHARE does not hinder this process's own beat, but whoever would declare it dead waits for this commit:
    -- no lane can be granted to a process that has just been buried.
    PERFORM 1 FROM processes p WHERE p.id = me AND p.epoch = my_epoch AND p.beat IS NOT NULL FOR KEY SHARE;
    live := FOUND;

    -- Lock in one statement, decide in the next: only the next one's snapshot is younger than the lock.
    PERFORM 1 FROM (
        SELECT 1 FROM conversations c WHERE c.id = ANY (lanes) ORDER BY c.id FOR UPDATE
    ) AS locked;
    SELECT array_agg(c.last_seq ORDER BY l.c), array_agg(c.done_seq ORDER BY l.c), array_agg(c.fence ORDER BY l.c),
           array_agg(c.state ORDER BY l.c),
           array_agg(CASE WHEN c.owner_process IS NULL THEN 'none'
                          WHEN c.owner_process = me AND c.owner_epoch = my_epoch AND live THEN 'me'
                          WHEN o.alive THEN 'other' ELSE 'dead' END ORDER BY l.c)
      INTO last_was, done_was, fence_now, states, owner_was
    FROM unnest(lanes) WITH ORDINALITY AS l(id, c)
    CROSS JOIN LATERAL (SELECT * FROM conversations WHERE id = l.id OFFSET 0) AS c
    LEFT JOIN LATERAL (
        -- Not by the age of its beat: one that is overdue but not declared dead may still beat, and would go on
        -- with a lane that it has lost.  Whoever looks for the dead declares it (process_bury), then it is free.
        SELECT true AS alive FROM processes p
        WHERE p.id = c.owner_process AND p.epoch = c.owner_epoch AND p.beat IS NOT NULL OFFSET 0
    ) AS o ON true;

    WITH taken AS (
        INSERT INTO turns (id, conversation_id, seq, user_id, surface, address, message, trace_id, accepted_by)
        SELECT ids[x.m], lanes[x.c], last_was[x.c] + x.rank, users_at[x.u],
               surfaces[x.m], addresses[x.m], messages[x.m], trace_ids[x.m], me
        FROM (
            SELECT y.c, y.u, y.m, row_number() OVER (PARTITION BY y.c ORDER BY y.m) AS rank
            FROM unnest(message_c, message_u) WITH ORDINALITY AS y(c, u, m)
            WHERE repeat_of[y.m] IS NULL
        ) AS x
        WHERE x.rank <= waiting_max - (last_was[x.c] - done_was[x.c])
        RETURNING id, seq, conversation_id
    ) SELECT array_agg(t.id), array_agg(t.seq), array_agg(t.conversation_id)
        INTO fresh, fresh_seq, fresh_lane FROM taken AS t;

    IF cardinality(fresh) IS DISTINCT FROM messages_n THEN
        -- What was refused has not been seen: the platform's next delivery of it must be able to succeed.
        DELETE FROM dedupe_keys AS d USING unnest(dedupe_keys, dedupe_m) AS k(key, m)
        WHERE d.key = k.key AND d.turn_id = ids[k.m] AND d.turn_id <> ALL (coalesce(fresh, '{}'));
    END IF;

    IF live AND 'dead' = ANY (owner_was) THEN
        -- The head of a lane whose owner died was being run when it died.
        UPDATE turns AS t SET deaths = t.deaths + 1
        FROM unnest(lanes, done_was, last_was, owner_was) AS l(id, done, last, owner)
        WHERE l.owner = 'dead' AND l.last > l.done AND t.conversation_id = l.id AND t.seq = l.done + 1;
    END IF;

    WITH granted AS (
        UPDATE conversations AS c SET
            last_seq = c.last_seq + l.n,
            owner_process = CASE WHEN l.take THEN me ELSE c.owner_process END,
            owner_epoch = CASE WHEN l.take THEN my_epoch ELSE c.owner_epoch END,
            fence = c.fence + l.take::integer,
            orphaned = CASE WHEN l.take THEN false ELSE c.owner_process IS NULL AND c.last_seq + l.n > c.done_seq END,
            active_at = clock_timestamp()
        FROM (
            SELECT a.id, a.c, f.n, live AND a.owner IN ('none', 'dead') AND a.last + f.n > a.done AS take
            FROM unnest(lanes, owner_was, last_was, done_was) WITH ORDINALITY AS a(id, owner, last, done, c)
            CROSS JOIN LATERAL (SELECT count(*) AS n FROM unnest(fresh_lane) AS g(id) WHERE g.id = a.id) AS f
        ) AS l
        WHERE c.id = l.id AND (l.n > 0 OR l.take)
        RETURNING l.c, c.fence, l.take
    ) SELECT array_agg(CASE WHEN g.take OR owner_was[l.c] = 'me' THEN coalesce(g.fence, fence_now[l.c]) END
                       ORDER BY l.c)
        INTO fence_now
    FROM generate_subscripts(lanes, 1) AS l(c) LEFT JOIN granted AS g ON g.c = l.c;

    RETURN QUERY
    SELECT CASE WHEN f.id IS NOT NULL THEN 'new' ELSE 'refused' END,
           f.id, f.seq, lanes[m.c], users_at[m.u], fence_now[m.c], f.seq = done_was[m.c] + 1,
           CASE WHEN f.seq = done_was[m.c] + 1 THEN states[m.c] END,
           CASE WHEN f.seq = done_was[m.c] + 1 THEN memories[m.u] END
    FROM unnest(message_c, message_u) WITH ORDINALITY AS m(c, u, i)
    LEFT JOIN unnest(fresh, fresh_seq) AS f(id, seq) ON f.id = ids[m.i]
    WHERE lost_n = 0
    ORDER BY m.i;
    IF lost_n > 0 THEN
        RETURN QUERY
        SELECT CASE WHEN f.id IS NOT NULL THEN 'new' WHEN repeat_of[m.i] IS NULL THEN 'refused' ELSE 'duplicate' END,
               coalesce(f.id, r.id), coalesce(f.seq, r.seq), coalesce(r.conversation_id, lanes[m.c]),
               coalesce(r.user_id, users_at[m.u]),
               -- A repeat may have been told in another conversation: that one's lane has a fence of its own.
               CASE WHEN coalesce(r.conversation_id, lanes[m.c]) = lanes[m.c] THEN fence_now[m.c] END,
               coalesce(f.seq = done_was[m.c] + 1, false),
               CASE WHEN f.seq = done_was[m.c] + 1 THEN states[m.c] END,
               CASE WHEN f.seq = done_was[m.c] + 1 THEN memories[m.u] END
        FROM unnest(message_c, message_u) WITH ORDINALITY AS m(c, u, i)
        LEFT JOIN unnest(fresh, fresh_seq) AS f(id, seq) ON f.id = ids[m.i]
        LEFT JOIN LATERAL (SELECT * FROM turns t WHERE t.id = repeat_of[m.i] OFFSET 0) AS r ON true
        ORDER BY m.i;
    END IF;
END $$;
