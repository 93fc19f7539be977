"""A quantile of the last seconds' durations, such as the 95th percentile after which a call is hedged.

Durations are counted in buckets of equal ratio, so that memory is fixed and a duration costs a logarithm.  The
price is a relative error of at most ``RELATIVE_ERROR``.  The counts are kept by slices of the window, which
leave as wholes: a duration is forgotten between ``window_s`` less one slice and ``window_s`` after it came.

Pure:  ``now`` (monotonic seconds) is passed in; one thread, and nothing yields.  Deliberately absent: sums and
means; durations of answers have tails that make them say nothing.
"""

from __future__ import annotations

import math
from math import exp2, log2

__all__ = ["RELATIVE_ERROR", "RollingQuantile"]

#: Buckets in which a duration doubles.
_PER_OCTAVE = 8
#: Shorter durations count as this one, 15 microseconds: nothing over a socket is faster.
_LEAST_S = 2.0**-16
#: Longer ones count as this one, 17 minutes: no call's total time is longer.
_MOST_S = 2.0**10
#: The bucket of all that is longer; what is shorter by less than the logarithm can tell falls there too.
_LAST = 26 * _PER_OCTAVE
#: Added to eight times the logarithm, so that the least duration falls into bucket 0.
_OFFSET = 16.0 * _PER_OCTAVE
_SLICES = 5
#: A value that was asked for is told again for this share of the window: finding it takes 20 times as long as
#: adding a duration.
_HELD_SHARE = 0.01

#: A value is told as the middle of its bucket, in ratios.
RELATIVE_ERROR = exp2(0.5 / _PER_OCTAVE) - 1.0


class RollingQuantile:
    """Durations of the last ``window_s`` seconds; tells nothing of fewer than ``samples_min``."""

    __slots__ = (
        "_counts", "_held_q", "_held_until", "_held_value_s", "_samples_min", "_slice", "_slice_ends_at",
        "_slice_s", "_slices", "samples",
    )  # fmt: skip

    def __init__(self, window_s: float = 10.0, samples_min: int = 50) -> None:
        self._samples_min = samples_min
        self._slice_s = window_s / _SLICES
        self._slice_ends_at = -math.inf
        self._slices = [[0] * (_LAST + 1) for _ in range(_SLICES)]  # youngest last
        self._slice = self._slices[-1]
        self._counts = [0] * (_LAST + 1)
        #: Durations in the window as of the last ``add`` or ``value``.
        self.samples = 0
        self._held_q = math.nan
        self._held_until = -math.inf
        self._held_value_s = 0.0

    def __repr__(self) -> str:
        return f"<RollingQuantile samples={self.samples}>"

    def add(self, now: float, value_s: float) -> None:
        """Count one duration that ended at *now*."""
        if now >= self._slice_ends_at:
            self._turn(now)
        if value_s < _LEAST_S:
            bucket = 0
        elif value_s < _MOST_S:
            bucket = int(log2(value_s) * _PER_OCTAVE + _OFFSET)
        else:
            bucket = _LAST
        self._slice[bucket] += 1
        self._counts[bucket] += 1
        self.samples += 1

    def value(self, now: float, q: float) -> float | None:
        """Return the duration that a share of *q* (0 < q <= 1) does not exceed, or None where too few are
        known."""
        if now >= self._slice_ends_at:
            self._turn(now)
        if self.samples < self._samples_min or not self.samples:
            return None
        if q != self._held_q or now >= self._held_until:
            self._held_value_s = self._find(q)
            self._held_q = q
            self._held_until = now + self._slice_s * _SLICES * _HELD_SHARE
        return self._held_value_s

    def _find(self, q: float) -> float:
        # From the top, because the quantiles that are asked for lie there.
        longer = self.samples - max(1, math.ceil(q * self.samples))
        bucket = _LAST + 1
        while longer >= 0:
            bucket -= 1
            longer -= self._counts[bucket]
        return _LEAST_S * exp2((bucket + 0.5) / _PER_OCTAVE)

    def _turn(self, now: float) -> None:
        # The held value may tell of slices that leave now.
        self._held_until = -math.inf
        if self._slice_ends_at == -math.inf:
            self._slice_ends_at = now + self._slice_s
            return
        ended = 1 + int((now - self._slice_ends_at) / self._slice_s)
        # A silence longer than the window empties every slice once, however many have passed.
        for _ in range(min(ended, _SLICES)):
            oldest = self._slices.pop(0)
            for bucket, count in enumerate(oldest):
                if count:
                    self._counts[bucket] -= count
                    self.samples -= count
                    oldest[bucket] = 0
            self._slices.append(oldest)
        self._slice = self._slices[-1]
        self._slice_ends_at += ended * self._slice_s
