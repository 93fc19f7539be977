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
    lanes_n    integer := cardinality(lane_keys);
    keys_new   integer;
    repeats    boolean := false;
    ids        bigint[];   -- by message: the id it gets if it is new
    repeat_of  bigint[];   -- by message: the turn that it repeats, or NULL
    seqs       bigint[];   -- by message: its sequence number if it is written now, else NULL
    lanes      bigint[];   -- by lane: its conversation
    users_at   bigint[];   -- by user
    memories   jsonb[];
    known      record;
    lane       record;
    places     tid[] := array_fill(NULL::tid, ARRAY[lanes_n]);  -- by lane: where its row is, under its lock
    last_was   bigint[];
    done_was   bigint[];
    fence_now  bigint[];   -- of those that are this process's now, else NULL
    states     jsonb[];
    ours       boolean[];
    free       boolean[];
    others     integer[];  -- lanes of which another process is the owner
    dead       integer[] := '{}';  -- those of them whose owner is dead
    grown      integer[];  -- by lane: turns written now
    takes      boolean[];  -- by lane: this process takes it now
    live       boolean;
    c          integer;
BEGIN
    FOR m IN 1..messages_n LOOP
        ids[m] := nextval('turn_ids');
    END LOOP;
    repeat_of := array_fill(NULL::bigint, ARRAY[messages_n]);

    -- Sorted by the caller: two batches that share keys meet at the first of them instead of embracing.
    INSERT INTO dedupe_keys (key, turn_id)
    SELECT k.key, ids[dedupe_m[k.i]] FROM unnest(dedupe_keys) WITH ORDINALITY AS k(key, i)
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS keys_new = ROW_COUNT;
    IF keys_new < cardinality(dedupe_keys) THEN
        repeats := true;
        repeat_of := ledger_repeats(ids, dedupe_keys, dedupe_m);
    END IF;

    known := ledger_users(lane_channels, lane_accounts, user_c, user_keys, user_names, user_locales);
    users_at := known.ids;
    memories := known.memories;
    lanes := ledger_conversations(lane_channels, lane_accounts, lane_keys);

    -- KEY SHARE does not hinder this process's own beat, but whoever would declare it dead waits for this commit:
    -- no lane can be granted to a process that has just been buried.
    PERFORM 1 FROM processes p WHERE p.id = me AND p.epoch = my_epoch AND p.beat IS NOT NULL FOR KEY SHARE;
    live := FOUND;

    -- A locked row is read as it is under its lock, whatever the statement's snapshot saw of it.  That is true of no other
    -- row: what is to be read beside it is read by the next statement.
    FOR lane IN
        SELECT k.ctid AS at, k.id, k.last_seq, k.done_seq, k.fence, k.state, k.owner_process, k.owner_epoch
        FROM conversations k WHERE k.id = ANY (lanes) ORDER BY k.id FOR UPDATE
    LOOP
        c := array_position(lanes, lane.id);
        places[c] := lane.at;
        last_was[c] := lane.last_seq;
        done_was[c] := lane.done_seq;
        fence_now[c] := lane.fence;
        states[c] := lane.state;
        ours[c] := live AND lane.owner_process = me AND lane.owner_epoch = my_epoch;
        free[c] := lane.owner_process IS NULL;
        IF NOT free[c] AND ours[c] IS NOT TRUE THEN
            others := others || c;
        END IF;
        grown[c] := 0;
    END LOOP;
    IF others IS NOT NULL THEN
        -- Not by the age of its beat: one that is overdue but not declared dead may still beat, and would go on
        -- with a lane that it has lost.  Whoever looks for the dead declares it (process_bury), then it is free.
        dead := ARRAY(
            SELECT o.c FROM unnest(others) AS o(c)
            CROSS JOIN LATERAL (SELECT * FROM conversations WHERE id = lanes[o.c] OFFSET 0) AS k
            WHERE NOT EXISTS (
                SELECT 1 FROM processes p
                WHERE p.id = k.owner_process AND p.epoch = k.owner_epoch AND p.beat IS NOT NULL
            )
        );
    END IF;

    FOR m IN 1..messages_n LOOP
        c := message_c[m];
        IF repeat_of[m] IS NULL AND last_was[c] + grown[c] - done_was[c] < waiting_max THEN
            grown[c] := grown[c] + 1;
            seqs[m] := last_was[c] + grown[c];
        ELSE
            seqs[m] := NULL;
        END IF;
    END LOOP;
    FOR l IN 1..lanes_n LOOP
        takes[l] := live AND (free[l] OR l = ANY (dead)) AND last_was[l] + grown[l] > done_was[l];
    END LOOP;

    INSERT INTO turns (id, conversation_id, seq, user_id, surface, address, message, trace_id, accepted_by)
    SELECT t.id, lanes[message_c[t.m]], seqs[t.m], users_at[message_u[t.m]],
           surfaces[t.m], addresses[t.m], messages[t.m], trace_ids[t.m], me
    FROM unnest(ids) WITH ORDINALITY AS t(id, m) WHERE seqs[t.m] IS NOT NULL;

    IF repeats OR array_position(seqs, NULL) IS NOT NULL THEN
        -- What was refused has not been seen: the platform's next delivery of it must be able to succeed.
        DELETE FROM dedupe_keys AS d USING unnest(dedupe_keys, dedupe_m) AS k(key, m)
        CROSS JOIN LATERAL (SELECT w.ctid AS at, w.turn_id FROM dedupe_keys w WHERE w.key = k.key OFFSET 0) AS w
        WHERE d.ctid = w.at AND w.turn_id = ids[k.m] AND seqs[k.m] IS NULL;
    END IF;

    IF live AND dead <> '{}' THEN
        -- The head of a lane whose owner died was being run when it died.
        UPDATE turns AS t SET deaths = t.deaths + 1 WHERE t.id = ANY (ARRAY(
            SELECT h.id FROM unnest(dead) AS l(c)
            CROSS JOIN LATERAL (
                SELECT w.id FROM turns w WHERE w.conversation_id = lanes[l.c] AND w.seq = done_was[l.c] + 1 OFFSET 0
            ) AS h
            WHERE last_was[l.c] > done_was[l.c]
        ));
    END IF;

    UPDATE conversations AS k SET
        last_seq = k.last_seq + grown[l.c],
        owner_process = CASE WHEN takes[l.c] THEN me ELSE k.owner_process END,
        owner_epoch = CASE WHEN takes[l.c] THEN my_epoch ELSE k.owner_epoch END,
        fence = k.fence + takes[l.c]::integer,
        orphaned = NOT takes[l.c] AND k.owner_process IS NULL AND k.last_seq + grown[l.c] > k.done_seq,
        active_at = clock_timestamp()
    -- By where the row is, which stays so while it is locked: a plan that was made on a table known to be empty would read
    -- all conversations to find it by its id.
    FROM unnest(places) WITH ORDINALITY AS l(at, c)
    WHERE k.ctid = l.at AND (grown[l.c] > 0 OR takes[l.c]);
    FOR l IN 1..lanes_n LOOP
        fence_now[l] := CASE WHEN takes[l] THEN fence_now[l] + 1 WHEN ours[l] THEN fence_now[l] END;
    END LOOP;

    IF NOT repeats THEN
        RETURN QUERY
        SELECT CASE WHEN seqs[t.m] IS NOT NULL THEN 'new' ELSE 'refused' END,
               CASE WHEN seqs[t.m] IS NOT NULL THEN t.id END, seqs[t.m], lanes[message_c[t.m]],
               users_at[message_u[t.m]], fence_now[message_c[t.m]], h.is_head,
               CASE WHEN h.is_head THEN states[message_c[t.m]] END,
               CASE WHEN h.is_head THEN memories[message_u[t.m]] END
        FROM unnest(ids) WITH ORDINALITY AS t(id, m)
        CROSS JOIN LATERAL (SELECT coalesce(seqs[t.m] = done_was[message_c[t.m]] + 1, false)) AS h(is_head)
        ORDER BY t.m;
    ELSE
        RETURN QUERY
        SELECT CASE WHEN seqs[t.m] IS NOT NULL THEN 'new' WHEN repeat_of[t.m] IS NULL THEN 'refused' ELSE 'duplicate' END,
               CASE WHEN seqs[t.m] IS NOT NULL THEN t.id ELSE r.id END, coalesce(seqs[t.m], r.seq),
               coalesce(r.conversation_id, lanes[message_c[t.m]]), coalesce(r.user_id, users_at[message_u[t.m]]),
               -- A repeat may have been told in another conversation: that one's lane has a fence of its own.
               CASE WHEN coalesce(r.conversation_id, lanes[message_c[t.m]]) = lanes[message_c[t.m]]
                    THEN fence_now[message_c[t.m]] END,
               h.is_head, CASE WHEN h.is_head THEN states[message_c[t.m]] END,
               CASE WHEN h.is_head THEN memories[message_u[t.m]] END
        FROM unnest(ids) WITH ORDINALITY AS t(id, m)
        CROSS JOIN LATERAL (SELECT coalesce(seqs[t.m] = done_was[message_c[t.m]] + 1, false)) AS h(is_head)
        LEFT JOIN LATERAL (SELECT * FROM turns w WHERE w.id = repeat_of[t.m] OFFSET 0) AS r ON true
        ORDER BY t.m;
    END IF;
END $$;
