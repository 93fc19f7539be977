"""What one more call to an endpoint would cost: how long its answers take, and how many of its last calls failed.

Rules:

1. The estimate is a peak-EWMA of the time to first byte: it jumps up to a slow call at once and comes down with calls
   or time, over ``decay_s``.
2. It never falls through a failure: an endpoint that fails at once must not look like the fastest one.  A member all of
   whose last eight calls failed costs nine times as much.  The circuit breaker needs more calls than that to judge; and
   where a fleet shares the load, most of its members never get them from one caller.
3. Time heals as calls do: an eighth of ``decay_s`` without a call counts like one that went well.  Who looks sick gets
   no calls that could prove the contrary.  A further failure brings back to mind what only time had covered.
4. Where nothing was ever heard, the default stands, and one call that has the endpoint for itself costs nothing: it
   finds out.  What became of that one may never be heard (killed, or without patience); so the next such call comes
   ``decay_s`` later, as it does behind a failure.

Pure: ``now`` (monotonic seconds) is passed in.  Deliberately absent: comparing.  Who asks compares.
"""

from __future__ import annotations

from math import exp, inf

__all__ = ["RECENT_CALLS", "Latency"]

#: Ended calls of a member whose outcome is remembered: few, so that one that is well again is soon believed.
RECENT_CALLS = 8
_RECENT_MASK = (1 << RECENT_CALLS) - 1
#: Below this age an estimate has decayed by less than half a percent: not worth the exponential.
_FRESH_S = 0.05
#: Differences below this are noise, and a product with it still tells members by their calls.
_LEAST_S = 0.000_1


class Latency:
    """``observe`` or ``failed`` at a call's end, ``cost`` before the next."""

    __slots__ = ("_at", "_decay_s", "_estimate_s", "_failed", "_trial_at", "_unheard")

    def __init__(self, default_s: float = 0.03, decay_s: float = 10.0) -> None:
        self._estimate_s = default_s
        self._decay_s = decay_s
        #: When there last was something to learn.
        self._at = -inf
        self._failed = 0  # a bit for each of the last calls
        #: The estimate is the default: neither an answer nor a late failure has taken its place.
        self._unheard = True
        self._trial_at = -inf

    def __repr__(self) -> str:
        return f"<Latency {1e3 * self._estimate_s:.1f} ms failed={self._failed.bit_count()}/{RECENT_CALLS}>"

    @property
    def failure_ratio(self) -> float:
        """The share of failures among the last calls, however long ago the last one was."""
        return self._failed.bit_count() / RECENT_CALLS

    def observe(self, now: float, ttfb_s: float) -> None:
        """Count an answer whose first byte came after *ttfb_s*."""
        if self._failed:
            self._failed = self._lasting(now - self._at) << 1 & _RECENT_MASK
        if ttfb_s >= self._estimate_s or self._unheard:
            # A peak, or the first sample, beside which the default says nothing.
            self._estimate_s = ttfb_s
            self._at = now
            self._unheard = False
        elif now > self._at:
            self._estimate_s = ttfb_s + (self._estimate_s - ttfb_s) * exp((self._at - now) / self._decay_s)
            self._at = now

    def failed(self, now: float, after_s: float) -> None:
        """Count a failure that came after *after_s*."""
        self._failed = (self._failed << 1 | 1) & _RECENT_MASK
        self._at = max(self._at, now)
        if after_s > self._estimate_s:
            self._estimate_s = after_s
            self._unheard = False

    def begin_trial(self, now: float) -> None:
        """Hear that the call that costs nothing is made."""
        self._trial_at = now

    def cost(self, now: float, in_flight: int) -> float:
        """Return what one more call would cost beside the *in_flight* that are there: seconds, where none failed.

        0, and only then, if it finds out about an endpoint that nobody knows: see ``begin_trial``.
        """
        estimate_s, failed = self._estimate_s, self._failed
        age_s = now - self._at
        if age_s > _FRESH_S:
            if failed:
                failed = self._lasting(age_s)
            if not self._unheard:
                # Nobody calls a member that was slow once, so time alone must bring it back.
                estimate_s *= exp(-age_s / self._decay_s)
            elif not in_flight and age_s >= self._decay_s <= now - self._trial_at:
                return 0.0
        return (estimate_s + _LEAST_S) * (in_flight + 1) * (failed.bit_count() + 1)

    def _lasting(self, age_s: float) -> int:
        """Return the failures that *age_s* without a call has left, a bit each."""
        if age_s >= self._decay_s:
            return 0
        # Clocks are read before their turn: a time may lie just behind the newest one.
        steps = int(age_s * RECENT_CALLS / self._decay_s) if age_s > 0.0 else 0
        return self._failed << steps & _RECENT_MASK
