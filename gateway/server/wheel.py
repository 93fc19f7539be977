"""The deadlines of many things at once, kept lazily.

A connection's deadline moves with every request, and nearly always to a later time.  So that costs one attribute store
and nothing else: an item stays in the bucket in which the wheel knows it, and when that bucket comes up the item is
reported, or put where its deadline is by then.  Only a deadline that moved *earlier* has to be told, with ``watch``.

- ``expired`` reports an item at its deadline or less than a tick later, never before it, and once: whoever wants it
  reported again gives it a new deadline and calls ``watch``.
- An item is in one bucket or in none, and is taken out of it at once when it moves: there are no stale entries, however
  often deadlines move.  It costs an entry in a set, and no object of its own.
- Items that expire together are reported in no promised order.

Deliberately absent: a clock and a timer.  Times are monotonic seconds and are passed in; whoever owns the wheel calls
``expired`` once a tick.
"""

from __future__ import annotations

import math
from typing import Generic, Protocol, TypeVar

__all__ = ["UNWATCHED", "Timed", "Wheel"]

#: The ``due_tick`` of an item that is in no bucket.  A new item starts with it.
UNWATCHED = -1


class Timed(Protocol):
    """What the wheel needs of an item, which is also to be hashed by its identity."""

    #: Monotonic seconds at which the item expires; ``math.inf`` for never.  Its owner stores it at any time.
    deadline: float
    #: The wheel's own: the tick of the item's bucket, or ``UNWATCHED``.
    due_tick: int


Item = TypeVar("Item", bound=Timed)


class Wheel(Generic[Item]):
    """Buckets of items by the tick in which they are looked at next."""

    __slots__ = ("_buckets", "_tick_s")

    def __init__(self, tick_s: float) -> None:
        if not tick_s > 0:
            raise ValueError(f"expected a tick_s above 0, got {tick_s!r}")
        self._tick_s = tick_s
        self._buckets: dict[int, set[Item]] = {}

    @property
    def watched(self) -> int:
        """How many items are in the wheel; counted, so not for the hot path."""
        return sum(map(len, self._buckets.values()))

    def tick(self, deadline: float) -> int:
        """Return in which tick an item with *deadline* is looked at."""
        return max(math.ceil(deadline / self._tick_s), 0)

    def watch(self, item: Item) -> None:
        """Learn of *item*, or that its deadline moved to an earlier time.  Too many calls do no harm."""
        deadline = item.deadline
        if deadline == math.inf:
            # Nothing to wait for; should the item be in a bucket, it leaves the wheel when that comes up.
            return
        tick = self.tick(deadline)
        if item.due_tick != UNWATCHED:
            if item.due_tick <= tick:
                return
            self.forget(item)
        self._put(item, tick)

    def forget(self, item: Item) -> None:
        """Drop *item*, which need not be in the wheel."""
        tick = item.due_tick
        if tick == UNWATCHED:
            return
        item.due_tick = UNWATCHED
        bucket = self._buckets[tick]
        bucket.remove(item)
        if not bucket:
            # Else deadlines that come and go would leave a trail of empty sets until their ticks.
            del self._buckets[tick]

    def expired(self, now: float) -> list[Item]:
        """Take out and return the items whose deadline has come, as far as whole ticks have passed."""
        tick_now = math.floor(now / self._tick_s)
        over: list[Item] = []
        # All buckets are gone through, not the ticks since the last call: there are no more of them than ticks in the
        # longest patience, and a pause of any length, a clock that goes back and a deadline in the past need no case.
        for tick in [tick for tick in self._buckets if tick <= tick_now]:
            for item in self._buckets.pop(tick, ()):
                item.due_tick = UNWATCHED
                if item.deadline <= now:
                    over.append(item)
                else:
                    self.watch(item)
        return over

    def _put(self, item: Item, tick: int) -> None:
        bucket = self._buckets.get(tick)
        if bucket is None:
            self._buckets[tick] = {item}
        else:
            bucket.add(item)
        item.due_tick = tick
