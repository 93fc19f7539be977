-- Dead letters in the hands of operators: retried or dropped, each once.  Whatever a retry does is committed together
-- with the letter's closing, so of two who retry one letter the second finds it closed.
--
-- A letter is closed after what it is about was locked: conversations, outbox rows and jobs come first everywhere.
-- Letters of jobs are closed by job_retry and job_drop (job_admin.sql), which close all of a job's.

CREATE OR REPLACE FUNCTION letter_close(letter bigint, as_what text, who text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE dead_letters AS d SET closed_at = clock_timestamp(), closed_as = as_what, closed_by = who
    WHERE d.id = letter AND d.closed_at IS NULL;
    RETURN FOUND;
END $$;

-- Locks the job of an open letter and answers its id; NULL: the letter is closed.  It is asked again behind the lock,
-- because whoever has closed it held that: a job that one operator has retried must not be forgotten by another, who had
-- read its letter before.
CREATE OR REPLACE FUNCTION letter_job(letter bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    its_job bigint;
BEGIN
    SELECT d.job_id INTO its_job FROM dead_letters d WHERE d.id = letter AND d.closed_at IS NULL;
    PERFORM 1 FROM job_lock(its_job);
    PERFORM 1 FROM dead_letters d WHERE d.id = letter AND d.closed_at IS NULL;
    RETURN CASE WHEN FOUND THEN its_job END;
END $$;

-- The job of a letter starts anew.  outcome: 'closed', or that of job_retry.
CREATE OR REPLACE FUNCTION letter_retry_job(letter bigint, who text)
RETURNS TABLE (outcome text, partition smallint, priority smallint, other bigint)
LANGUAGE plpgsql AS $$
DECLARE
    its_job bigint;
BEGIN
    -- The transaction's number before any place, as in jobs_enqueue.
    PERFORM pg_current_xact_id();
    its_job := letter_job(letter);
    IF its_job IS NULL THEN
        RETURN QUERY SELECT 'closed', NULL::smallint, NULL::smallint, NULL::bigint;
    ELSE
        RETURN QUERY SELECT r.outcome, r.partition, r.priority, r.other FROM job_retry(its_job, who) AS r;
    END IF;
END $$;

-- The job of a letter is forgotten.  outcome: 'closed', or that of job_drop; if the job is 'gone' the letter is closed.
CREATE OR REPLACE FUNCTION letter_drop_job(letter bigint, who text)
RETURNS TABLE (outcome text, partition smallint, holder text)
LANGUAGE plpgsql AS $$
DECLARE
    its_job bigint := letter_job(letter);
    it      record;
BEGIN
    IF its_job IS NULL THEN
        RETURN QUERY SELECT 'closed', NULL::smallint, NULL;
        RETURN;
    END IF;
    SELECT * INTO it FROM job_drop(its_job, who);
    IF it.outcome = 'gone' AND NOT letter_close(letter, 'dropped', who) THEN
        it.outcome := 'closed';
    END IF;
    RETURN QUERY SELECT it.outcome, it.partition, it.holder;
END $$;

-- A turn that failed runs again as a new turn at its lane's end, with what was said and nobody waiting for a response:
-- its reply is pushed.  No bound on what waits in the lane: it grows by one for each letter, once.
-- outcome: 'retried'; 'closed'; 'gone': its words or its conversation have been removed.
CREATE OR REPLACE FUNCTION letter_retry_turn(letter bigint, who text)
RETURNS TABLE (outcome text, turn bigint, conversation bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    it   record;
    lane record;
    said record;
    made bigint;
BEGIN
    SELECT d.turn_id, d.conversation_id INTO it FROM dead_letters d
    WHERE d.id = letter AND d.kind = 'turn' AND d.closed_at IS NULL;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'closed', NULL::bigint, NULL::bigint;
        RETURN;
    END IF;
    SELECT c.last_seq, c.gone_at INTO lane FROM conversations c WHERE c.id = it.conversation_id FOR UPDATE;
    SELECT t.* INTO said FROM turns t WHERE t.id = it.turn_id;
    IF lane.last_seq IS NULL OR lane.gone_at IS NOT NULL OR said.id IS NULL OR said.address = '{}' THEN
        RETURN QUERY SELECT 'gone', NULL::bigint, NULL::bigint;
        RETURN;
    ELSIF NOT letter_close(letter, 'retried', who) THEN
        RETURN QUERY SELECT 'closed', NULL::bigint, NULL::bigint;
        RETURN;
    END IF;
    INSERT INTO turns (conversation_id, seq, user_id, surface, address, message, trace_id, accepted_by, retry_of)
    -- No process is 0: nobody has taken it in who could have a caller waiting.
    VALUES (it.conversation_id, lane.last_seq + 1, said.user_id, said.surface, said.address, said.message,
            said.trace_id, 0, said.id)
    RETURNING id INTO made;
    UPDATE conversations AS c SET
        last_seq = c.last_seq + 1, orphaned = c.owner_process IS NULL, active_at = clock_timestamp()
    WHERE c.id = it.conversation_id;
    RETURN QUERY SELECT 'retried', made, it.conversation_id;
END $$;

-- A delivery that was not understood, and now is: its messages are taken in as any others are, by no process.  What the
-- platform has delivered again meanwhile answers as a duplicate.  No row: the letter is closed.  The arrays, and what is
-- answered of each message, are those of ledger_accept.
CREATE OR REPLACE FUNCTION letter_accept(
    letter bigint, who text,
    dedupe_keys text[], dedupe_m integer[],
    lane_channels text[], lane_accounts text[], lane_keys text[],
    user_c integer[], user_keys text[], user_names text[], user_locales text[],
    message_c integer[], message_u integer[],
    surfaces text[], addresses jsonb[], messages jsonb[], trace_ids text[]
) RETURNS TABLE (outcome text, turn bigint, conversation bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    IF NOT letter_close(letter, 'retried', who) THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT a.outcome, a.turn, a.conversation
    FROM ledger_accept(
        0, 0, 2147483647, dedupe_keys, dedupe_m, lane_channels, lane_accounts, lane_keys, user_c, user_keys,
        user_names, user_locales, message_c, message_u, surfaces, addresses, messages, trace_ids
    ) AS a;
END $$;

-- A message that was not sent, or of which nobody knows, is sent again: by a person's word, and marked where the user may
-- have it already.  A carrier that was given up is forgotten, with its letter.  What was kept for its conversation's next
-- turn (kept.sql) has no carrier: it is kept once more, for as long as the first time.
-- outcome: 'retried'; 'closed'; 'gone'; or the state in which the row has not ended.
CREATE OR REPLACE FUNCTION letter_retry_send(letter bigint, who text)
RETURNS TABLE (outcome text, conversation bigint, carriers bigint[])
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    its_box bigint;
    it      record;
BEGIN
    SELECT d.outbox_id INTO its_box FROM dead_letters d
    WHERE d.id = letter AND d.kind = 'outbox' AND d.closed_at IS NULL;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'closed', NULL::bigint, NULL::bigint[];
        RETURN;
    END IF;
    SELECT o.id, o.state, o.conversation_id, o.trace_id, o.kept_until INTO it FROM outbox o
    WHERE o.id = its_box FOR UPDATE;
    IF it.id IS NULL OR it.state NOT IN ('not_sent', 'unknown') THEN
        RETURN QUERY SELECT coalesce(it.state, 'gone'), NULL::bigint, NULL::bigint[];
        RETURN;
    ELSIF NOT letter_close(letter, 'retried', who) THEN
        RETURN QUERY SELECT 'closed', NULL::bigint, NULL::bigint[];
        RETURN;
    END IF;
    UPDATE outbox AS o SET
        state = 'pending', kind = CASE WHEN it.kept_until IS NULL THEN 'push' ELSE o.kind END,
        due_at = clock_timestamp(), attempts = 0,
        kept_until = clock_timestamp() + (o.kept_until - o.created_at), told_with = NULL,
        maybe_repeat = o.maybe_repeat OR o.state = 'unknown', reason = NULL, detail = NULL, finished_at = NULL,
        claimed_process = NULL, claimed_epoch = NULL
    WHERE o.id = its_box;
    WITH buried AS (
        DELETE FROM jobs j WHERE j.state = 'buried' AND j.unique_key = 'outbox:' || its_box RETURNING j.id
    )
    UPDATE dead_letters AS d SET closed_at = clock_timestamp(), closed_as = 'retried', closed_by = who
    FROM buried b WHERE d.job_id = b.id AND d.closed_at IS NULL;
    RETURN QUERY SELECT 'retried', it.conversation_id, CASE WHEN it.kept_until IS NULL THEN outbox_carry(
        ARRAY[its_box], ARRAY[it.conversation_id], ARRAY[it.trace_id], ARRAY[clock_timestamp()]) ELSE '{}' END;
END $$;
