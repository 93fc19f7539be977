-- What is forgotten by age, in portions: each a short statement, so that a large history cannot run into the statement
-- timeout, and so never be forgotten at all.
--
-- Those that walk a table by its id take up to rows_max rows from behind an id on; ids are given by time, near enough, so
-- a walk ends where the rows are young.  They answer where to go on (NULL: there is no more) and how many rows are gone.
--
-- Rows that an accept may have found just now are not deleted: it would miss them in its next statement.  They are given
-- another key first, under which nothing finds them (gone_at), and deleted days later.

-- Results that nobody was to read any longer.
CREATE OR REPLACE FUNCTION forget_job_results(rows_max integer) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    -- A variable, because a condition with a volatile function bounds no scan of an index.
    at_once timestamptz := clock_timestamp();
    n       bigint;
BEGIN
    DELETE FROM jobs j WHERE j.id = ANY (ARRAY(
        SELECT d.id FROM jobs d WHERE d.state = 'done' AND d.expires_at < at_once ORDER BY d.expires_at LIMIT rows_max
        FOR UPDATE SKIP LOCKED
    ));
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END $$;

-- Processes that ended, or were declared dead, and were started so long ago.  One that sleeps and comes back after that
-- finds no row, and registers anew.  With them what they claimed by a statement that outlived them.
CREATE OR REPLACE FUNCTION forget_processes(older_than interval, rows_max integer) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    old bigint[];
BEGIN
    old := ARRAY(
        SELECT d.id FROM processes d WHERE d.beat IS NULL AND d.started_at < clock_timestamp() - older_than
        ORDER BY d.id LIMIT rows_max FOR UPDATE SKIP LOCKED
    );
    DELETE FROM job_claims c WHERE c.process = ANY (old);
    DELETE FROM processes p WHERE p.id = ANY (old);
    RETURN cardinality(old);
END $$;

-- Turns that have ended, and with each the replies that it sent.  One whose answer is kept for a later turn stays until
-- that was told, or is too old: what is told is read from it.
CREATE OR REPLACE FUNCTION forget_turns(older_than interval, behind bigint, rows_max integer)
RETURNS TABLE (next_behind bigint, gone bigint)
LANGUAGE plpgsql AS $$
DECLARE
    cutoff timestamptz := clock_timestamp() - older_than;
    seen   record;
    old    bigint[];
BEGIN
    SELECT count(*) AS n, max(s.id) AS last, coalesce(bool_or(s.accepted_at >= cutoff), true) AS young,
           array_agg(s.id) FILTER (WHERE s.accepted_at < cutoff AND s.state <> 'accepted') AS old
      INTO seen
    FROM (
        SELECT t.id, t.accepted_at, t.state FROM turns t WHERE t.id > behind ORDER BY t.id LIMIT rows_max
    ) AS s;
    old := ARRAY(
        SELECT a.id FROM unnest(seen.old) AS a(id) LEFT JOIN LATERAL (
            SELECT o.id FROM outbox o WHERE o.turn_id = a.id AND o.kept_until IS NOT NULL
              AND o.state || '' IN ('pending', 'sending') LIMIT 1 OFFSET 0
        ) AS kept ON true WHERE kept.id IS NULL
    );
    DELETE FROM outbox o WHERE o.turn_id = ANY (old) AND o.state || '' IN ('sent', 'not_sent', 'unknown');
    DELETE FROM turns t WHERE t.id = ANY (old);
    RETURN QUERY SELECT CASE WHEN seen.n = rows_max AND NOT seen.young THEN seen.last END,
                        cardinality(old)::bigint;
END $$;

-- Conversations without a turn, in which nobody has spoken for so long, lose their key and what assistants kept.
CREATE OR REPLACE FUNCTION forget_conversations(older_than interval, behind bigint, rows_max integer)
RETURNS TABLE (next_behind bigint, gone bigint)
LANGUAGE plpgsql AS $$
DECLARE
    cutoff timestamptz := clock_timestamp() - older_than;
    seen   record;
    n      bigint;
BEGIN
    SELECT count(*) AS n, max(s.id) AS last,
           array_agg(s.id) FILTER (WHERE s.active_at < cutoff AND s.gone_at IS NULL) AS old
      INTO seen
    FROM (
        SELECT c.id, c.active_at, c.gone_at FROM conversations c WHERE c.id > behind ORDER BY c.id LIMIT rows_max
    ) AS s;
    PERFORM 1 FROM (
        SELECT 1 FROM conversations c WHERE c.id = ANY (seen.old) ORDER BY c.id FOR UPDATE
    ) AS locked;
    UPDATE conversations AS c SET key = 'gone:' || c.id, state = NULL, gone_at = clock_timestamp()
    WHERE c.id = ANY (ARRAY(
        SELECT o.id FROM unnest(seen.old) AS o(id)
        LEFT JOIN LATERAL (SELECT t.id FROM turns t WHERE t.conversation_id = o.id LIMIT 1 OFFSET 0) AS t ON true
        LEFT JOIN LATERAL (
            SELECT b.id FROM outbox b WHERE b.conversation_id = o.id AND b.state IN ('pending', 'sending') LIMIT 1 OFFSET 0
        ) AS b ON true
        WHERE t.id IS NULL AND b.id IS NULL
    )) AND c.active_at < cutoff AND c.last_seq = c.done_seq AND c.owner_process IS NULL;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN QUERY SELECT CASE WHEN seen.n = rows_max THEN seen.last END, n;
END $$;

-- Leaves of users, given in the order of their ids, nothing that says who they were.
CREATE OR REPLACE FUNCTION user_unname(user_ids bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM (
        SELECT 1 FROM users u WHERE u.id = ANY (user_ids) ORDER BY u.id FOR UPDATE
    ) AS locked;
    UPDATE users AS u SET
        key = 'gone:' || u.id, name = '', locale = '', memory = NULL, gone_at = coalesce(u.gone_at, clock_timestamp())
    WHERE u.id = ANY (user_ids);
END $$;

-- Users of whom there is no turn, and who were first seen so long ago, lose their key and what assistants remember.
CREATE OR REPLACE FUNCTION forget_users(older_than interval, behind bigint, rows_max integer)
RETURNS TABLE (next_behind bigint, gone bigint)
LANGUAGE plpgsql AS $$
DECLARE
    cutoff timestamptz := clock_timestamp() - older_than;
    seen   record;
    silent bigint[];
BEGIN
    SELECT count(*) AS n, max(s.id) AS last, coalesce(bool_or(s.created_at >= cutoff), true) AS young,
           array_agg(s.id) FILTER (WHERE s.created_at < cutoff AND s.gone_at IS NULL) AS old
      INTO seen
    FROM (
        SELECT u.id, u.created_at, u.gone_at FROM users u WHERE u.id > behind ORDER BY u.id LIMIT rows_max
    ) AS s;
    silent := ARRAY(
        SELECT o.id FROM unnest(seen.old) AS o(id)
        LEFT JOIN LATERAL (SELECT t.id FROM turns t WHERE t.user_id = o.id LIMIT 1 OFFSET 0) AS t ON true
        WHERE t.id IS NULL ORDER BY o.id
    );
    PERFORM user_unname(silent);
    RETURN QUERY SELECT CASE WHEN seen.n = rows_max AND NOT seen.young THEN seen.last END, cardinality(silent)::bigint;
END $$;

-- Deletes what was given up so long ago that nobody can be holding its id: users with the turns that are left of them,
-- then conversations without a turn.
CREATE OR REPLACE FUNCTION forget_gone(older_than interval, rows_max integer) RETURNS bigint
-- In the order of the index: a bitmap is made of all that is gone before the first row is read.
LANGUAGE plpgsql SET enable_bitmapscan = off AS $$
DECLARE
    cutoff  timestamptz := clock_timestamp() - older_than;
    theirs  bigint[];
    turns_n bigint;
    users_n bigint;
    lanes_n bigint;
BEGIN
    theirs := ARRAY(SELECT u.id FROM users u WHERE u.gone_at < cutoff ORDER BY u.gone_at LIMIT rows_max);
    DELETE FROM turns t WHERE t.id = ANY (ARRAY(
        SELECT o.id FROM unnest(theirs) AS w(id) CROSS JOIN LATERAL (
            SELECT x.id FROM turns x WHERE x.user_id = w.id AND x.state || '' <> 'accepted' LIMIT rows_max OFFSET 0
        ) AS o LIMIT rows_max
    ));
    GET DIAGNOSTICS turns_n = ROW_COUNT;
    DELETE FROM users u WHERE u.id = ANY (ARRAY(
        SELECT w.id FROM unnest(theirs) AS w(id)
        LEFT JOIN LATERAL (SELECT t.id FROM turns t WHERE t.user_id = w.id LIMIT 1 OFFSET 0) AS t ON true
        WHERE t.id IS NULL
    ));
    GET DIAGNOSTICS users_n = ROW_COUNT;
    DELETE FROM conversations c WHERE c.id = ANY (ARRAY(
        SELECT d.id FROM (
            SELECT g.id FROM conversations g
            WHERE g.gone_at < cutoff AND g.last_seq = g.done_seq AND g.owner_process IS NULL
            ORDER BY g.gone_at LIMIT rows_max FOR UPDATE SKIP LOCKED
        ) AS d
        LEFT JOIN LATERAL (SELECT t.id FROM turns t WHERE t.conversation_id = d.id LIMIT 1 OFFSET 0) AS t ON true
        WHERE t.id IS NULL
    ));
    GET DIAGNOSTICS lanes_n = ROW_COUNT;
    RETURN turns_n + users_n + lanes_n;
END $$;

-- Rows of the outbox that have ended.
CREATE OR REPLACE FUNCTION forget_outbox(older_than interval, behind bigint, rows_max integer)
RETURNS TABLE (next_behind bigint, gone bigint)
LANGUAGE plpgsql AS $$
DECLARE
    cutoff timestamptz := clock_timestamp() - older_than;
    seen   record;
BEGIN
    SELECT count(*) AS n, max(s.id) AS last, coalesce(bool_or(s.created_at >= cutoff), true) AS young,
           array_agg(s.id) FILTER (WHERE s.finished_at < cutoff) AS old
      INTO seen
    FROM (
        SELECT o.id, o.created_at, o.finished_at FROM outbox o WHERE o.id > behind ORDER BY o.id LIMIT rows_max
    ) AS s;
    DELETE FROM outbox o WHERE o.id = ANY (seen.old) AND o.state || '' IN ('sent', 'not_sent', 'unknown');
    RETURN QUERY SELECT CASE WHEN seen.n = rows_max AND NOT seen.young THEN seen.last END,
                        coalesce(cardinality(seen.old), 0)::bigint;
END $$;

CREATE OR REPLACE FUNCTION forget_dead_letters(older_than interval, behind bigint, rows_max integer)
RETURNS TABLE (next_behind bigint, gone bigint)
LANGUAGE plpgsql AS $$
DECLARE
    cutoff timestamptz := clock_timestamp() - older_than;
    seen   record;
BEGIN
    SELECT count(*) AS n, max(s.id) AS last, coalesce(bool_or(s.created_at >= cutoff), true) AS young,
           array_agg(s.id) FILTER (WHERE s.created_at < cutoff) AS old
      INTO seen
    FROM (
        SELECT d.id, d.created_at FROM dead_letters d WHERE d.id > behind ORDER BY d.id LIMIT rows_max
    ) AS s;
    DELETE FROM dead_letters d WHERE d.id = ANY (seen.old);
    RETURN QUERY SELECT CASE WHEN seen.n = rows_max AND NOT seen.young THEN seen.last END,
                        coalesce(cardinality(seen.old), 0)::bigint;
END $$;

-- Jobs that were given up.  A walk does not end at a young one: a job may be old when it is given up.
CREATE OR REPLACE FUNCTION forget_buried_jobs(older_than interval, behind bigint, rows_max integer)
RETURNS TABLE (next_behind bigint, gone bigint)
LANGUAGE plpgsql AS $$
DECLARE
    cutoff timestamptz := clock_timestamp() - older_than;
    seen   record;
BEGIN
    SELECT count(*) AS n, max(s.id) AS last, array_agg(s.id) FILTER (WHERE s.finished_at < cutoff) AS old INTO seen
    FROM (
        SELECT j.id, j.finished_at FROM jobs j WHERE j.state = 'buried' AND j.id > behind ORDER BY j.id LIMIT rows_max
    ) AS s;
    -- Retried by hand meanwhile, one is not buried any more.
    DELETE FROM jobs j WHERE j.id = ANY (seen.old) AND j.state || '' = 'buried';
    RETURN QUERY SELECT CASE WHEN seen.n = rows_max THEN seen.last END, coalesce(cardinality(seen.old), 0)::bigint;
END $$;
