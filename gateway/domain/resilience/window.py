"""A sliding count of calls and failures: a ring of buckets, so that old calls fall out without being kept.

Pure:  ``now`` (monotonic seconds) is passed in.  Memory is fixed by the number of buckets, however many
calls there are; the price is that a call leaves between ``window_s`` less one bucket and ``window_s`` after
it came.
"""

from __future__ import annotations

__all__ = ["RateWindow"]


class RateWindow:
    """Calls and failures of the last ``window_s`` seconds, in ``buckets`` steps."""

    __slots__ = ("_buckets", "_calls", "_failed", "_per_s", "_tick", "calls", "failed")

    def __init__(self, window_s: float, buckets: int = 10) -> None:
        self._per_s = buckets / window_s
        self._buckets = buckets
        self._calls = [0] * buckets
        self._failed = [0] * buckets
        self._tick = 0
        #: Calls in the window as of the last ``add`` or ``advance``.
        self.calls = 0
        #: Failures among them.
        self.failed = 0

    def add(self, now: float, *, failed: bool) -> None:
        """Count one call that ended at *now*."""
        tick = int(now * self._per_s)
        if tick != self._tick:
            self._move(tick)
        slot = self._tick % self._buckets
        self._calls[slot] += 1
        self.calls += 1
        if failed:
            self._failed[slot] += 1
            self.failed += 1

    def advance(self, now: float) -> None:
        """Let calls that are too old at *now* fall out."""
        self._move(int(now * self._per_s))

    def clear(self) -> None:
        """Forget everything."""
        self._calls = [0] * self._buckets
        self._failed = [0] * self._buckets
        self.calls = self.failed = 0

    def _move(self, tick: int) -> None:
        # Greenlets read the clock and then wait their turn: a call may arrive with a time just behind the
        # newest one. It counts as new; moving the ring back would empty it.
        steps = min(tick - self._tick, self._buckets)
        if steps <= 0:
            return
        for step in range(1, steps + 1):
            slot = (self._tick + step) % self._buckets
            self.calls -= self._calls[slot]
            self.failed -= self._failed[slot]
            self._calls[slot] = self._failed[slot] = 0
        # After a long silence every bucket was emptied above, whichever slots the skipped ticks name.
        self._tick = tick
