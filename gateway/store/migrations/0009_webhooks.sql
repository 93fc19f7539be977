-- Webhooks that are told nothing, until an operator says otherwise: their receivers said that they are gone, or an
-- operator did.

CREATE TABLE webhooks_disabled (
    webhook  text PRIMARY KEY,
    by       text NOT NULL,
    reason   text NOT NULL,
    at       timestamptz NOT NULL DEFAULT clock_timestamp()
);
