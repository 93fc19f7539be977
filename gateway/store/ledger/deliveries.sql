-- Keeps a delivery that was authentic but could not be understood, whole.
CREATE OR REPLACE FUNCTION dead_letter_delivery(
    channel text, account text, reason text, detail text, body bytea, content_type text
) RETURNS bigint
LANGUAGE sql AS $$
    INSERT INTO dead_letters (kind, channel, account, reason, detail, body, content_type)
    VALUES ('delivery', channel, account, reason, detail, body, content_type) RETURNING id
$$;

-- Forgets up to rows_max dedupe keys of a channel that are older than its platform keeps redelivering.  A day of a busy
-- channel in one statement would run into the statement timeout, every time, and so never forget anything.
CREATE OR REPLACE FUNCTION dedupe_prune(key_prefix text, older_than interval, rows_max integer) RETURNS bigint
LANGUAGE sql AS $$
    WITH gone AS (
        DELETE FROM dedupe_keys WHERE ctid = ANY (ARRAY(
            SELECT d.ctid FROM dedupe_keys d
            WHERE d.seen_at < clock_timestamp() - older_than AND starts_with(d.key, key_prefix) LIMIT rows_max
        )) RETURNING 1
    ) SELECT count(*) FROM gone
$$;
