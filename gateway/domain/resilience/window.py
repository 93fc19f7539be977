"""A sliding count of calls, failed ones and slow ones: a ring of buckets, so that old calls fall out without being
kept.

A slow call is counted while it still runs.  If it fails afterwards it becomes a failed one; it is never two calls.

Pure: ``now`` (monotonic seconds) is passed in.  Memory is fixed by the number of buckets, however many
calls there are; the price is that a call leaves between ``window_s`` less one bucket and ``window_s`` after
it came.
"""

from __future__ import annotations

__all__ = ["RateWindow"]


class _Bucket:
    """What was counted in one step of time."""

    __slots__ = ("calls", "failed", "slow")

    def __init__(self) -> None:
        self.calls = self.failed = self.slow = 0


class RateWindow:
    """Calls of the last ``window_s`` seconds, in ``buckets`` steps.  A call is at most one of failed and slow."""

    __slots__ = ("_bucket", "_buckets", "_per_s", "_tick", "_turns_at", "calls", "failed", "slow")

    def __init__(self, window_s: float, buckets: int = 10) -> None:
        self._per_s = buckets / window_s
        self._buckets = [_Bucket() for _ in range(buckets)]
        self._bucket = self._buckets[0]  # the present one
        self._tick = 0
        self._turns_at = window_s / buckets  # when the next one becomes the present one
        #: Calls in the window as of the last count or ``advance``.
        self.calls = 0
        #: Failures among them.
        self.failed = 0
        #: Slow ones among them that have not failed.
        self.slow = 0

    def add(self, now: float) -> None:
        """Count one call that went well.  Runs once a call: nothing here may cost more than it must."""
        if now >= self._turns_at:
            self.advance(now)
        self.calls += 1
        self._bucket.calls += 1

    def add_failed(self, now: float) -> None:
        """Count one call that failed."""
        self.add(now)
        self.failed += 1
        self._bucket.failed += 1

    def add_slow(self, now: float) -> None:
        """Count one call that has taken too long already, and may still run."""
        self.add(now)
        self.slow += 1
        self._bucket.slow += 1

    def fail_slow(self, now: float) -> None:
        """Let one of the slow calls fail."""
        if now >= self._turns_at:
            self.advance(now)
        if not self.slow:
            # It was so slow that its first count has left the window; here it would be one failure of no calls.
            self.add_failed(now)
            return
        # Which of them it is was not kept. Those noted first end first, more or less; and in any bucket the sums
        # stay right: no more failed and slow ones than calls.
        for step in range(1, len(self._buckets) + 1):
            bucket = self._buckets[(self._tick + step) % len(self._buckets)]
            if bucket.slow:
                bucket.slow -= 1
                bucket.failed += 1
                break
        self.slow -= 1
        self.failed += 1

    def advance(self, now: float) -> None:
        """Let calls that are too old at *now* fall out."""
        tick = int(now * self._per_s)
        # Greenlets read the clock and then wait their turn: a call may arrive with a time just behind the
        # newest one. It counts as new; moving the ring back would empty it.
        steps = min(tick - self._tick, len(self._buckets))
        if steps <= 0:
            return
        # After a silence longer than the ring every bucket is emptied, wherever the steps begin.
        for step in range(steps):
            bucket = self._buckets[(tick - step) % len(self._buckets)]
            self.calls -= bucket.calls
            self.failed -= bucket.failed
            self.slow -= bucket.slow
            bucket.calls = bucket.failed = bucket.slow = 0
        self._tick = tick
        self._turns_at = (tick + 1) / self._per_s
        self._bucket = self._buckets[tick % len(self._buckets)]

    def clear(self) -> None:
        """Forget everything."""
        for bucket in self._buckets:
            bucket.calls = bucket.failed = bucket.slow = 0
        self.calls = self.failed = self.slow = 0
