"""Token buckets that all processes share, in Redis: one script, one clock (Redis's own), one round trip.

The rules are those of ``domain/token_bucket.py``.  What is taken of several buckets is taken of all or of none; their
keys are of one account, which is their hash tag, so in a cluster they are in one slot.

Whether a send goes on without Redis is for the caller to say (``replies/limits.py``): here its absence is an error.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import redis
from gevent.lock import BoundedSemaphore

from gateway.domain.errors import StoreUnavailable
from gateway.domain.quota import Scope
from gateway.domain.token_bucket import Taken
from gateway.settings.store import StoreSettings
from gateway.store.redis_client import redis_client

__all__ = ["RateLimits", "bucket_key"]

#: Commands at once; more would each open a connection.
_AT_ONCE_MAX = 16
#: Characters of a scope's key that are used as they are.
_KEY_CHARS_MAX = 64

# ARGV: what to do, seconds ahead; then of each key its rate, its burst and what is kept back.  Numbers are answered as
# text, because Redis cuts those of Lua to integers; %.6f, because Lua's own writes a time to a tenth of a millisecond.
_SCRIPT = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local todo, ahead, wait = ARGV[1], tonumber(ARGV[2]), 0
local fulls, pauses = {}, {}
for i, key in ipairs(KEYS) do
    local rate, burst, kept = tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1]), tonumber(ARGV[3 * i + 2])
    local kept_now = redis.call('HMGET', key, 'full_at', 'paused_until')
    local full, paused = tonumber(kept_now[1] or '0'), tonumber(kept_now[2] or '0')
    if todo == 'pause' then
        pauses[i] = math.max(paused, now + ahead)
        fulls[i] = math.max(full, pauses[i] + (burst - 1) / rate)
    else
        pauses[i] = paused
        wait = math.max(wait, paused - now)
        if todo == 'take' then
            fulls[i] = math.max(full, now) + 1 / rate
            wait = math.max(wait, fulls[i] - (burst - math.min(kept, burst - 1)) / rate - now)
        end
    end
end
if wait < 0.000001 then wait = 0 end
if todo == 'pause' or todo == 'take' and wait <= ahead then
    for i, key in ipairs(KEYS) do
        redis.call('HSET', key, 'full_at', string.format('%.6f', fulls[i]),
                   'paused_until', string.format('%.6f', pauses[i]))
        redis.call('PEXPIRE', key, math.ceil((math.max(fulls[i], pauses[i]) - now) * 1000) + 1000)
    end
end
return string.format('%.6f', wait)
"""


class RateLimits:
    """The buckets."""

    def __init__(self, settings: StoreSettings) -> None:
        self._prefix = settings.redis_prefix
        self._client = redis_client(settings)
        self._script = self._client.register_script(_SCRIPT)
        self._at_once = BoundedSemaphore(_AT_ONCE_MAX)

    def take(
        self, owner: str, scopes: Sequence[Scope], *, reserve: float = 0.0, ahead_max_s: float = 0.0
    ) -> Taken:
        """Take one of each of *owner*'s scopes; *reserve* is the share of a burst that stays.

        :raises StoreUnavailable: Redis does not answer; it may have been taken all the same.
        """
        wait_s = self._run("take", ahead_max_s, owner, scopes, reserve)
        return Taken(wait_s, booked=0 < wait_s <= ahead_max_s)

    def paused_for_s(self, owner: str, scopes: Sequence[Scope]) -> float:
        """Return how long one of them is paused, whatever was booked of it.

        :raises StoreUnavailable: Redis does not answer.
        """
        return self._run("look", 0.0, owner, scopes)

    def pause(self, owner: str, scopes: Sequence[Scope], pause_s: float) -> None:
        """Have nothing taken of them for *pause_s*, by any process.

        :raises StoreUnavailable: Redis does not answer.
        """
        self._run("pause", pause_s, owner, scopes)

    def close(self) -> None:
        """Close the connections.  Safe twice."""
        self._client.close()

    def _run(self, todo: str, ahead_s: float, owner: str, scopes: Sequence[Scope], reserve: float = 0.0) -> float:
        keys = [self._prefix + bucket_key(owner, scope) for scope in scopes]
        numbers = [n for scope in scopes for n in (scope.rate_per_s, scope.burst, reserve * scope.burst)]
        try:
            with self._at_once:
                return float(self._script(keys=keys, args=[todo, ahead_s, *numbers]))
        except redis.RedisError as error:
            raise StoreUnavailable(
                "Redis does not answer (store.redis_url)", reason="redis_unreachable", retry_after_s=2
            ) from error


def bucket_key(owner: str, scope: Scope) -> str:
    """Return where the bucket of *owner*'s scope is, behind the installation's own prefix."""
    key = scope.key
    if len(key) > _KEY_CHARS_MAX:
        # It came out of a payload, and may be any length.
        key = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return f"rate:{{{owner}}}:{scope.name}:{key}"
