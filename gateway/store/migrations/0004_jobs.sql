-- Jobs: slow work for workers, in lanes that keep their order; the partitions that share them out; what runs where.

-- How many partitions there are is fixed: a lane must stay in its own for as long as it has a job.
CREATE TABLE job_partitions (
    partition     smallint PRIMARY KEY,
    owner_process bigint,
    owner_epoch   bigint,
    -- Rises whenever the partition changes hands: what an earlier owner still wants to write is refused.
    fence         bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

INSERT INTO job_partitions (partition) SELECT n FROM generate_series(0, 31) AS n;

CREATE SEQUENCE job_places CACHE 1;

CREATE TABLE jobs (
    id            bigint PRIMARY KEY,
    -- Its place in the lane and in the partition: the id at first, a new one whenever it joins the lane anew.
    place         bigint NOT NULL,
    partition     smallint NOT NULL,
    -- 0 high, 1 normal, 2 low.
    priority      smallint NOT NULL DEFAULT 1,
    -- ready: in its place; scheduled: joins when it is due; done: kept for its result; buried: given up.
    state         text NOT NULL CHECK (state IN ('ready', 'scheduled', 'done', 'buried')),
    kind          text NOT NULL,
    -- NULL: in no lane.
    lane          text,
    -- Not jsonb: it is handed to its handler whole, and nothing looks into it here.
    payload       json NOT NULL,
    -- Not to be started before.  Of a ready one: its last try failed, and it holds its lane until then.
    due_at        timestamptz NOT NULL,
    -- Tries that ended with a failure of their own.
    attempts      integer NOT NULL DEFAULT 0,
    -- How many processes died while it was running, as far as anybody knows.
    deaths        integer NOT NULL DEFAULT 0,
    -- At most one unfinished job bears it.
    unique_key    text,
    -- Seconds for which the finished job and its result are kept.
    keep_s        float8 NOT NULL DEFAULT 0,
    trace_id      text NOT NULL DEFAULT '',
    progress      json,
    result        json,
    reason        text,
    detail        text,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at   timestamptz,
    -- Of one that is done: forgotten after this.
    expires_at    timestamptz
) WITH (
    fillfactor = 90,
    -- Each job is a row that is soon deleted: what is dead must go before the table grows.
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0
);

CREATE INDEX jobs_ready ON jobs (partition, priority, place) WHERE state = 'ready';
CREATE INDEX jobs_lane ON jobs (lane, place) WHERE state = 'ready' AND lane IS NOT NULL;
CREATE INDEX jobs_scheduled ON jobs (partition, due_at) WHERE state = 'scheduled';
CREATE UNIQUE INDEX jobs_unique ON jobs (unique_key) WHERE unique_key IS NOT NULL AND state IN ('ready', 'scheduled');
CREATE INDEX jobs_expiring ON jobs (expires_at) WHERE state = 'done';
CREATE INDEX jobs_buried ON jobs (id) WHERE state = 'buried';

-- What a worker has in its hands: written before any of it is started, so that it is known what a dead one was doing.
CREATE TABLE job_claims (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    process   bigint NOT NULL,
    epoch     bigint NOT NULL,
    jobs      bigint[] NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

CREATE INDEX job_claims_process ON job_claims (process);

-- Kinds that operators have paused.
CREATE TABLE job_pauses (
    kind     text PRIMARY KEY,
    by       text NOT NULL,
    reason   text NOT NULL,
    at       timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Ends in order: takes nothing more, and others may count it out already.
ALTER TABLE processes ADD COLUMN draining boolean NOT NULL DEFAULT false;

ALTER TABLE dead_letters ADD COLUMN job_id bigint;
ALTER TABLE dead_letters DROP CONSTRAINT dead_letters_kind_check;
ALTER TABLE dead_letters ADD CONSTRAINT dead_letters_kind_check CHECK (kind IN ('delivery', 'turn', 'outbox', 'job'));
