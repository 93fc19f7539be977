-- Keeps a delivery that was authentic but could not be understood, whole.
CREATE OR REPLACE FUNCTION dead_letter_delivery(
    channel text, account text, reason text, detail text, body bytea, content_type text
) RETURNS bigint
LANGUAGE sql AS $$
    INSERT INTO dead_letters (kind, channel, account, reason, detail, body, content_type)
    VALUES ('delivery', channel, account, reason, detail, body, content_type) RETURNING id
$$;

-- Forgets dedupe keys of a channel that are older than its platform keeps redelivering.
CREATE OR REPLACE FUNCTION dedupe_prune(key_prefix text, older_than interval) RETURNS bigint
LANGUAGE sql AS $$
    WITH gone AS (
        DELETE FROM dedupe_keys WHERE seen_at < clock_timestamp() - older_than AND starts_with(key, key_prefix)
        RETURNING 1
    ) SELECT count(*) FROM gone
$$;
