"""Hints through Redis: what makes waiting short, and what nothing depends on.

Fail-open: while Redis is away, hints are dropped (told once, when it goes), and the polls of their readers find the
same things a little later.  Publishing never blocks its caller: hints go through a bounded queue to one greenlet,
which sends what has gathered in one round trip.

The subscription has a connection of its own, because a blocking read must be allowed to last longer than the timeout of
a command.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

import gevent
import msgspec
import redis
from gevent.event import Event

from gateway import telemetry
from gateway.domain.errors import StoreUnavailable
from gateway.domain.hint import Hint
from gateway.settings.store import StoreSettings
from gateway.store.redis_client import redis_client

__all__ = ["Audience", "Signals"]

Audience = Literal["gateways", "workers"]

#: Hints that wait to be published; above it new ones are dropped.
_WAITING_MAX = 10_000
#: Seconds between two tries to reach Redis.
_PAUSE_S = 1.0
#: Seconds of one blocking read; between two of them a closed client is noticed, and whoever is silent is asked.
_LISTEN_S = 5.0

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Hint).decode


class Signals:
    """This process's way of telling others to look, and of being told."""

    def __init__(
        self,
        settings: StoreSettings,
        *,
        audience: Audience,
        on_hint: Callable[[Hint], None],
        listen_s: float = _LISTEN_S,
    ) -> None:
        self._audience = audience
        self._on_hint = on_hint
        self._listen_s = listen_s
        self._prefix = settings.redis_prefix
        self._publisher = redis_client(settings)
        self._listener = redis_client(settings, patience_s=listen_s)
        #: A dict for its order and because a hint that waits already need not be said twice.
        self._waiting: dict[tuple[Audience, bytes], None] = {}
        self._some = Event()
        self._reachable = True

    def publish(self, audience: Audience, hint: Hint) -> None:
        """Have *hint* sent to every process of *audience*, if Redis is there."""
        if len(self._waiting) < _WAITING_MAX:
            self._waiting[audience, _encode(hint)] = None
            self._some.set()

    def publish_forever(self) -> None:
        """Send what was published.  To be supervised."""
        while True:
            self._some.wait()
            self._some.clear()
            if not self.flush():
                gevent.sleep(_PAUSE_S)

    def flush(self) -> bool:
        """Send what waits now; False if Redis did not take it, and what waited is dropped."""
        while self._waiting:
            # What gathers while Redis is away will have been found by polls: it would only be noise afterwards.
            together, self._waiting = self._waiting, {}
            try:
                pipeline = self._publisher.pipeline(transaction=False)
                for audience, hint in together:
                    pipeline.publish(self._prefix + audience, hint)
                pipeline.execute()
                self._reachable = True
            except redis.RedisError as error:
                self._lost(error)
                return False
        return True

    def ping(self) -> None:
        """Ask Redis for a sign of life.

        :raises StoreUnavailable: none came within ``store.redis_timeout_s``.
        """
        try:
            self._publisher.ping()
        except redis.RedisError as error:
            raise StoreUnavailable(
                "Redis does not answer (store.redis_url)", reason="redis_unreachable", retry_after_s=2
            ) from error

    def listen_forever(self) -> None:
        """Hand hints for this process's audience to ``on_hint``.  To be supervised."""
        while True:
            try:
                self._listen()
            except redis.RedisError as error:
                self._lost(error)
                gevent.sleep(_PAUSE_S)

    def close(self) -> None:
        """Close the connections.  Safe twice."""
        self._publisher.close()
        self._listener.close()

    def _listen(self) -> None:
        with self._listener.pubsub(ignore_subscribe_messages=True) as subscription:
            subscription.subscribe(self._prefix + self._audience)
            asked_at: float | None = None
            while True:
                message = subscription.get_message(timeout=self._listen_s)
                if message is not None:
                    self._reachable = True
                    asked_at = None
                    if message["type"] == "message":
                        self._hear(message["data"])
                elif asked_at is None:
                    # A server that hangs, or whose machine is gone, closes no connection: silence would be for ever.
                    subscription.ping()
                    asked_at = time.monotonic()
                elif time.monotonic() - asked_at > self._listen_s / 2:
                    raise redis.TimeoutError("Redis does not answer its subscribers")

    def _hear(self, data: bytes) -> None:
        try:
            hint = _decode(data)
        except msgspec.MsgspecError:
            # A newer process speaks of something that this one does not know: its poll will find what matters.
            return
        self._on_hint(hint)

    def _lost(self, error: redis.RedisError) -> None:
        telemetry.event("redis.missed", reason=type(error).__name__)
        if self._reachable:
            self._reachable = False
            telemetry.event("redis.unavailable", reason=type(error).__name__)
