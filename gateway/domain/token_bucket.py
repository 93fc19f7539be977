"""A token bucket: so much in the long run, so much at once after a pause, and some of that kept for what matters most.

One number says it all: the instant at which the bucket will be full again.  What is taken moves it on; time catches up
with it.  Taking may be *booked*: it counts now and is done later, when there is room.  So a crowd that waits for one
bucket goes one by one, each at its time, instead of all asking again at once.

Pure: times are arguments, of one clock.  The same rules are a script in ``store/rate_limits.py``, because processes
share a bucket; a test holds both to the same answers.
"""

from __future__ import annotations

import msgspec

__all__ = ["Taken", "TokenBucket"]


class Taken(msgspec.Struct, frozen=True):
    """What became of asking.  No wait: it was taken.  ``booked``: it is taken, and to be used after the wait.  Else
    nothing was taken, and the wait is how long that will be so at least."""

    wait_s: float
    booked: bool = False


class TokenBucket(msgspec.Struct, frozen=True):
    """A bucket, as it was left; a new one is full."""

    full_at: float = float("-inf")
    #: Nothing is taken before.
    paused_until: float = float("-inf")

    def take(
        self, now: float, *, rate_per_s: float, burst: float, reserve: float = 0.0, ahead_max_s: float = 0.0
    ) -> tuple[TokenBucket, Taken]:
        """Take one, if *reserve* stay; book it if there will be room within *ahead_max_s*.

        A reserve never forbids the first one out of a full bucket.
        """
        after = max(self.full_at, now) + 1.0 / rate_per_s
        kept = min(reserve, burst - 1.0)
        wait_s = max(0.0, after - (burst - kept) / rate_per_s - now, self.paused_until - now)
        if wait_s > ahead_max_s:
            return self, Taken(wait_s)
        return TokenBucket(after, self.paused_until), Taken(wait_s, booked=wait_s > 0)

    def paused_for_s(self, now: float) -> float:
        """Return how long nothing may be taken, whatever was booked."""
        return max(0.0, self.paused_until - now)

    def pause(self, now: float, pause_s: float, *, rate_per_s: float, burst: float) -> TokenBucket:
        """Take nothing for *pause_s*, and then one by one: who paused it has had enough at once."""
        until = max(self.paused_until, now + pause_s)
        return TokenBucket(max(self.full_at, until + (burst - 1.0) / rate_per_s), until)
