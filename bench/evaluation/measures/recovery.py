"""When a contestant is back: read off the course of a run, pure."""

from __future__ import annotations

from collections.abc import Sequence

from bench.evaluation.arrivals.orders import Bin

__all__ = ["back_s"]

#: It is back at twice the latency of before; and below so many milliseconds nobody would have noticed.
TIMES_MAX, LEAST_MS = 2.0, 10.0
#: Looked at together: a single late answer is no relapse, and a single lucky moment no end.
BINS = 5
#: Sums of fractions differ by less.
_SAME_S = 1e-6


def back_s(course: Sequence[Bin], over_s: float, *, before_ms: float, bin_s: float, longest_s: float) -> float:
    """Return the seconds after *over_s* until all were answered as fast as before; *longest_s* if that never was.

    It is back with the first bin that is right and most of the next ones too.
    """
    bound_ms = max(TIMES_MAX * before_ms, LEAST_MS)
    good = [each.right == each.asked and each.p99_ms <= bound_ms for each in course]
    for number, each in enumerate(course):
        soon = good[number : number + BINS]
        # A bin in which it was over may be right already behind that instant, and never is as a whole.
        behind = each.at_s + bin_s > over_s + _SAME_S
        if behind and good[number] and len(soon) == BINS and sum(soon) > BINS / 2:
            return max(0.0, each.at_s - over_s)
    return longest_s
