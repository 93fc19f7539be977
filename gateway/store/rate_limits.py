"""Token buckets that all processes share, in Redis: one script, one clock (Redis's own), one round trip.

Greenlets that ask of one account while a round trip is under way, or in one turn of the event loop, go together in the
next one, in the order in which they asked: a round trip costs some ten times what a bucket does.

The rules are those of ``domain/token_bucket.py``.  What is taken of several buckets is taken of all or of none; their
keys are of one account, which is their hash tag, so in a cluster they are in one slot.

Whether a send goes on without Redis is for the caller to say (``replies/limits.py``): here its absence is an error.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Sequence
from functools import partial

import msgspec
import redis
from gevent import get_hub
from gevent.lock import BoundedSemaphore

from gateway.domain.errors import StoreUnavailable
from gateway.domain.quota import Scope
from gateway.domain.token_bucket import Taken
from gateway.greenlets.errands import Errands
from gateway.settings.store import StoreSettings
from gateway.store.redis_client import redis_client
from gateway.waiting import Awaited

__all__ = ["RateLimits", "bucket_key"]

#: Commands at once; more would each open a connection.
_AT_ONCE_MAX = 16
#: Requests of one round trip.
_REQUESTS_MAX = 256
#: Characters of a scope's key that are used as they are.
_KEY_CHARS_MAX = 64

# ARGV[1] is JSON, of all requests: an argument by itself costs redis-py and Redis more than a bucket's arithmetic.  A
# request is what to do, seconds ahead, and of each of its keys the rate, the burst and what is kept back.  The answers
# are one text, because Redis cuts Lua's numbers to integers; %.6f, because Lua's own writes a time to a tenth of a
# millisecond.
_SCRIPT = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local answers, before = {}, 0
for number, request in ipairs(cjson.decode(ARGV[1])) do
    local todo, ahead, buckets = request[1], request[2], request[3]
    local wait, fulls, pauses = 0, {}, {}
    for i, bucket in ipairs(buckets) do
        local rate, burst, kept = bucket[1], bucket[2], bucket[3]
        local kept_now = redis.call('HMGET', KEYS[before + i], 'full_at', 'paused_until')
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
        for i in ipairs(buckets) do
            local key = KEYS[before + i]
            redis.call('HSET', key, 'full_at', string.format('%.6f', fulls[i]),
                       'paused_until', string.format('%.6f', pauses[i]))
            redis.call('PEXPIRE', key, math.ceil((math.max(fulls[i], pauses[i]) - now) * 1000) + 1000)
        end
    end
    answers[number] = string.format('%.6f', wait)
    before = before + #buckets
end
return table.concat(answers, ' ')
"""


class _Request(Awaited[float]):
    """What one greenlet asks, and the answer."""

    __slots__ = ("asked", "keys")

    def __init__(self, keys: Sequence[str], asked: tuple[str, float, Sequence[tuple[float, float, float]]]) -> None:
        super().__init__()
        self.keys = keys
        self.asked = asked


class RateLimits:
    """The buckets."""

    def __init__(self, settings: StoreSettings) -> None:
        self._prefix = settings.redis_prefix
        self._client = redis_client(settings)
        self._script = self._client.register_script(_SCRIPT)
        self._at_once = BoundedSemaphore(_AT_ONCE_MAX)
        #: By owner, for as long as somebody asks for them.
        self._waiting: dict[str, deque[_Request]] = {}
        self._errands = Errands()

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
        buckets = [(scope.rate_per_s, scope.burst, reserve * scope.burst) for scope in scopes]
        request = _Request(keys, (todo, ahead_s, buckets))
        waiting = self._waiting.get(owner)
        if waiting is None:
            waiting = self._waiting[owner] = deque()
            # Behind what else this turn of the loop brings.
            self._errands.start(partial(self._work, owner, waiting))
        waiting.append(request)
        return request.get()

    def _work(self, owner: str, waiting: deque[_Request]) -> None:
        """Ask for all of one owner, until nobody waits."""
        while waiting:
            with self._at_once:
                batch = [waiting.popleft() for _ in range(min(len(waiting), _REQUESTS_MAX))]
                answers = self._asked(batch)
            get_hub().loop.run_callback(_answer, batch, answers)
        del self._waiting[owner]

    def _asked(self, batch: Sequence[_Request]) -> Sequence[float | Exception]:
        try:
            answers = self._script(
                keys=[key for request in batch for key in request.keys],
                args=[msgspec.json.encode([request.asked for request in batch])],
            )
            return [float(answer) for answer in answers.split()]
        except redis.RedisError:
            away = StoreUnavailable(
                "Redis does not answer (store.redis_url)", reason="redis_unreachable", retry_after_s=2
            )
            return [away] * len(batch)
        except Exception as error:
            # Whatever it is, it is the askers': without an answer they would wait for ever.
            return [error] * len(batch)


def _answer(batch: Sequence[_Request], answers: Sequence[float | Exception]) -> None:
    """In the hub."""
    for request, answer in zip(batch, answers, strict=True):
        request.put(answer)


def bucket_key(owner: str, scope: Scope) -> str:
    """Return where the bucket of *owner*'s scope is, behind the installation's own prefix."""
    key = scope.key
    if len(key) > _KEY_CHARS_MAX:
        # It came out of a payload, and may be any length.
        key = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return f"rate:{{{owner}}}:{scope.name}:{key}"
