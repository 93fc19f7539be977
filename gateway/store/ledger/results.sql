-- ledger_results: what became of turns that run in another process, for those who wait for them here.
CREATE OR REPLACE FUNCTION ledger_results(turn_ids bigint[]) RETURNS TABLE (
    turn bigint, state text, reply jsonb, reason text, degraded jsonb
) LANGUAGE sql STABLE AS $$
    SELECT t.id, t.state, t.reply, t.reason, t.degraded
    FROM unnest(turn_ids) AS w(id)
    CROSS JOIN LATERAL (SELECT * FROM turns WHERE id = w.id AND state <> 'accepted' OFFSET 0) AS t
$$;
