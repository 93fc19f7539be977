-- What was said, for the user's own page: settled turns after a sequence number, and open ones.  A turn that repeats a
-- dead-lettered one brings its answer without the words: its user said them once, and they stand where that was.

CREATE OR REPLACE FUNCTION transcript_after(lane bigint, after_seq bigint, turns_max integer) RETURNS TABLE (
    seq bigint, state text, message jsonb, reply jsonb, accepted_at float8
) LANGUAGE sql STABLE AS $$
    SELECT t.seq, t.state, CASE WHEN t.retry_of IS NULL THEN t.message ELSE '{"kind": "event", "name": "retried"}' END,
           t.reply, extract(epoch FROM t.accepted_at)::float8
    FROM turns t WHERE t.conversation_id = lane AND t.seq > after_seq
    ORDER BY t.seq LIMIT turns_max
$$;

-- Where conversations stand: what a process asks for all streams it holds, when no hint came.
CREATE OR REPLACE FUNCTION transcript_marks(lanes bigint[]) RETURNS TABLE (lane bigint, done_seq bigint, last_seq bigint)
LANGUAGE sql STABLE AS $$
    SELECT c.id, c.done_seq, c.last_seq FROM conversations c WHERE c.id = ANY (lanes)
$$;

CREATE OR REPLACE FUNCTION transcript_find(channel text, account text, key text) RETURNS TABLE (
    lane bigint, done_seq bigint, last_seq bigint
) LANGUAGE sql STABLE AS $$
    SELECT c.id, c.done_seq, c.last_seq FROM conversations c
    WHERE c.channel = transcript_find.channel AND c.account = transcript_find.account AND c.key = transcript_find.key
$$;

-- What conversations are called by their channels: for a stream that waits for one that had no id yet.
CREATE OR REPLACE FUNCTION transcript_keys(lanes bigint[]) RETURNS TABLE (lane bigint, channel text, account text, key text)
LANGUAGE sql STABLE AS $$
    SELECT c.id, c.channel, c.account, c.key FROM conversations c WHERE c.id = ANY (lanes)
$$;

-- What was said before a turn, oldest first: as many answered turns as bytes_max holds, the newest of them, turns_max at
-- most.  Failed ones are passed over, and so that an outage's worth of them is not read through, the look ends after four
-- times as many turns.  Of a reply the parts alone: state and memory are no words.
CREATE OR REPLACE FUNCTION transcript_before(lane bigint, before_seq bigint, turns_max integer, bytes_max integer)
RETURNS TABLE (seq bigint, message jsonb, parts jsonb)
LANGUAGE sql STABLE AS $$
    SELECT summed.seq, summed.message, summed.parts
    FROM (
        SELECT last.*, sum(octet_length(last.message::text) + octet_length(last.parts::text))
                       OVER (ORDER BY last.seq DESC) AS bytes
        FROM (
            SELECT t.seq, t.message, coalesce(t.reply -> 'parts', '[]') AS parts
            FROM turns t
            WHERE t.conversation_id = lane AND t.seq < before_seq AND t.seq >= before_seq - 4 * turns_max
              AND t.state || '' = 'answered'
            ORDER BY t.seq DESC LIMIT turns_max
        ) AS last
    ) AS summed
    WHERE summed.bytes <= bytes_max ORDER BY summed.seq
$$;
