"""How every part of ours connects to Redis: to one server, to a cluster, or to the master that sentinels name.

redis-py's own retries are off: it would repeat a PUBLISH whose answer was lost, and wait ten times where nothing
depends on Redis at all.
"""

from __future__ import annotations

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from gateway.settings.redis_address import redis_address
from gateway.settings.store import StoreSettings
from gateway.store.redis_servers import Servers
from gateway.store.redis_several import SeveralRedis

__all__ = ["RedisClient", "redis_client"]

RedisClient = redis.Redis | SeveralRedis


def redis_client(settings: StoreSettings, *, patience_s: float = 0.0) -> RedisClient:
    """Return a client, which connects when it is first used; a blocking read of it may last *patience_s*."""
    url = settings.redis_url.reveal()
    several = redis_address(url)
    if several is not None:
        return SeveralRedis(Servers(several, timeout_s=settings.redis_timeout_s, patience_s=patience_s))
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=settings.redis_timeout_s,
        socket_timeout=patience_s + settings.redis_timeout_s,
        retry=Retry(NoBackoff(), 0),
    )
