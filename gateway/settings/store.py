"""The stores: PostgreSQL, which is the truth, and Redis, which moves it fast."""

from __future__ import annotations

import msgspec

from gateway.settings.quantities import Count, Seconds
from gateway.settings.secret import Secret

__all__ = ["StoreSettings"]


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[store]``"""

    #: PostgreSQL, as a libpq URL.  A secret, because it carries a password.
    database_url: Secret = Secret("")
    #: Redis, as ``redis://``, ``rediss://`` or ``unix://``; a cluster as ``redis+cluster://host:port,host:port``, a
    #: master with sentinels as ``redis+sentinel://host:port,host:port/service``; by TLS ``rediss+cluster://`` and
    #: ``rediss+sentinel://``, with ``?ssl_ca_certs=`` and its like, and ``sentinel_password=``.  A secret, because it
    #: carries a password.
    redis_url: Secret = Secret("")
    #: Connections to PostgreSQL of one process.
    connections_max: Count = 8
    #: Seconds for a new connection to PostgreSQL.
    connect_timeout_s: Seconds = 3.0
    #: Seconds that a greenlet waits for a free connection before it is told to come back later.
    connection_wait_s: Seconds = 2.0
    #: Seconds after which PostgreSQL gives up a statement: a Timeout on our side does not stop it there.
    statement_timeout_s: Seconds = 5.0
    #: Seconds that a statement waits for a lock.
    lock_timeout_s: Seconds = 2.0
    #: Seconds after which PostgreSQL ends a transaction that does nothing: its owner is stuck or gone.
    idle_in_transaction_timeout_s: Seconds = 10.0
    #: Rows of one batched statement.  64 beat 512 in latency and in throughput.
    batch_rows_max: Count = 64
    #: Batches of one kind under way at once in a process.
    batches_in_flight_max: Count = 2
    #: Rows of one kind that wait for a batch in a process; above it the caller is told to come back later.
    batch_waiting_max: Count = 4_000
    #: Beginning of our channels' names in Redis.  Installations that share a Redis need different ones: they would hear
    #: each other's hints, and pages would show previews of strangers.
    redis_prefix: str = "switchboard:"
    #: Seconds for one command to Redis; what is slower is done without it.
    redis_timeout_s: Seconds = 0.5
