-- Schedules: when each ticks next.  The times are worked out by a worker (gateway/domain/cron.py), on this clock.
--
-- A tick is one transaction: schedule_tick, then the job of it.  Whoever finds that next_at is not what it has read
-- writes nothing, so of many workers that see the same tick one has it, and a tick without its job, or two jobs of it,
-- cannot be.

-- Answers at least one row: what the time is, and whether me is the worker that was started last, whose settings are
-- the newest: that one alone adds, changes, removes and ticks.  One that stopped beating or drains is not asked.
CREATE OR REPLACE FUNCTION schedules_read(me bigint, dead_after interval)
RETURNS TABLE (leads boolean, now_s float8, name text, timing text, next_s float8)
LANGUAGE sql STABLE AS $$
    SELECT coalesce(w.newest = me, false), extract(epoch FROM clock_timestamp())::float8, s.name, s.timing,
           extract(epoch FROM s.next_at)::float8
    FROM (
        SELECT max(p.id) AS newest FROM processes p
        WHERE p.kind = 'worker' AND NOT p.draining AND p.beat > clock_timestamp() - dead_after
    ) AS w LEFT JOIN job_schedules s ON true
$$;

-- Sets when schedules tick next, those that are new and those whose timing was changed.
CREATE OR REPLACE FUNCTION schedules_set(names text[], timings text[], nexts_s float8[]) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO job_schedules (name, timing, next_at)
    SELECT s.name, s.timing, to_timestamp(s.next_s) FROM unnest(names, timings, nexts_s) AS s(name, timing, next_s)
    ORDER BY s.name
    ON CONFLICT (name) DO UPDATE SET timing = EXCLUDED.timing, next_at = EXCLUDED.next_at
$$;

-- Forgets schedules that there are no more: were one of them configured again, it would begin anew.
CREATE OR REPLACE FUNCTION schedules_forget(names text[]) RETURNS void
LANGUAGE sql AS $$
    DELETE FROM job_schedules s WHERE s.name = ANY (names)
$$;

-- Has a schedule tick; false: another worker had it tick, or changed it.
CREATE OR REPLACE FUNCTION schedule_tick(its_name text, its_timing text, read_s float8, next_s float8) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE job_schedules s SET next_at = to_timestamp(schedule_tick.next_s), ticked_at = clock_timestamp()
    WHERE s.name = its_name AND s.timing = its_timing AND s.next_at = to_timestamp(read_s);
    RETURN FOUND;
END $$;
