-- Jobs in the hands of operators: retried, dropped, counted.  Lists are plain statements (gateway/store/job_views.py).

-- The outbox row that a job carries; NULL: none.
CREATE OR REPLACE FUNCTION job_box(kind text, payload json) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN kind = 'reply.send' THEN (payload ->> 'outbox_id')::bigint END
$$;

-- Locks a job and, before it, the outbox row that it carries: whoever ends a send locks that row first too, and then
-- writes jobs.  No row: there is no such job.
CREATE OR REPLACE FUNCTION job_lock(job bigint)
RETURNS TABLE (kind text, state text, partition smallint, priority smallint, unique_key text, box bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM 1 FROM outbox o
    WHERE o.id = (SELECT job_box(j.kind, j.payload) FROM jobs j WHERE j.id = job) FOR UPDATE;
    RETURN QUERY
    SELECT j.kind, j.state, j.partition, j.priority, j.unique_key, job_box(j.kind, j.payload)
    FROM jobs j WHERE j.id = job FOR UPDATE;
END $$;

-- A buried job starts anew at its lane's end: what came behind it meanwhile went on, and is not held up again.
-- outcome: 'retried'; 'gone'; 'key_taken', and other is the unfinished job that bears its unique key; or the state in
-- which it is not buried.
CREATE OR REPLACE FUNCTION job_retry(job bigint, who text)
RETURNS TABLE (outcome text, partition smallint, priority smallint, other bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    it record;
BEGIN
    -- The transaction's number before any place, as in jobs_enqueue.
    PERFORM pg_current_xact_id();
    SELECT * INTO it FROM job_lock(job);
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'gone', NULL::smallint, NULL::smallint, NULL::bigint;
        RETURN;
    ELSIF it.state <> 'buried' THEN
        RETURN QUERY SELECT it.state, it.partition, it.priority, NULL::bigint;
        RETURN;
    END IF;
    BEGIN
        UPDATE jobs AS j SET
            state = 'ready', place = nextval('job_places'), due_at = clock_timestamp(), attempts = 0, deaths = 0,
            progress = NULL, reason = 'retried_by_hand', detail = 'by ' || who, finished_at = NULL
        WHERE j.id = job;
    EXCEPTION WHEN unique_violation THEN
        RETURN QUERY SELECT 'key_taken', it.partition, it.priority, (
            SELECT o.id FROM jobs o WHERE o.unique_key = it.unique_key AND o.state IN ('ready', 'scheduled'));
        RETURN;
    END;
    -- A reply that was given up with its job (outbox_mend) was certainly not sent; without this there would be nothing
    -- to send.
    UPDATE outbox AS o SET state = 'pending', due_at = clock_timestamp(), reason = NULL, finished_at = NULL
    WHERE o.id = it.box AND o.state = 'not_sent' AND o.reason = 'job_buried';
    IF FOUND THEN
        UPDATE dead_letters AS d SET closed_at = clock_timestamp(), closed_as = 'retried', closed_by = who
        WHERE d.outbox_id = it.box AND d.closed_at IS NULL;
    END IF;
    UPDATE dead_letters AS d SET closed_at = clock_timestamp(), closed_as = 'retried', closed_by = who
    WHERE d.job_id = job AND d.closed_at IS NULL;
    RETURN QUERY SELECT 'retried', it.partition, it.priority, NULL::bigint;
END $$;

-- Forgets a job that is not done; that somebody dropped it is kept as a closed dead letter.
-- outcome: 'dropped'; 'gone'; 'done'.  holder: the worker that has read it, as far as can be seen: it is told, but may be
-- running it already, and then writes nothing of how that ended.
CREATE OR REPLACE FUNCTION job_drop(job bigint, who text)
RETURNS TABLE (outcome text, partition smallint, holder text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    it record;
BEGIN
    SELECT * INTO it FROM job_lock(job);
    IF NOT FOUND OR it.state = 'done' THEN
        RETURN QUERY SELECT coalesce(it.state, 'gone'), it.partition, NULL;
        RETURN;
    END IF;
    DELETE FROM jobs j WHERE j.id = job;
    UPDATE dead_letters AS d SET closed_at = clock_timestamp(), closed_as = 'dropped', closed_by = who
    WHERE d.job_id = job AND d.closed_at IS NULL;
    INSERT INTO dead_letters (kind, channel, account, job_id, reason, detail, closed_at, closed_as, closed_by)
    VALUES ('job', '', '', job, 'dropped', it.kind || ' (' || it.state || ') by ' || who, clock_timestamp(), 'dropped',
            who);
    -- Its reply goes with it: a pending row would get another job, or hold back its conversation.  One that is being
    -- sent at this moment gets its end from its sender.
    WITH ended AS (
        UPDATE outbox AS o SET state = 'not_sent', reason = 'dropped', finished_at = clock_timestamp()
        WHERE o.id = it.box AND o.state = 'pending' RETURNING o.*
    )
    INSERT INTO dead_letters
           (kind, channel, account, conversation_id, turn_id, outbox_id, reason, detail, closed_at, closed_as,
            closed_by)
    SELECT 'outbox', e.channel, e.account, e.conversation_id, e.turn_id, e.id, 'not_sent: dropped', 'by ' || who,
           clock_timestamp(), 'dropped', who
    FROM ended e;
    RETURN QUERY SELECT 'dropped', it.partition, job_holder(it.state, job);
END $$;

-- The worker that has a ready job in its hands, read or running, as far as claims tell, by its label.
CREATE OR REPLACE FUNCTION job_holder(state text, job bigint) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT p.label FROM job_claims c
    JOIN processes p ON p.id = c.process AND p.epoch = c.epoch
    WHERE state = 'ready' AND job = ANY (c.jobs) ORDER BY c.id DESC LIMIT 1
$$;

-- The worker that owns a partition, by its label.
CREATE OR REPLACE FUNCTION job_owner(part smallint) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT p.label FROM job_partitions o JOIN processes p ON p.id = o.owner_process WHERE o.partition = part
$$;

-- How many jobs of its lane run before one that is ready, or would if a scheduled one joined now; at most so many are
-- counted.
CREATE OR REPLACE FUNCTION job_ahead(job_state text, job_lane text, job_place bigint, rows_max integer) RETURNS bigint
LANGUAGE sql STABLE AS $$
    SELECT count(*) FROM (
        SELECT 1 FROM jobs a
        WHERE a.lane = job_lane AND a.state = 'ready'
          AND (job_state = 'ready' AND a.place < job_place OR job_state = 'scheduled')
        LIMIT rows_max
    ) AS ahead
$$;

-- Jobs by kind and state, and for how long the oldest has been in it (of one that waits: has been due).  Up to rows_max
-- rows of a state are counted one by one; of a state with more, about pages_max pages of the table are read and what is
-- there is taken for all, so that the count of a million costs what that of some thousands does.
CREATE OR REPLACE FUNCTION jobs_census(rows_max integer, pages_max integer)
RETURNS TABLE (kind text, state text, jobs bigint, oldest_s float8)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    one   text;
    found integer;
    many  text[] := '{}';
    share float8;
BEGIN
    FOREACH one IN ARRAY ARRAY['ready', 'scheduled', 'done', 'buried'] LOOP
        -- Literal states: only so are the partial indexes of use.
        EXECUTE format('SELECT count(*) FROM (SELECT 1 FROM jobs WHERE state = %L LIMIT $1) AS few', one)
           INTO found USING rows_max + 1;
        IF found > rows_max THEN
            many := many || one;
        ELSIF found > 0 THEN
            RETURN QUERY EXECUTE format(
                'SELECT kind, state, count(*), jobs_oldest(min(coalesce(finished_at, due_at))) FROM jobs'
                ' WHERE state = %L GROUP BY kind, state', one);
        END IF;
    END LOOP;
    IF many <> '{}' THEN
        share := least(100, 100.0 * pages_max * current_setting('block_size')::integer
                            / greatest(1, pg_relation_size('jobs')));
        RETURN QUERY
        SELECT j.kind, j.state, round(count(*) * 100 / share)::bigint,
               jobs_oldest(min(coalesce(j.finished_at, j.due_at)))
        FROM jobs j TABLESAMPLE SYSTEM (share) WHERE j.state = ANY (many) GROUP BY j.kind, j.state;
    END IF;
END $$;

CREATE OR REPLACE FUNCTION jobs_oldest(since timestamptz) RETURNS float8
LANGUAGE sql VOLATILE AS $$
    SELECT greatest(0, extract(epoch FROM clock_timestamp() - since))::float8
$$;
