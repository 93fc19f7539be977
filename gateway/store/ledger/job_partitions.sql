-- Which worker owns which partition of jobs.

-- Every partition with its owner, and who may own one: workers that live and do not drain.
CREATE OR REPLACE FUNCTION job_partitions_look(dead_after interval)
RETURNS TABLE (workers bigint[], partitions smallint[], owners bigint[])
LANGUAGE sql STABLE AS $$
    SELECT ARRAY(SELECT p.id FROM processes p
                 WHERE p.kind = 'worker' AND p.beat > clock_timestamp() - dead_after AND NOT p.draining ORDER BY p.id),
           array_agg(j.partition ORDER BY j.partition), array_agg(j.owner_process ORDER BY j.partition)
    FROM job_partitions j
$$;

-- Takes up to so many free partitions for this process.
CREATE OR REPLACE FUNCTION job_partitions_take(me bigint, my_epoch bigint, rows_max integer)
RETURNS TABLE (partition smallint, fence bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM 1 FROM processes p WHERE p.id = me AND p.epoch = my_epoch AND p.beat IS NOT NULL FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    RETURN QUERY
    UPDATE job_partitions AS j SET owner_process = me, owner_epoch = my_epoch, fence = j.fence + 1
    WHERE j.partition = ANY (ARRAY(
        SELECT w.partition FROM job_partitions w WHERE w.owner_process IS NULL
        ORDER BY w.partition LIMIT rows_max FOR UPDATE SKIP LOCKED
    ))
    RETURNING j.partition, j.fence;
END $$;

-- Gives partitions back: this process has nothing of them in its hands any more.
CREATE OR REPLACE FUNCTION job_partitions_release(me bigint, parts smallint[], fences bigint[]) RETURNS SETOF smallint
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM (
        SELECT 1 FROM job_partitions p WHERE p.partition = ANY (parts) ORDER BY p.partition FOR UPDATE
    ) AS locked;
    RETURN QUERY
    UPDATE job_partitions AS j SET owner_process = NULL, owner_epoch = NULL, fence = j.fence + 1
    FROM unnest(parts, fences) AS s(part, fence)
    WHERE j.partition = s.part AND j.fence = s.fence AND j.owner_process = me
    RETURNING j.partition;
END $$;

-- What this process owns as far as the ledger knows: the answer to a take may have been lost.
CREATE OR REPLACE FUNCTION job_partitions_owned(me bigint, my_epoch bigint)
RETURNS TABLE (partition smallint, fence bigint)
LANGUAGE sql STABLE AS $$
    SELECT partition, fence FROM job_partitions WHERE owner_process = me AND owner_epoch = my_epoch
$$;

-- What dead processes leave behind: their partitions are free under a higher fence, and of what was in their hands the
-- first job of each lane counts a death if it may have been running.  What they had given back before is in somebody
-- else's hands, though their claims still name it; and behind one that was tried and waits for its next try nothing was
-- running, claimed or not: lanes that sleep are in no claims, so that these are no more than memory holds.  A lower one that
-- was never tried may have been committed late, beside one that ran; one of another priority is not read in one order.
-- One that has seen two deaths (SUSPECTS_FROM in gateway/domain/job.py) is a suspect and counts only those of processes
-- that were about to run it (jobs_accuse), one at a time: the others had but read it.  Such a death clears of one of
-- theirs all that were in the same hands and never counted one of their own: two deaths make suspects of whatever was
-- held, most of it for another's guilt, and one at a time thousands take a day.
-- Without bitmaps jobs are locked in the order of their ids, as in jobs_settle.
CREATE OR REPLACE FUNCTION jobs_orphan(dead_ids bigint[], dead_epochs bigint[], crashed boolean) RETURNS void
LANGUAGE plpgsql SET enable_bitmapscan = off AS $$
DECLARE
    freed  smallint[];
    fences bigint[];
BEGIN
    PERFORM 1 FROM (
        SELECT 1 FROM job_partitions p WHERE p.owner_process = ANY (dead_ids) ORDER BY p.partition FOR UPDATE
    ) AS locked;
    WITH theirs AS (
        UPDATE job_partitions AS j SET owner_process = NULL, owner_epoch = NULL, fence = j.fence + 1
        FROM unnest(dead_ids, dead_epochs) AS d(id, epoch)
        WHERE j.owner_process = d.id AND j.owner_epoch = d.epoch
        RETURNING j.partition, j.fence - 1 AS fence
    ) SELECT array_agg(t.partition), array_agg(t.fence) INTO freed, fences FROM theirs t;
    IF crashed THEN
        WITH held AS MATERIALIZED (
            SELECT d.id AS process, w.id, w.lane, w.priority, w.place, w.due_at, w.deaths,
                   coalesce(w.suspect_fence = f.fence AND w.deaths >= 2, false) AS accused
            FROM unnest(dead_ids, dead_epochs) AS d(id, epoch)
            JOIN job_claims c ON c.process = d.id AND c.epoch = d.epoch
            CROSS JOIN LATERAL unnest(c.jobs) AS mine(id)
            -- OFFSET 0: probed for, one by one, whatever the planner believes of the table.
            CROSS JOIN LATERAL (SELECT * FROM jobs j WHERE j.id = mine.id OFFSET 0) AS w
            JOIN unnest(freed, fences) AS f(partition, fence) ON f.partition = w.partition
            WHERE w.state = 'ready'
        ), heads AS (
            SELECT DISTINCT ON (coalesce(h.lane, h.id::text), h.lane IS NULL) h.*
            FROM held h ORDER BY coalesce(h.lane, h.id::text), h.lane IS NULL, h.place
        )
        UPDATE jobs AS j
        SET deaths = CASE WHEN j.deaths <> 2 OR j.id = ANY (ARRAY(SELECT h.id FROM held h WHERE h.accused))
                          THEN j.deaths + 1 ELSE 1 END
        WHERE j.id = ANY (ARRAY(
            SELECT h.id FROM heads h WHERE h.due_at <= clock_timestamp() AND h.deaths < 2 AND NOT EXISTS (
                -- OFFSET 0: probed for, as above.
                SELECT 1 FROM jobs a
                WHERE a.lane = h.lane AND a.state = 'ready' AND a.place < h.place AND a.priority = h.priority
                  AND (a.attempts > 0 OR a.due_at > clock_timestamp())
                OFFSET 0
            )
            UNION
            SELECT h.id FROM held h WHERE h.accused
            UNION
            SELECT h.id FROM held h WHERE h.deaths = 2 AND h.process IN (SELECT a.process FROM held a WHERE a.accused)
        ));
    END IF;
    -- Those of earlier lives as well: a statement that was on its way when it was declared dead claims in that one's name.
    DELETE FROM job_claims c USING unnest(dead_ids, dead_epochs) AS d(id, epoch)
    WHERE c.process = d.id AND c.epoch <= d.epoch;
END $$;

-- Ends in order from here on: the others share its partitions out already.
CREATE OR REPLACE FUNCTION process_drain(me bigint, my_epoch bigint) RETURNS void
LANGUAGE sql AS $$
    UPDATE processes SET draining = true WHERE id = me AND epoch = my_epoch AND beat IS NOT NULL
$$;
