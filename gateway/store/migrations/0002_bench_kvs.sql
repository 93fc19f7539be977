-- /bench/kvs: the key-value store of the platform evaluation.  Used only where [bench] is enabled.
--
-- Durable like any other table: an UNLOGGED one would be measured faster than what it stands for.
-- fillfactor leaves room in the page, so that writing a key again stays on it (HOT) and touches no index.

CREATE TABLE bench_kvs (
    key    text PRIMARY KEY,
    -- JSON as it came: jsonb would sort its keys, and refuse \u0000.
    value  text NOT NULL
) WITH (fillfactor = 70);
