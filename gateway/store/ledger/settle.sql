-- ledger_settle_batch: writes what became of a batch of turns, one turn a lane; the answer, the outbox rows, the lane's
-- next step.  The caller commits before the first byte of a reply that leaves in the HTTP response.
--
-- Parallel arrays by turn: lanes (conversation ids), fences, turn_ids, seqs, states ('answered' | 'failed'), replies,
-- reasons, details, degradeds, and
--   new_states    what the assistant wants kept: NULL leaves it, JSON null clears it
--   user_ids, new_memories: the same of the user
--   keeps         whether this process wants the lane's next turn (not when draining)
--   handovers     whether the lane should go to the process that accepted its next turn, if another one did
-- Outbox rows, those of a turn together and in the order in which they are to be sent: out_t (index into the turns, from
--   1), out_kinds, out_payloads, out_due (seconds from now), out_claimed (this process is sending it right now), out_resend,
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
    turns_n  integer := cardinality(turn_ids);
    fate     text[] := array_fill('lost'::text, ARRAY[turns_n]);  -- by turn: 'write' | 'again' (done before under this
                         -- fence) | 'lost'
    more     boolean[] := array_fill(false, ARRAY[turns_n]);  -- by turn: the lane is still this fence's and has work
    places   tid[] := array_fill(NULL::tid, ARRAY[turns_n]);  -- by turn: where its conversation's row is, under its
                         -- lock; and what that says
    channels text[];
    accounts text[];
    heir     bigint[] := array_fill(NULL::bigint, ARRAY[turns_n]);  -- by turn: the process that gets the lane instead
    heirs    bigint[];
    claims   boolean[];  -- by outbox row: this process is sending it
    boxes    bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(out_t)]);  -- by outbox row: its id, if it is
                         -- written now; behind them those of what was written before
    jobs     bigint[] := boxes;  -- by outbox row: the job that carries it, if one does
    carried  integer[];
    carriers bigint[];
    first    integer[];  -- by turn: its outbox rows are those from first to last, if it has any
    last     integer[];
    lane     record;
    t        integer;
BEGIN
    -- A locked row is read as it is under its lock, whatever the statement's snapshot saw of it.  That is true of no other
    -- row: what is to be read beside it is read by the next statement.  A row that is gone leaves its turn lost.
    FOR lane IN
        SELECT c.ctid AS at, c.id, c.fence, c.last_seq, c.done_seq, c.owner_process, c.channel, c.account
        FROM conversations c WHERE c.id = ANY (lanes) ORDER BY c.id FOR UPDATE
    LOOP
        FOREACH t IN ARRAY array_positions(lanes, lane.id) LOOP
            places[t] := lane.at;
            channels[t] := lane.channel;
            accounts[t] := lane.account;
            IF lane.fence = fences[t] AND lane.done_seq = seqs[t] - 1 THEN
                fate[t] := 'write';
            END IF;
            more[t] := lane.fence = fences[t] AND lane.owner_process IS NOT NULL AND lane.last_seq > seqs[t];
        END LOOP;
    END LOOP;
    IF 'lost' = ANY (fate) THEN
        fate := ARRAY(
            SELECT CASE WHEN fate[s.i] = 'lost' AND w.settled_fence = fences[s.i] THEN 'again' ELSE fate[s.i] END
            FROM unnest(turn_ids) WITH ORDINALITY AS s(turn, i)
            LEFT JOIN LATERAL (SELECT settled_fence FROM turns WHERE id = s.turn OFFSET 0) AS w ON true
            ORDER BY s.i
        );
    END IF;

    UPDATE turns AS t SET
        state = states[s.i], reply = replies[s.i], reason = reasons[s.i], detail = details[s.i],
        degraded = degradeds[s.i], settled_fence = fences[s.i], settled_at = clock_timestamp()
    FROM unnest(turn_ids) WITH ORDINALITY AS s(turn, i)
    WHERE fate[s.i] = 'write' AND t.id = s.turn;

    -- A lane that is handed over goes straight to the process that has the next turn's caller, if that one lives.
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
        done_seq = seqs[s.i],
        owner_process = CASE WHEN c.last_seq = seqs[s.i] THEN NULL WHEN heir[s.i] IS NOT NULL THEN heir[s.i]
                             WHEN keeps[s.i] THEN c.owner_process END,
        owner_epoch = CASE WHEN c.last_seq = seqs[s.i] THEN NULL
                           WHEN heir[s.i] IS NOT NULL THEN (SELECT epoch FROM processes WHERE id = heir[s.i])
                           WHEN keeps[s.i] THEN c.owner_epoch END,
        fence = c.fence + (c.last_seq > seqs[s.i] AND heir[s.i] IS NOT NULL)::integer,
        orphaned = c.last_seq > seqs[s.i] AND heir[s.i] IS NULL AND NOT keeps[s.i],
        state = CASE WHEN new_states[s.i] IS NULL THEN c.state WHEN new_states[s.i] = 'null' THEN NULL
                     ELSE new_states[s.i] END
    -- By where the row is, which stays so while it is locked: a plan that was made on a table known to be empty would read
    -- all conversations to find it by its id.
    FROM unnest(places) WITH ORDINALITY AS s(at, i)
    WHERE fate[s.i] = 'write' AND c.ctid = s.at;

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
        claims := out_claimed;
        IF true = ANY (out_claimed) THEN
            claims := ARRAY(
                SELECT out_claimed[o.i] AND (out_kinds[o.i] = 'response' OR w.box IS NULL)
                FROM unnest(out_t) WITH ORDINALITY AS o(t, i)
                -- No EXISTS, of which the planner may make a hash of all that waits.
                LEFT JOIN LATERAL (
                    SELECT e.id AS box FROM outbox e
                    WHERE e.conversation_id = lanes[o.t] AND e.state IN ('pending', 'sending') AND e.kept_until IS NULL
                      AND (e.state, e.kind, e.claimed_process, e.claimed_epoch)
                          IS DISTINCT FROM ('sending', 'push', me, my_epoch)
                    LIMIT 1
                ) AS w ON true
                ORDER BY o.i
            );
        END IF;
        FOR o IN 1..cardinality(out_t) LOOP
            t := out_t[o];
            IF fate[t] = 'write' THEN
                boxes[o] := nextval('outbox_id_seq');
                first[t] := coalesce(first[t], o);
                last[t] := o;
            END IF;
        END LOOP;
        INSERT INTO outbox (id, conversation_id, turn_id, channel, account, trace_id, kind, state, payload, due_at,
                            attempts, resend_unknown, claimed_process, claimed_epoch, kept_until)
        OVERRIDING SYSTEM VALUE
        SELECT boxes[o.i], lanes[o.t], turn_ids[o.t], channels[o.t], accounts[o.t],
               (SELECT trace_id FROM turns WHERE id = turn_ids[o.t]), out_kinds[o.i],
               CASE WHEN claims[o.i] THEN 'sending' ELSE 'pending' END, out_payloads[o.i],
               clock_timestamp() + make_interval(secs => out_due[o.i]), claims[o.i]::integer, out_resend[o.i],
               CASE WHEN claims[o.i] THEN me END, CASE WHEN claims[o.i] THEN my_epoch END,
               clock_timestamp() + make_interval(secs => out_kept[o.i])
        FROM unnest(out_t) WITH ORDINALITY AS o(t, i) WHERE boxes[o.i] IS NOT NULL;
        IF false = ANY (claims) THEN
            SELECT array_agg(o.i ORDER BY o.i),
                   outbox_carry(array_agg(b.id ORDER BY o.i), array_agg(b.conversation_id ORDER BY o.i),
                                array_agg(b.trace_id ORDER BY o.i), array_agg(b.due_at ORDER BY o.i))
              INTO carried, carriers
            FROM unnest(boxes) WITH ORDINALITY AS o(id, i)
            CROSS JOIN LATERAL (SELECT * FROM outbox WHERE id = o.id OFFSET 0) AS b
            WHERE NOT claims[o.i] AND b.kept_until IS NULL;
            FOR n IN 1..coalesce(cardinality(carried), 0) LOOP
                jobs[carried[n]] := carriers[n];
            END LOOP;
        END IF;
    END IF;
    IF 'again' = ANY (fate) THEN
        -- The answer that named them was lost: without it nobody would ever end them.
        FOR t IN SELECT s.i FROM unnest(fate) WITH ORDINALITY AS s(fate, i) WHERE s.fate = 'again' LOOP
            first[t] := cardinality(boxes) + 1;
            boxes := boxes || ARRAY(SELECT o.id FROM outbox o WHERE o.turn_id = turn_ids[t] ORDER BY o.id);
            last[t] := cardinality(boxes);
        END LOOP;
    END IF;

    IF 'failed' = ANY (states) THEN
        INSERT INTO dead_letters (kind, channel, account, conversation_id, turn_id, reason, detail)
        SELECT 'turn', c.channel, c.account, c.id, s.turn, s.reason, coalesce(s.detail, '')
        FROM unnest(lanes, turn_ids, states, reasons, details, fate) AS s(lane, turn, state, reason, detail, fate)
        CROSS JOIN LATERAL (SELECT id, channel, account FROM conversations WHERE id = s.lane OFFSET 0) AS c
        WHERE s.fate = 'write' AND s.state = 'failed';
    END IF;

    IF true = ANY (more) THEN
        RETURN QUERY
        SELECT CASE fate[s.i] WHEN 'write' THEN 'done' ELSE fate[s.i] END, h.turn IS NOT NULL, heir[s.i],
               coalesce(boxes[first[s.i]:last[s.i]], '{}'),
               coalesce(array_remove(jobs[first[s.i]:last[s.i]], NULL), '{}'),
               h.turn, h.seq, h.surface, h.address, h.message, h.trace_id, h.user_id, h.user_key, h.user_name,
               h.user_locale, h.accepted_by, h.deaths, h.age_s, h.state, h.memory
        FROM unnest(lanes) WITH ORDINALITY AS s(lane, i)
        LEFT JOIN LATERAL (
            SELECT * FROM ledger_head(s.lane) WHERE more[s.i] AND keeps[s.i] AND heir[s.i] IS NULL
        ) AS h ON true
        ORDER BY s.i;
    ELSE
        FOR t IN 1..turns_n LOOP
            outcome := CASE fate[t] WHEN 'write' THEN 'done' ELSE fate[t] END;
            kept := false;
            handed_to := heir[t];
            outbox_ids := coalesce(boxes[first[t]:last[t]], '{}');
            push_jobs := coalesce(array_remove(jobs[first[t]:last[t]], NULL), '{}');
            RETURN NEXT;
        END LOOP;
    END IF;
END $$;
