-- ledger_settle_batch: writes what became of a batch of turns, one turn a lane; the answer, the outbox rows, the lane's
-- next step.  The caller commits before the first byte of a reply that leaves in the HTTP response.
--
-- Parallel arrays by turn: lanes (conversation ids), fences, turn_ids, seqs, states ('answered' | 'failed'), replies,
-- reasons, details, degradeds, and
--   new_states    what the assistant wants kept: NULL leaves it, JSON null clears it
--   user_ids, new_memories: the same of the user
--   keeps         whether this process wants the lane's next turn (not when draining)
--   handovers     whether the lane should go to the process that accepted its next turn, if another one did
-- Outbox rows, in the order in which they are to be sent: out_t (index into the turns, from 1), out_kinds,
--   out_payloads, out_due (seconds from now), out_claimed (this process is sending it right now), out_resend,
--   out_kept (seconds for which it is kept for a later turn's response; NULL: it is not).  A push is claimed only where
--   every unfinished row of its conversation is a push that this process is sending; else it waits behind them, and a
--   turn's rows are all claimed or all not.
--
-- Answers one row a turn, in order:
--   outcome     'done' | 'again' (it was done before, by the same call whose answer was lost) | 'lost' (a higher fence:
--               nothing was changed)
--   kept        this process still owns the lane, and the lane has work: the next turn stands beside it
--   push_jobs   the jobs that carry what is to be sent (outbox_carry), none where all is claimed; of what was written
--               before they are not known
--
-- Run again after a lost COMMIT it finds its own fence on the turn and answers 'again'; it writes nothing twice.
CREATE OR REPLACE FUNCTION ledger_settle_batch(
    me bigint, my_epoch bigint,
    lanes bigint[], fences bigint[], turn_ids bigint[], seqs bigint[], states text[], replies jsonb[],
    reasons text[], details text[], degradeds jsonb[], new_states jsonb[],
    user_ids bigint[], new_memories jsonb[], keeps boolean[], handovers boolean[],
    out_t integer[], out_kinds text[], out_payloads jsonb[], out_due float8[], out_claimed boolean[],
    out_resend boolean[], out_kept float8[]
) RETURNS TABLE (
    outcome text, kept boolean, handed_to bigint, outbox_ids bigint[], push_jobs bigint[],
    next_turn bigint, next_seq bigint, next_surface text, next_address jsonb, next_message jsonb, next_trace_id text,
    next_user bigint, next_user_key text, next_user_name text, next_user_locale text,
    next_accepted_by bigint, next_deaths integer, next_age_s float8, next_state jsonb, next_memory jsonb
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    fate   text[];     -- by turn: 'write' | 'again' (done before under this fence) | 'lost'
    more   boolean[];  -- by turn: the lane is still this fence's and has work
    heir   bigint[];   -- by turn: the process that gets the lane instead
    heirs  bigint[];
    boxes  bigint[];   -- outbox rows written, and their turns
    box_t  integer[];
    push_t integer[];  -- the turns of those rows that wait to be sent, and the jobs that carry them
    pushes bigint[];
BEGIN
    PERFORM 1 FROM (
        SELECT 1 FROM conversations c WHERE c.id = ANY (lanes) ORDER BY c.id FOR UPDATE
    ) AS locked;
    SELECT array_agg(CASE WHEN c.fence = s.fence AND c.done_seq = s.seq - 1 THEN 'write'
                          WHEN t.settled_fence = s.fence THEN 'again' ELSE 'lost' END ORDER BY s.i),
           array_agg(c.fence = s.fence AND c.owner_process IS NOT NULL AND c.last_seq > s.seq ORDER BY s.i)
      INTO fate, more
    FROM unnest(lanes, fences, turn_ids, seqs) WITH ORDINALITY AS s(lane, fence, turn, seq, i)
    -- LEFT: a row that is gone must be lost, not shift the fates of the turns behind it.
    LEFT JOIN LATERAL (SELECT * FROM conversations WHERE id = s.lane OFFSET 0) AS c ON true
    LEFT JOIN LATERAL (SELECT * FROM turns WHERE id = s.turn OFFSET 0) AS t ON true;

    UPDATE turns AS t SET
        state = s.state, reply = s.reply, reason = s.reason, detail = s.detail, degraded = s.degraded,
        settled_fence = s.fence, settled_at = clock_timestamp()
    FROM unnest(turn_ids, fences, states, replies, reasons, details, degradeds, fate)
         AS s(turn, fence, state, reply, reason, detail, degraded, fate)
    WHERE s.fate = 'write' AND t.id = s.turn;

    -- A lane that is handed over goes straight to the process that has the next turn's caller, if that one lives.
    heir := array_fill(NULL::bigint, ARRAY[cardinality(lanes)]);
    IF true = ANY (handovers) THEN
        SELECT array_agg(t.accepted_by ORDER BY s.i) INTO heir
        FROM unnest(lanes, seqs, handovers) WITH ORDINALITY AS s(lane, seq, over, i)
        LEFT JOIN LATERAL (
            SELECT accepted_by FROM turns
            WHERE conversation_id = s.lane AND seq = s.seq + 1 AND s.over AND accepted_by <> me OFFSET 0
        ) AS t ON true;
        -- SKIP LOCKED: one that is being declared dead at this moment inherits nothing.
        heirs := ARRAY(SELECT p.id FROM processes p
                       WHERE p.id = ANY (heir) AND p.kind = 'gateway' AND p.beat IS NOT NULL
                       FOR KEY SHARE SKIP LOCKED);
        heir := ARRAY(SELECT CASE WHEN h.id = ANY (heirs) THEN h.id END
                      FROM unnest(heir) WITH ORDINALITY AS h(id, i) ORDER BY h.i);
    END IF;

    UPDATE conversations AS c SET
        done_seq = s.seq,
        owner_process = CASE WHEN c.last_seq = s.seq THEN NULL WHEN s.heir IS NOT NULL THEN s.heir
                             WHEN s.keep THEN c.owner_process END,
        owner_epoch = CASE WHEN c.last_seq = s.seq THEN NULL
                           WHEN s.heir IS NOT NULL THEN (SELECT epoch FROM processes WHERE id = s.heir)
                           WHEN s.keep THEN c.owner_epoch END,
        fence = c.fence + (c.last_seq > s.seq AND s.heir IS NOT NULL)::integer,
        orphaned = c.last_seq > s.seq AND s.heir IS NULL AND NOT s.keep,
        state = CASE WHEN s.state IS NULL THEN c.state WHEN s.state = 'null' THEN NULL ELSE s.state END
    FROM unnest(lanes, seqs, new_states, keeps, heir, fate) AS s(lane, seq, state, keep, heir, fate)
    WHERE s.fate = 'write' AND c.id = s.lane;

    IF cardinality(array_remove(new_memories, NULL)) > 0 THEN
        -- In order, because a user may speak in many conversations, which others settle at this moment.
        PERFORM 1 FROM (
            SELECT 1 FROM users u WHERE u.id = ANY (ARRAY(
                SELECT s.id FROM unnest(user_ids, new_memories) AS s(id, memory) WHERE s.memory IS NOT NULL
            )) ORDER BY u.id FOR NO KEY UPDATE
        ) AS locked;
        UPDATE users AS u SET memory = nullif(s.memory, 'null')
        FROM unnest(user_ids, new_memories, fate) AS s(id, memory, fate)
        WHERE s.memory IS NOT NULL AND s.fate = 'write' AND u.id = s.id;
    END IF;

    IF cardinality(out_t) > 0 THEN
        WITH boxed AS (
            INSERT INTO outbox (conversation_id, turn_id, channel, account, trace_id, kind, state, payload, due_at,
                                attempts, resend_unknown, claimed_process, claimed_epoch, kept_until)
            SELECT lanes[o.t], turn_ids[o.t], c.channel, c.account, t.trace_id, o.kind,
                   CASE WHEN m.claimed THEN 'sending' ELSE 'pending' END, o.payload,
                   clock_timestamp() + make_interval(secs => o.due), m.claimed::integer, o.resend,
                   CASE WHEN m.claimed THEN me END, CASE WHEN m.claimed THEN my_epoch END,
                   clock_timestamp() + make_interval(secs => o.kept)
            FROM unnest(out_t, out_kinds, out_payloads, out_due, out_claimed, out_resend, out_kept) WITH ORDINALITY
                 AS o(t, kind, payload, due, claimed, resend, kept, i)
            CROSS JOIN LATERAL (SELECT channel, account FROM conversations WHERE id = lanes[o.t] OFFSET 0) AS c
            CROSS JOIN LATERAL (SELECT trace_id FROM turns WHERE id = turn_ids[o.t] OFFSET 0) AS t
            CROSS JOIN LATERAL (
                SELECT o.claimed AND (o.kind = 'response' OR NOT EXISTS (
                    SELECT 1 FROM outbox e
                    WHERE e.conversation_id = lanes[o.t] AND e.state IN ('pending', 'sending') AND e.kept_until IS NULL
                      AND (e.state, e.kind, e.claimed_process, e.claimed_epoch)
                          IS DISTINCT FROM ('sending', 'push', me, my_epoch)
                )) AS claimed OFFSET 0
            ) AS m
            WHERE fate[o.t] = 'write'
            ORDER BY o.i
            RETURNING id, turn_id, array_position(turn_ids, turn_id) AS t, conversation_id, trace_id, due_at,
                      state = 'pending' AND kept_until IS NULL AS carried
        ) SELECT array_agg(b.id ORDER BY b.id), array_agg(b.t ORDER BY b.id),
                 array_agg(b.t ORDER BY b.id) FILTER (WHERE b.carried),
                 outbox_carry(array_agg(b.id ORDER BY b.id) FILTER (WHERE b.carried),
                              array_agg(b.conversation_id ORDER BY b.id) FILTER (WHERE b.carried),
                              array_agg(b.trace_id ORDER BY b.id) FILTER (WHERE b.carried),
                              array_agg(b.due_at ORDER BY b.id) FILTER (WHERE b.carried))
            INTO boxes, box_t, push_t, pushes FROM boxed AS b;
    END IF;

    IF 'failed' = ANY (states) THEN
        INSERT INTO dead_letters (kind, channel, account, conversation_id, turn_id, reason, detail)
        SELECT 'turn', c.channel, c.account, c.id, s.turn, s.reason, coalesce(s.detail, '')
        FROM unnest(lanes, turn_ids, states, reasons, details, fate) AS s(lane, turn, state, reason, detail, fate)
        CROSS JOIN LATERAL (SELECT id, channel, account FROM conversations WHERE id = s.lane OFFSET 0) AS c
        WHERE s.fate = 'write' AND s.state = 'failed';
    END IF;

    RETURN QUERY
    SELECT CASE s.fate WHEN 'write' THEN 'done' ELSE s.fate END, h.turn IS NOT NULL, s.heir,
           CASE s.fate WHEN 'write' THEN ARRAY(SELECT b.id FROM unnest(boxes, box_t) AS b(id, t) WHERE b.t = s.i)
                       -- The answer that named them was lost: without it nobody would ever end them.
                       WHEN 'again' THEN ARRAY(SELECT o.id FROM outbox o WHERE o.turn_id = s.turn ORDER BY o.id)
                       ELSE '{}' END,
           ARRAY(SELECT p.id FROM unnest(pushes, push_t) AS p(id, t) WHERE p.t = s.i),
           h.turn, h.seq, h.surface, h.address, h.message, h.trace_id, h.user_id, h.user_key, h.user_name,
           h.user_locale, h.accepted_by, h.deaths, h.age_s, h.state, h.memory
    FROM unnest(lanes, turn_ids, fate, more, keeps, heir) WITH ORDINALITY AS s(lane, turn, fate, more, keep, heir, i)
    LEFT JOIN LATERAL (
        SELECT * FROM ledger_head(s.lane) WHERE s.more AND s.keep AND s.heir IS NULL
    ) AS h ON true
    ORDER BY s.i;
END $$;
