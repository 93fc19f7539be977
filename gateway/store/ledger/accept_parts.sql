-- Steps of ledger_accept that can be told on their own.

-- By message: the turn that it repeats, or NULL.  Called only when a dedupe key was lost; a statement of its own,
-- because the losing INSERT ... ON CONFLICT DO NOTHING cannot see the winner's row.
CREATE OR REPLACE FUNCTION ledger_repeats(ids bigint[], keys text[], key_m integer[]) RETURNS bigint[]
LANGUAGE plpgsql AS $$
DECLARE
    repeat_of bigint[];
BEGIN
    SELECT array_agg(w.turn_id ORDER BY i.m) INTO repeat_of
    FROM generate_subscripts(ids, 1) AS i(m)
    LEFT JOIN (
        SELECT k.m, min(d.turn_id) AS turn_id
        FROM unnest(keys, key_m) AS k(key, m)
        CROSS JOIN LATERAL (SELECT turn_id FROM dedupe_keys WHERE key = k.key OFFSET 0) AS d
        WHERE d.turn_id <> ids[k.m]
        GROUP BY k.m
    ) AS w ON w.m = i.m;
    -- A twin's other key was new: from now on it leads to the same turn.  By where the row is, which nobody else has seen
    -- yet: a plan that was made on a table of few keys would read all of them to find these.
    UPDATE dedupe_keys AS d SET turn_id = repeat_of[k.m]
    FROM unnest(keys, key_m) AS k(key, m)
    CROSS JOIN LATERAL (SELECT w.ctid AS at, w.turn_id FROM dedupe_keys w WHERE w.key = k.key OFFSET 0) AS w
    WHERE d.ctid = w.at AND w.turn_id = ids[k.m] AND repeat_of[k.m] IS NOT NULL;
    RETURN repeat_of;
END $$;

-- Conversation ids in the order of the arrays, made where they are missing.
CREATE OR REPLACE FUNCTION ledger_conversations(channels text[], accounts text[], keys text[]) RETURNS bigint[]
LANGUAGE plpgsql AS $$
DECLARE
    found bigint[];
BEGIN
    LOOP
        SELECT array_agg(c.id ORDER BY k.i) INTO found
        FROM unnest(channels, accounts, keys) WITH ORDINALITY AS k(channel, account, key, i)
        LEFT JOIN LATERAL (
            SELECT id FROM conversations
            WHERE channel = k.channel AND account = k.account AND key = k.key OFFSET 0
        ) AS c ON true;
        EXIT WHEN array_position(found, NULL) IS NULL;
        -- In the caller's order, so that two batches making the same conversations cannot deadlock.
        INSERT INTO conversations (channel, account, key)
        SELECT k.channel, k.account, k.key
        FROM unnest(channels, accounts, keys, found) AS k(channel, account, key, id) WHERE k.id IS NULL
        ON CONFLICT DO NOTHING;
    END LOOP;
    RETURN found;
END $$;

-- User ids and memories in the order of the arrays, made where they are missing.
CREATE OR REPLACE FUNCTION ledger_users(
    channels text[], accounts text[], user_c integer[], keys text[], names text[], locales text[],
    OUT ids bigint[], OUT memories jsonb[]
) LANGUAGE plpgsql AS $$
BEGIN
    LOOP
        SELECT array_agg(u.id ORDER BY k.i), array_agg(u.memory ORDER BY k.i) INTO ids, memories
        FROM unnest(user_c, keys) WITH ORDINALITY AS k(c, key, i)
        LEFT JOIN LATERAL (
            SELECT id, memory FROM users
            WHERE channel = channels[k.c] AND account = accounts[k.c] AND key = k.key OFFSET 0
        ) AS u ON true;
        EXIT WHEN array_position(ids, NULL) IS NULL;
        INSERT INTO users (channel, account, key, name, locale)
        SELECT channels[k.c], accounts[k.c], k.key, k.name, k.locale
        FROM unnest(user_c, keys, names, locales, ids) AS k(c, key, name, locale, id) WHERE k.id IS NULL
        ON CONFLICT DO NOTHING;
    END LOOP;
END $$;
