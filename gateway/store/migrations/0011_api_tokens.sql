-- Tokens of the API that `switchboard token` makes, and who closed a dead letter.

CREATE TABLE api_tokens (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- SHA-256 of the whole token, which is shown once and kept nowhere (gateway/domain/api_token.py says why that is enough).
    token_hash   bytea NOT NULL UNIQUE,
    name         text NOT NULL,
    scopes       text[] NOT NULL,
    created_by   text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- NULL: it stands until it is revoked.
    expires_at   timestamptz,
    -- Written at most once a minute.
    last_used_at timestamptz,
    revoked_at   timestamptz,
    revoked_by   text
) WITH (fillfactor = 70);

-- The person who retried or dropped it, as far as that is known.
ALTER TABLE dead_letters ADD COLUMN closed_by text;
