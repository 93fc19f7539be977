"""From the fate of each request to what is said of a load, and of each stretch of a run.  Pure.

All latencies are kept and sorted at the end: a run is a few seconds, and a hundred thousand of them are a megabyte.
So percentiles are exact, and there is no histogram whose bins one would have to know.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import IntEnum

from bench.evaluation.arrivals.orders import Bin, Heard

__all__ = ["Fate", "course", "heard", "judged"]


class Fate(IntEnum):
    """What became of a request."""

    OPEN = 0
    RIGHT = 1
    REFUSED = 2
    FAILED = 3
    WRONG = 4
    BROKEN = 5
    LATE = 6
    UNSENT = 7


_BUSY = (429, 503)
_REQUEST_TIMEOUT = 408


def judged(status: int, length: int, expected_status: int, expected_length: int) -> Fate:
    """Return what an answer that came in time is."""
    if status == expected_status:
        return Fate.RIGHT if length == expected_length else Fate.WRONG
    if status in _BUSY:
        return Fate.REFUSED
    return Fate.FAILED if status >= 500 or status == _REQUEST_TIMEOUT else Fate.WRONG


def heard(fates: bytes, took_s: Sequence[float], behind_s: Sequence[float], generator_share: float) -> Heard:
    """Return what is said of the requests of one load."""
    count = Counter(fates)
    took, behind = sorted(took_s), sorted(behind_s)
    return Heard(
        asked=len(fates),
        right=count[Fate.RIGHT],
        refused=count[Fate.REFUSED],
        failed=count[Fate.FAILED],
        wrong=count[Fate.WRONG],
        broken=count[Fate.BROKEN],
        late=count[Fate.LATE],
        unsent=count[Fate.UNSENT],
        p50_ms=_at(took, 0.5),
        p90_ms=_at(took, 0.9),
        p99_ms=_at(took, 0.99),
        p999_ms=_at(took, 0.999),
        max_ms=_at(took, 1.0),
        generator_share=generator_share,
        behind_p99_ms=_at(behind, 0.99),
    )


def course(
    meant_s: Sequence[float], fates: bytes, took_s: Sequence[float], *, bin_s: float, seconds: float
) -> list[Bin]:
    """Return a run in bins of *bin_s*; *meant_s* counts from its beginning."""
    bins_n = round(seconds / bin_s)
    took: list[list[float]] = [[] for _ in range(bins_n)]
    told: list[Counter[int]] = [Counter() for _ in range(bins_n)]
    answered: Counter[int] = Counter()
    for meant, fate, each_s in zip(meant_s, fates, took_s, strict=True):
        number = min(int(meant / bin_s), bins_n - 1)
        took[number].append(each_s)
        told[number][fate] += 1
        if fate == Fate.RIGHT:
            answered[int((meant + each_s) / bin_s)] += 1
    return [
        Bin(
            at_s=round(number * bin_s, 6),
            asked=len(took[number]),
            right=told[number][Fate.RIGHT],
            refused=told[number][Fate.REFUSED],
            p99_ms=_at(sorted(took[number]), 0.99),
            answered=answered[number],
        )
        for number in range(bins_n)
    ]


def _at(ordered_s: Sequence[float], share: float) -> float:
    """Return the milliseconds below which *share* of them lie; 0 where nothing was asked."""
    if not ordered_s:
        return 0.0
    return 1e3 * ordered_s[min(len(ordered_s) - 1, int(share * len(ordered_s)))]
