-- Jobs: scheduled -> ready -> gone | done (kept for its result) | buried.
--
-- Order.  A lane's jobs run by their places.  A place is drawn inside the transaction that writes the row, so of two jobs
-- of which the second was asked for after the first was committed, the first has the lower place and is seen whenever the
-- second is.  Two that are written at once may be seen in either order, and either is right.
--
-- Who runs what.  A partition has one owner, a worker, under a fence that rises whenever it changes hands.  There is no
-- claim of a single job: what its owner has read it alone may run, and settles only under its fence.

-- The partition of a job: of its lane if it has one, so that a lane has one owner.
CREATE OR REPLACE FUNCTION job_partition(lane text, id bigint) RETURNS smallint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ((CASE WHEN lane IS NULL THEN id ELSE get_byte(sha256(convert_to(lane, 'UTF8')), 0) END) & 31)::smallint
$$;

-- Writes jobs, in the order given, in the caller's own transaction.  run_ats: Unix seconds, NULL or past: at once.
-- Answers one row a job, in order; fresh is false where an unfinished job bears the unique key already, and the id is
-- that one's.
CREATE OR REPLACE FUNCTION jobs_enqueue(
    kinds text[], lanes text[], priorities smallint[], payloads text[], run_ats float8[], uniques text[],
    keeps_s float8[], traces text[]
) RETURNS TABLE (id bigint, partition smallint, fresh boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    ids     bigint[];
    -- By job: the one that stands for it.
    stands  bigint[];
    at_once timestamptz := clock_timestamp();
BEGIN
    -- The transaction's number before any place: a reader then knows by the numbers which places may still appear.
    PERFORM pg_current_xact_id();
    ids := ARRAY(SELECT nextval('job_places') FROM generate_subscripts(kinds, 1));
    IF array_remove(uniques, NULL) = '{}' THEN
        INSERT INTO jobs (id, place, partition, priority, state, kind, lane, payload, due_at, keep_s, trace_id)
        SELECT j.id, j.id, job_partition(j.lane, j.id), j.priority,
               CASE WHEN to_timestamp(j.run_at) > at_once THEN 'scheduled' ELSE 'ready' END,
               j.kind, j.lane, j.payload::json, greatest(to_timestamp(j.run_at), at_once), j.keep_s, j.trace_id
        FROM unnest(ids, kinds, lanes, priorities, payloads, run_ats, keeps_s, traces)
             AS j(id, kind, lane, priority, payload, run_at, keep_s, trace_id);
        RETURN QUERY SELECT j.id, job_partition(j.lane, j.id), true FROM unnest(ids, lanes) AS j(id, lane);
        RETURN;
    END IF;
    stands := array_fill(NULL::bigint, ARRAY[cardinality(ids)]);
    -- Again, where the one that stood in the way has ended before it could be named.
    WHILE array_position(stands, NULL) IS NOT NULL LOOP
        INSERT INTO jobs (id, place, partition, priority, state, kind, lane, payload, due_at, unique_key, keep_s, trace_id)
        SELECT j.id, j.id, job_partition(j.lane, j.id), j.priority,
               CASE WHEN to_timestamp(j.run_at) > at_once THEN 'scheduled' ELSE 'ready' END,
               j.kind, j.lane, j.payload::json, greatest(to_timestamp(j.run_at), at_once), j.unique_key, j.keep_s,
               j.trace_id
        FROM unnest(ids, kinds, lanes, priorities, payloads, run_ats, uniques, keeps_s, traces, stands)
             AS j(id, kind, lane, priority, payload, run_at, unique_key, keep_s, trace_id, stands)
        WHERE j.stands IS NULL
        -- All in one order, or two that ask for the same keys would each wait for the other's.
        ORDER BY j.unique_key, j.id
        ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL AND state IN ('ready', 'scheduled') DO NOTHING;
        SELECT array_agg(coalesce(j.stands, (SELECT o.id FROM jobs o WHERE o.id = j.id), (
                   SELECT o.id FROM jobs o WHERE o.unique_key = j.unique_key AND o.state IN ('ready', 'scheduled')
               )) ORDER BY j.i)
          INTO stands
        FROM unnest(ids, uniques, stands) WITH ORDINALITY AS j(id, unique_key, stands, i);
    END LOOP;
    RETURN QUERY
    SELECT j.stands, coalesce((SELECT o.partition FROM jobs o WHERE o.id = j.stands), 0::smallint), j.stands = j.id
    FROM unnest(ids, stands) WITH ORDINALITY AS j(id, stands, i) ORDER BY j.i;
END $$;

-- Reads ready jobs of partitions that this process owns, each list of one partition and priority from behind a place
-- on, up to its limit, and writes down that they are in its hands.  skip_lanes are left out, and so is what is of
-- skip_kinds or stands behind one of those in its lane: whoever wants those kinds again begins anew.  known: places that
-- are left out because their reader has read them.  finishing: places of skip_kinds that are in its hands, so that what
-- comes behind them is read and waits there.
--
-- What was left out because of a kind may stand below where its list begins by the time the job in front of it is
-- dropped.  So with skip_kinds each lane that is read shows the last one that it has there, too, at or below its list's
-- place, beyond the limit and not claimed: a reader that does not know that one reads the lane from its beginning.
--
-- Answers at least one row.  low: every transaction below it had ended before the look; high: none above it had begun
-- before the look.  Places at or below the last one read that a reader has not seen can come only of transactions
-- between the two: once a later look's low has reached this one's high, there are none.  Until then a reader that began
-- behind the last one could read a job and miss the one in front of it: it begins where nothing comes any more.
-- For high a transaction's own number is drawn, behind the snapshot, so this is to be the first statement of its
-- transaction that draws one: the end of a snapshot (pg_snapshot_xmax) only says what had *ended*, and one that had begun
-- before may be above it.
CREATE OR REPLACE FUNCTION jobs_scan(
    me bigint, my_epoch bigint, parts smallint[], prios smallint[], behind bigint[], limits integer[],
    known bigint[], skip_lanes text[], skip_kinds text[], finishing bigint[]
) RETURNS TABLE (
    low bigint, high bigint, claim bigint, id bigint, place bigint, partition smallint, priority smallint, kind text,
    lane text, payload text, attempts integer, deaths integer, wait_s float8, keep_s float8, trace_id text, age_s float8
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    before bigint;
BEGIN
    -- Lost with PostgreSQL, a claim would only have told of a worker's death.
    PERFORM set_config('synchronous_commit', 'off', true);
    before := pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
    RETURN QUERY
    WITH seen AS MATERIALIZED (
        SELECT s.i, s.behind, j.*
        FROM unnest(parts, prios, behind, limits) WITH ORDINALITY AS s(part, prio, behind, lim, i)
        CROSS JOIN LATERAL (
            SELECT w.id, w.place, w.partition, w.priority, w.kind, w.lane, w.payload::text, w.attempts, w.deaths,
                   greatest(0, extract(epoch FROM w.due_at - clock_timestamp()))::float8 AS wait_s,
                   w.keep_s, w.trace_id, extract(epoch FROM clock_timestamp() - w.created_at)::float8 AS age_s
            FROM jobs w
            WHERE w.partition = s.part AND w.priority = s.prio AND w.state = 'ready' AND w.place > s.behind
              -- Subqueries, because these are hashed.
              AND w.place NOT IN (SELECT k FROM unnest(known) AS k)
              AND (w.lane IS NULL OR w.lane NOT IN (SELECT l FROM unnest(skip_lanes) AS l))
              -- CASE, because of a condition on kinds the planner believes that hardly a row passes, and sorts a queue.
              AND CASE
                  WHEN skip_kinds = '{}' THEN true
                  WHEN w.kind = ANY (skip_kinds) THEN false
                  ELSE w.lane IS NULL OR NOT EXISTS (
                      SELECT 1 FROM jobs b
                      WHERE b.lane = w.lane AND b.state = 'ready' AND b.place < w.place
                        AND b.kind = ANY (skip_kinds) AND b.place <> ALL (finishing)
                  )
              END
            ORDER BY w.place LIMIT s.lim
        ) AS j
    ), below AS (
        SELECT l.i, l.behind, j.*
        FROM (SELECT DISTINCT o.i, o.behind, o.priority, o.lane FROM seen o WHERE o.lane IS NOT NULL) AS l
        CROSS JOIN LATERAL (
            SELECT w.id, w.place, w.partition, w.priority, w.kind, w.lane, w.payload::text, w.attempts, w.deaths,
                   0::float8 AS wait_s, w.keep_s, w.trace_id, 0::float8 AS age_s
            FROM jobs w
            WHERE w.lane = l.lane AND w.state = 'ready' AND w.place <= l.behind AND w.priority = l.priority
            ORDER BY w.place DESC LIMIT 1
        ) AS j
        WHERE skip_kinds <> '{}'
    ), claimed AS (
        INSERT INTO job_claims (process, epoch, jobs)
        SELECT me, my_epoch, array_agg(seen.id) FROM seen HAVING count(*) > 0 RETURNING id
    )
    SELECT before, pg_current_xact_id()::text::bigint, (SELECT c.id FROM claimed c),
           s.id, s.place, s.partition, s.priority, s.kind, s.lane, s.payload, s.attempts, s.deaths, s.wait_s, s.keep_s,
           s.trace_id, s.age_s
    FROM (VALUES (1)) AS one LEFT JOIN (SELECT * FROM seen UNION ALL SELECT * FROM below) AS s ON true
    ORDER BY s.i, s.place;
END $$;

-- The same of single lanes, from behind a place on.
CREATE OR REPLACE FUNCTION jobs_scan_lanes(me bigint, my_epoch bigint, lanes text[], behind bigint[], rows_max integer)
RETURNS TABLE (
    claim bigint, id bigint, place bigint, partition smallint, priority smallint, kind text, lane text, payload text,
    attempts integer, deaths integer, wait_s float8, keep_s float8, trace_id text, age_s float8
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    RETURN QUERY
    WITH seen AS MATERIALIZED (
        SELECT s.i, j.*
        FROM unnest(lanes, behind) WITH ORDINALITY AS s(lane, behind, i)
        CROSS JOIN LATERAL (
            SELECT w.id, w.place, w.partition, w.priority, w.kind, w.lane, w.payload::text, w.attempts, w.deaths,
                   greatest(0, extract(epoch FROM w.due_at - clock_timestamp()))::float8 AS wait_s,
                   w.keep_s, w.trace_id, extract(epoch FROM clock_timestamp() - w.created_at)::float8 AS age_s
            FROM jobs w WHERE w.lane = s.lane AND w.state = 'ready' AND w.place > s.behind
            ORDER BY w.place LIMIT rows_max
        ) AS j
    ), claimed AS (
        INSERT INTO job_claims (process, epoch, jobs)
        SELECT me, my_epoch, array_agg(seen.id) FROM seen HAVING count(*) > 0 RETURNING id
    )
    SELECT (SELECT c.id FROM claimed c), s.id, s.place, s.partition, s.priority, s.kind, s.lane, s.payload, s.attempts,
           s.deaths, s.wait_s, s.keep_s, s.trace_id, s.age_s
    FROM seen s ORDER BY s.i, s.place;
END $$;

-- Writes what became of jobs, where this process still owns their partition under the fence that it says.
--   done         ended well, and nothing of them is kept
--   ids, fates   the others: 'done' (kept with its result) | 'retry' (in its place, after so many seconds) |
--                'snooze' (joins its lane anew after so many seconds) | 'bury'
--   places       theirs when they ran: a job that has joined its lane anew since, or was retried by hand, is another run's
--                to settle.  So a call that is made again, or executed late, ends no stay but its own
--   tries        attempts so far, as a total: run again after a lost COMMIT it is the same
--   ended        claims of which nothing is in this process's hands any more
-- Rows are locked in the order of their ids, as by all who lock several jobs; where nothing but deletions are asked for,
-- by the index that these go by, which a bitmap does not keep the order of.
-- Answers one row: held, the partitions that are this process's; changed, the jobs that were written.  One of a held
-- partition that was not changed is gone: dropped by hand, or written before, by the same call whose answer was lost.
CREATE OR REPLACE FUNCTION jobs_settle(
    me bigint, parts smallint[], fences bigint[], done bigint[],
    ids bigint[], places bigint[], fates text[], results text[], reasons text[], details text[], after_s float8[],
    tries integer[], ended bigint[]
) RETURNS TABLE (held smallint[], changed bigint[])
LANGUAGE plpgsql SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    ours  smallint[];
    gone  bigint[];
    kept  bigint[];
BEGIN
    -- FOR SHARE: whoever wants to take the partition waits until this is committed.
    PERFORM 1 FROM (
        SELECT 1 FROM job_partitions p WHERE p.partition = ANY (parts) ORDER BY p.partition FOR SHARE
    ) AS locked;
    ours := ARRAY(
        SELECT p.partition FROM unnest(parts, fences) AS s(part, fence)
        CROSS JOIN LATERAL (SELECT * FROM job_partitions WHERE partition = s.part OFFSET 0) AS p
        WHERE p.fence = s.fence AND p.owner_process = me
    );
    IF cardinality(ids) > 0 THEN
        PERFORM 1 FROM (
            SELECT 1 FROM jobs j WHERE j.id = ANY (done || ids) ORDER BY j.id FOR UPDATE
        ) AS locked;
    END IF;
    IF cardinality(done) > 0 THEN
        WITH deleted AS (
            -- || '': so that no index over what is ready fits, which would be read whole while the planner believes that
            -- the table is empty.
            DELETE FROM jobs j WHERE j.id = ANY (done) AND j.partition = ANY (ours) AND j.state || '' = 'ready'
            RETURNING j.id
        ) SELECT array_agg(d.id) INTO gone FROM deleted d;
    END IF;
    IF cardinality(ids) > 0 THEN
        WITH written AS (
            UPDATE jobs AS j SET
                state = CASE s.fate WHEN 'done' THEN 'done' WHEN 'retry' THEN 'ready' WHEN 'snooze' THEN 'scheduled'
                                    ELSE 'buried' END,
                due_at = CASE WHEN s.fate IN ('retry', 'snooze')
                              THEN clock_timestamp() + make_interval(secs => s.after_s) ELSE j.due_at END,
                attempts = s.tries, suspect_fence = NULL, result = s.result::json, reason = s.reason, detail = s.detail,
                finished_at = CASE WHEN s.fate IN ('done', 'bury') THEN clock_timestamp() END,
                expires_at = CASE s.fate WHEN 'done' THEN clock_timestamp() + make_interval(secs => j.keep_s) END
            FROM unnest(ids, places, fates, results, reasons, details, after_s, tries)
                 AS s(id, place, fate, result, reason, detail, after_s, tries)
            -- By where the row is, which stays so while it is locked: a plan that was made on a table known to be empty
            -- would read all of a queue to find it by its id.
            CROSS JOIN LATERAL (SELECT w.ctid AS at FROM jobs w WHERE w.id = s.id OFFSET 0) AS w
            WHERE j.ctid = w.at AND j.place = s.place AND j.partition = ANY (ours) AND j.state || '' = 'ready'
            RETURNING j.id, j.state, j.reason, j.detail
        ), letters AS (
            INSERT INTO dead_letters (kind, channel, account, job_id, reason, detail)
            SELECT 'job', '', '', w.id, coalesce(w.reason, ''), coalesce(w.detail, '') FROM written w
            WHERE w.state = 'buried'
        ) SELECT array_agg(w.id) INTO kept FROM written w;
    END IF;
    IF cardinality(ended) > 0 THEN
        DELETE FROM job_claims c WHERE c.id = ANY (ended);
    END IF;
    RETURN QUERY SELECT ours, coalesce(gone, '{}') || coalesce(kept, '{}');
END $$;

-- Says that this suspect is about to be run: should this process die, it alone of all suspects counts the death.  Answers
-- whether its partition is this process's.
CREATE OR REPLACE FUNCTION jobs_accuse(me bigint, part smallint, its_fence bigint, its_id bigint, its_place bigint)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM job_partitions p
    WHERE p.partition = part AND p.fence = its_fence AND p.owner_process = me FOR SHARE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE jobs j SET suspect_fence = its_fence
    WHERE j.id = its_id AND j.place = its_place AND j.state || '' = 'ready';
    RETURN true;
END $$;

-- Writes what running jobs say of their progress: of each its partition, the fence under which it was read, its id.
-- Lost with PostgreSQL, the next report is newer.  A job that somebody is writing is left out, not waited for: it is being
-- settled, and who settles takes rows in another order.
CREATE OR REPLACE FUNCTION jobs_progress(me bigint, parts smallint[], fences bigint[], ids bigint[], reports text[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    free bigint[];
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    free := ARRAY(SELECT j.id FROM jobs j WHERE j.id = ANY (ids) AND j.state || '' = 'ready' FOR UPDATE SKIP LOCKED);
    UPDATE jobs AS j SET progress = s.report::json
    FROM unnest(parts, fences, ids, reports) AS s(part, fence, id, report)
    CROSS JOIN LATERAL (SELECT * FROM job_partitions WHERE partition = s.part OFFSET 0) AS p
    CROSS JOIN LATERAL (SELECT w.ctid AS at FROM jobs w WHERE w.id = s.id OFFSET 0) AS w
    WHERE j.ctid = w.at AND s.id = ANY (free) AND p.fence = s.fence AND p.owner_process = me;
END $$;

-- Lets what is due join its lane: at its end, in the order in which it was due.  Anybody may call it at any time.
-- next_s: seconds until the next one of these partitions is due; NULL: none is scheduled.
CREATE OR REPLACE FUNCTION jobs_promote(parts smallint[], rows_max integer)
RETURNS TABLE (promoted bigint, next_s float8)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    -- A variable, because a condition with a volatile function bounds no scan of an index.
    at_once timestamptz := clock_timestamp();
    due     bigint[];
    places  bigint[];
BEGIN
    due := ARRAY(
        SELECT j.id FROM unnest(parts) AS s(part)
        CROSS JOIN LATERAL (
            SELECT w.id, w.due_at FROM jobs w
            WHERE w.partition = s.part AND w.state = 'scheduled' AND w.due_at <= at_once
            ORDER BY w.due_at LIMIT rows_max FOR UPDATE SKIP LOCKED
        ) AS j
        ORDER BY j.due_at, j.id
    );
    IF cardinality(due) > 0 THEN
        PERFORM pg_current_xact_id();
        places := ARRAY(SELECT nextval('job_places') FROM generate_subscripts(due, 1));
        UPDATE jobs AS j SET state = 'ready', place = d.place
        FROM unnest(due, places) AS d(id, place)
        CROSS JOIN LATERAL (SELECT w.ctid AS at FROM jobs w WHERE w.id = d.id OFFSET 0) AS w
        WHERE j.ctid = w.at;
    END IF;
    RETURN QUERY
    SELECT cardinality(due)::bigint, extract(epoch FROM min(j.due_at) - clock_timestamp())::float8
    FROM unnest(parts) AS s(part)
    CROSS JOIN LATERAL (
        SELECT w.due_at FROM jobs w WHERE w.partition = s.part AND w.state = 'scheduled' ORDER BY w.due_at LIMIT 1
    ) AS j;
END $$;
