-- What operators ordered of circuit breakers.  Here, because Redis may forget and a process that starts must obey too.
--
-- One row an endpoint: an order replaces the one before, and no row means that the circuit decides for itself.

CREATE TABLE breaker_orders (
    -- The endpoint's label, as telemetry and `switchboard breakers list` show it.
    endpoint    text PRIMARY KEY,
    state       text NOT NULL CHECK (state IN ('forced_open', 'forced_closed', 'metrics_only')),
    ordered_by  text NOT NULL,
    ordered_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    reason      text NOT NULL
);
