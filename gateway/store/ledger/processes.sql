-- Processes: who may own lanes.  All time is the database's clock; a process judges its own lease by its own monotonic
-- clock, counted from before its beat was sent.

CREATE OR REPLACE FUNCTION process_register(kind text, label text) RETURNS TABLE (id bigint, epoch bigint)
LANGUAGE sql AS $$
    INSERT INTO processes (kind, label) VALUES (kind, label) RETURNING id, epoch
$$;

-- Says "I am alive".  No row: this (process, epoch) was declared dead; nothing it owns is its own any more.
-- gateways: how many gateways live, this one included: with one alone nobody else needs a hint.
CREATE OR REPLACE FUNCTION process_beat(me bigint, my_epoch bigint, dead_after interval)
RETURNS TABLE (gateways bigint)
LANGUAGE sql AS $$
    WITH mine AS (
        UPDATE processes SET beat = clock_timestamp()
        WHERE id = me AND epoch = my_epoch AND beat IS NOT NULL RETURNING 1
    )
    SELECT (SELECT count(*) FROM processes WHERE kind = 'gateway' AND beat > clock_timestamp() - dead_after) FROM mine
$$;

-- One that was declared dead comes back under a new epoch.
CREATE OR REPLACE FUNCTION process_return(me bigint) RETURNS TABLE (epoch bigint)
LANGUAGE sql AS $$
    UPDATE processes SET epoch = epoch + 1, beat = clock_timestamp(), draining = false WHERE id = me RETURNING epoch
$$;

-- What is left of processes that are gone: every lane of theirs becomes an orphan under a higher fence, the
-- turn that was running counts a death, and what they had on the wire is unknown.  Of a conversation's pushes a gateway
-- has only the first on the wire: it begins none before the end of the one in front is committed.  Those behind it were
-- certainly not sent, and go back.
-- It needs the process rows' locks, so no accept can be granting a lane to one of them meanwhile.
CREATE OR REPLACE FUNCTION ledger_orphan(dead_ids bigint[], dead_epochs bigint[], crashed boolean)
RETURNS TABLE (lanes bigint, sends bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    theirs bigint[];
    boxes  bigint[];
    begun  boolean[];
    buried bigint;
    lost   bigint := 0;
BEGIN
    theirs := ARRAY(
        -- Arrays, by which rows are probed for whatever the planner believes of the tables.
        SELECT c.id FROM conversations c
        WHERE c.id = ANY (ARRAY(SELECT DISTINCT t.conversation_id FROM turns t WHERE t.state = 'accepted'))
          AND (c.owner_process, c.owner_epoch) IN (SELECT * FROM unnest(dead_ids, dead_epochs))
        ORDER BY c.id FOR UPDATE
    );
    IF crashed THEN
        UPDATE turns AS t SET deaths = t.deaths + 1 WHERE t.id = ANY (ARRAY(
            SELECT h.id FROM unnest(theirs) AS l(id)
            CROSS JOIN LATERAL (SELECT * FROM conversations WHERE id = l.id OFFSET 0) AS c
            CROSS JOIN LATERAL (
                SELECT w.id FROM turns w WHERE w.conversation_id = c.id AND w.seq = c.done_seq + 1 OFFSET 0
            ) AS h
        ));
    END IF;
    UPDATE conversations AS c SET
        owner_process = NULL, owner_epoch = NULL, fence = c.fence + 1, orphaned = c.last_seq > c.done_seq
    WHERE c.id = ANY (theirs);

    FOREACH buried IN ARRAY dead_ids LOOP
        SELECT coalesce(array_agg(b.id ORDER BY b.id), '{}'), coalesce(array_agg(b.begun ORDER BY b.id), '{}')
          INTO boxes, begun
        FROM (
            SELECT o.id, o.kind <> 'push' OR o.id = min(o.id) OVER (PARTITION BY o.conversation_id, o.kind)
                         OR (SELECT p.kind FROM processes p WHERE p.id = buried) <> 'gateway' AS begun
            FROM outbox o WHERE o.state = 'sending' AND o.claimed_process = buried
        ) AS b;
        lost := lost + cardinality(array_positions(begun, true));
        PERFORM outbox_finish(
            buried, dead_epochs[array_position(dead_ids, buried)], boxes,
            ARRAY(SELECT CASE WHEN b.begun THEN 'unknown' ELSE 'wait' END
                  FROM unnest(begun) WITH ORDINALITY AS b(begun, i) ORDER BY b.i),
            array_fill('sender_died'::text, ARRAY[cardinality(boxes)]),
            ARRAY(SELECT CASE WHEN b.begun THEN 'the process died while it was sending'
                              ELSE 'the process died before it was sent' END
                  FROM unnest(begun) WITH ORDINALITY AS b(begun, i) ORDER BY b.i),
            array_fill(NULL::text, ARRAY[cardinality(boxes)]), array_fill(0::float8, ARRAY[cardinality(boxes)])
        );
    END LOOP;
    PERFORM jobs_orphan(dead_ids, dead_epochs, crashed);
    RETURN QUERY SELECT cardinality(theirs)::bigint, lost;
END $$;

-- Declares dead whoever has not beaten for dead_after.  Any live process may do this, any number of them at once.
CREATE OR REPLACE FUNCTION process_bury(dead_after interval)
RETURNS TABLE (processes_dead bigint, lanes bigint, sends bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    ids    bigint[];
    epochs bigint[];
BEGIN
    SELECT array_agg(d.id), array_agg(d.epoch) INTO ids, epochs FROM (
        SELECT p.id, p.epoch FROM processes p WHERE p.beat < clock_timestamp() - dead_after
        ORDER BY p.id FOR UPDATE SKIP LOCKED
    ) AS d;
    IF ids IS NULL THEN
        RETURN;
    END IF;
    UPDATE processes SET epoch = epoch + 1, beat = NULL WHERE id = ANY (ids);
    RETURN QUERY SELECT cardinality(ids)::bigint, o.lanes, o.sends FROM ledger_orphan(ids, epochs, true) AS o;
END $$;

-- Declares dead, at once, the process of this label, whose end its own parent has seen: an exit status is no silence, and
-- an outage of PostgreSQL brings none, so nothing is asked here about beats.  crashed: by itself, and not because it was
-- told to.  One that left in good order is not touched.
-- By label, and all of that label: a process whose answer to process_register was lost has registered twice.
CREATE OR REPLACE FUNCTION process_declare_dead(its_label text, crashed boolean)
RETURNS TABLE (processes_dead bigint, lanes bigint, sends bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    ids    bigint[];
    epochs bigint[];
BEGIN
    -- Waits where process_bury skips: a statement of the dead one may still be under way, and what it takes must be found.
    SELECT array_agg(d.id), array_agg(d.epoch) INTO ids, epochs FROM (
        SELECT p.id, p.epoch FROM processes p WHERE p.label = its_label AND p.beat IS NOT NULL
        ORDER BY p.id FOR UPDATE
    ) AS d;
    IF ids IS NULL THEN
        RETURN;
    END IF;
    UPDATE processes SET epoch = epoch + 1, beat = NULL WHERE id = ANY (ids);
    RETURN QUERY SELECT cardinality(ids)::bigint, o.lanes, o.sends FROM ledger_orphan(ids, epochs, crashed) AS o;
END $$;

-- Whether the process of this label is in the ledger and alive.
CREATE OR REPLACE FUNCTION process_lives(its_label text) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT 1 FROM processes p WHERE p.label = its_label AND p.beat IS NOT NULL)
$$;

-- Ends in good order: whatever the process still owns becomes an orphan at once, and no turn counts a death.
CREATE OR REPLACE FUNCTION process_leave(me bigint, my_epoch bigint) RETURNS TABLE (lanes bigint, sends bigint)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM processes p WHERE p.id = me AND p.epoch = my_epoch AND p.beat IS NOT NULL FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    UPDATE processes p SET epoch = p.epoch + 1, beat = NULL WHERE p.id = me;
    RETURN QUERY SELECT * FROM ledger_orphan(ARRAY[me], ARRAY[my_epoch], false);
END $$;

-- Takes up to lanes_max orphans for this process.  Many may call it at once: each gets others.
CREATE OR REPLACE FUNCTION ledger_adopt(me bigint, my_epoch bigint, lanes_max integer) RETURNS SETOF bigint
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM processes p WHERE p.id = me AND p.epoch = my_epoch AND p.beat IS NOT NULL FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    RETURN QUERY
    UPDATE conversations AS c SET
        owner_process = me, owner_epoch = my_epoch, fence = c.fence + 1, orphaned = false
    WHERE c.id = ANY (ARRAY(
        SELECT w.id FROM conversations w WHERE w.orphaned ORDER BY w.id LIMIT lanes_max FOR UPDATE SKIP LOCKED
    ))
    RETURNING c.id;
END $$;

-- Lanes with work that the ledger says are this process's, with their fences: what it does not run although it
-- should (the answer to a grant was lost, or another process handed the lane over).
-- OFFSET 0, twice: the work first, then each lane by its id.  Where turns were last analysed when there were few, most of
-- them still waiting, the planner takes much to wait, and would look at every conversation for its owner.
CREATE OR REPLACE FUNCTION ledger_owned(me bigint, my_epoch bigint) RETURNS TABLE (lane bigint, fence bigint)
LANGUAGE sql STABLE AS $$
    SELECT c.id, c.fence
    FROM (SELECT DISTINCT conversation_id AS id FROM turns WHERE state = 'accepted' OFFSET 0) AS work
    CROSS JOIN LATERAL (SELECT * FROM conversations WHERE id = work.id OFFSET 0) AS c
    WHERE c.owner_process = me AND c.owner_epoch = my_epoch
$$;

-- Frees lanes with work that the ledger says are this process's, for one that runs none: it adopted them, and the answer
-- to that was lost, or what ran them stopped.
CREATE OR REPLACE FUNCTION ledger_free(me bigint, my_epoch bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
BEGIN
    UPDATE conversations AS c SET
        owner_process = NULL, owner_epoch = NULL, fence = c.fence + 1, orphaned = c.last_seq > c.done_seq
    WHERE c.id = ANY (ARRAY(
        SELECT w.id FROM conversations w
        WHERE w.id = ANY (ARRAY(SELECT o.lane FROM ledger_owned(me, my_epoch) AS o))
          AND w.owner_process = me AND w.owner_epoch = my_epoch
        ORDER BY w.id FOR UPDATE
    ));
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END $$;
