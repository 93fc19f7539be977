-- Replies that wait to be sent get the jobs that carry them (ledger/outbox.sql), which newer ones get when they are written.

-- The transaction's number before any place, as in jobs_enqueue.
DO $$ BEGIN PERFORM pg_current_xact_id(); END $$;

INSERT INTO jobs (id, place, partition, priority, state, kind, lane, payload, due_at, unique_key, trace_id)
SELECT c.id, c.id, (get_byte(sha256(convert_to(c.lane, 'UTF8')), 0) & 31)::smallint, 0,
       CASE WHEN c.due_at > clock_timestamp() THEN 'scheduled' ELSE 'ready' END, 'reply.send', c.lane,
       ('{"outbox_id":' || c.box || '}')::json, c.due_at, 'outbox:' || c.box, c.trace_id
FROM (
    SELECT nextval('job_places') AS id, o.id AS box, 'conversation:' || o.conversation_id AS lane, o.due_at, o.trace_id
    FROM (SELECT * FROM outbox WHERE state = 'pending' ORDER BY id OFFSET 0) AS o
) AS c;

-- Whether a reply's carrier was given up.
CREATE INDEX jobs_buried_unique ON jobs (unique_key) WHERE state = 'buried' AND unique_key IS NOT NULL;
