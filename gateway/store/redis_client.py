"""How every part of ours connects to Redis.

redis-py's own retries are off: it would repeat a PUBLISH whose answer was lost, and wait ten times where nothing
depends on Redis at all.
"""

from __future__ import annotations

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from gateway.settings.store import StoreSettings

__all__ = ["redis_client"]


def redis_client(settings: StoreSettings, *, patience_s: float = 0.0) -> redis.Redis:
    """Return a client, which connects when it is first used; a blocking read of it may last *patience_s*."""
    return redis.Redis.from_url(
        settings.redis_url.reveal(),
        socket_connect_timeout=settings.redis_timeout_s,
        socket_timeout=patience_s + settings.redis_timeout_s,
        retry=Retry(NoBackoff(), 0),
    )
