"""What a run looks like over time: by tenths of a second, for a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from bench.rpc.backend import Counted
from bench.rpc.load import Called, slot

__all__ = ["Series", "series"]


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One value for each tenth of a second."""

    #: Calls that were meant to begin.
    offered: list[int]
    #: Calls that ended, well and badly.
    good: list[int]
    bad: list[int]
    #: Requests that backends saw, probes of ``/healthz`` apart.
    arrived: list[int]
    #: The worst latency of calls that were meant to begin; 0 if none was.
    worst_ms: list[float]


def series(calls: Sequence[Called], counted: Sequence[Counted], began_at: float, seconds: float) -> Series:
    """Return what became of *calls* in *seconds* from *began_at*, and what backends *counted* meanwhile."""
    slots = range(slot(began_at), slot(began_at + seconds) + 1)
    offered = _by_slot(call.intended_at for call in calls)
    good = _by_slot(call.ended_at for call in calls if call.good)
    bad = _by_slot(call.ended_at for call in calls if not call.good)
    worst_s: dict[int, float] = {}
    for call in calls:
        began = slot(call.intended_at)
        worst_s[began] = max(worst_s.get(began, 0.0), call.latency_s)
    return Series(
        offered=[offered[number] for number in slots],
        good=[good[number] for number in slots],
        bad=[bad[number] for number in slots],
        arrived=[sum(each.calls.get(number, 0) for each in counted) for number in slots],
        worst_ms=[round(1e3 * worst_s.get(number, 0.0), 3) for number in slots],
    )


def _by_slot(times: Iterable[float]) -> Counter[int]:
    return Counter(map(slot, times))
