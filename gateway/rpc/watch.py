"""When waits end: thousands of them under one timer.

A timer of libev's for each wait would cost a call more than all its guards.  Here a wait costs one comparison: it
writes down when it must be over, and only if that is sooner than everybody else's is the timer moved.  When it rings,
all waits are looked at; since most calls end long before, it rings seldom.

Belongs to one thread.
"""

from __future__ import annotations

from typing import Any, Protocol

import gevent

from gateway.rpc.clock import Clock

__all__ = ["Watch", "Watched"]

#: Seconds between two looks at all waits, at least: what a wait may last longer than it was asked to.
GRANULARITY_S = 0.01

NEVER = float("inf")


class Watched(Protocol):
    """Somebody who waits, or does not just now."""

    #: Monotonic seconds at which the wait must end; infinity while there is none.
    until: float

    def expire(self) -> None:
        """End the wait.  Called by the loop; wakes a greenlet, and so may change who is watched."""
        ...


class Watch:
    """The waits of one client."""

    __slots__ = ("_clock", "_timer", "_watched", "next_at")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._watched: set[Watched] = set()
        self._timer: Any = None
        #: Monotonic seconds at which the timer rings.  Who must be woken sooner calls ``ring_at``.
        self.next_at = NEVER

    def __repr__(self) -> str:
        return f"<Watch over {len(self._watched)}>"

    def add(self, watched: Watched) -> None:
        """Look at *watched* from now on."""
        self._watched.add(watched)

    def discard(self, watched: Watched) -> None:
        """Look at it no longer."""
        self._watched.discard(watched)
        if not self._watched:
            self._stop()

    def ring_at(self, until: float) -> None:
        """Look at all waits at *until*, sooner than planned."""
        self._stop()
        self.next_at = until
        # The loop's clock stands still while it works: ``update`` or the timer would ring too early.
        left_s = until - self._clock()
        self._timer = gevent.get_hub().loop.timer(left_s if left_s > 0 else 0.0)
        self._timer.start(self._ring, update=True)

    def _ring(self) -> None:
        now = self._clock()
        self._stop()
        # Before anybody is woken: who waits anew compares with ``next_at``.
        late = [watched for watched in self._watched if watched.until <= now]
        next_at = min((each.until for each in self._watched if each.until > now), default=NEVER)
        if next_at < NEVER:
            self.ring_at(max(next_at, now + GRANULARITY_S))
        for watched in late:
            if watched.until <= now:  # not if the one woken before it has ended its wait
                watched.expire()

    def _stop(self) -> None:
        self.next_at = NEVER
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.close()
