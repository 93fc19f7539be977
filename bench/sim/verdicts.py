"""What a scenario promises of its record: each promise is a number, held against a bound."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import Literal

import msgspec

from bench.sim.world import BIN_S, Bin, World

__all__ = [
    "Promise", "Story", "answered", "at_sick_per_s", "fairness", "limits_to_workers", "overdrawn", "seconds_until",
]  # fmt: skip


class Promise(msgspec.Struct, frozen=True):
    """One number that a scenario must keep at least or at most."""

    name: str
    bound: float
    measured: float
    unit: str
    at: Literal["least", "most"] = "least"


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario that was played."""

    name: str
    title: str
    #: When what happens began and ended.
    began_at: float
    ended_at: float
    record: list[Bin]
    promises: list[Promise]
    notes: list[str] = []
    #: Calls a second that the endpoints together can do.
    capacity_per_s: float


def answered(bins: Iterable[Bin], priority: int | None = None) -> float:
    """Return the percentage of the calls that ended then which were answered in time."""
    good = failed = 0
    for each in bins:
        good += each.good if priority is None else each.good_by_priority[priority]
        failed += each.failed if priority is None else each.failed_by_priority[priority]
    return 100.0 * good / (good + failed) if good + failed else 0.0


def at_sick_per_s(bins: Sequence[Bin]) -> float:
    """Return how many attempts a second came to the sick endpoints."""
    return sum(each.attempts_at_sick for each in bins) / (len(bins) * BIN_S)


def seconds_until(bins: Sequence[Bin], holds: Callable[[Bin], bool], began_at: float) -> float:
    """Return after how long *holds* began to hold to the end; infinite if it does not at the end."""
    since = inf
    for each in reversed(bins):
        if not holds(each):
            break
        since = each.ends_at
    return since - began_at


def fairness(shares: Sequence[float]) -> float:
    """Return Jain's index: 1 where all shares are the same, 1/n where one has everything."""
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 0.0


def limits_to_workers(world: World, bins: Sequence[Bin]) -> float:
    """Return the limits of all gateways together, on average, for each worker of all endpoints."""
    workers = world.size.endpoints * world.size.workers
    return sum(each.limits for each in bins) / len(bins) / workers


def overdrawn(world: World, began_at: float, ended_at: float) -> float:
    """Return the most that a gateway's retries were of what it had for them then: 0.2 a call and 10 a second."""
    first, last = (world.ledgers[round(at / BIN_S) - 1] for at in (began_at, ended_at))
    per_gateway = zip(first, last, strict=True)
    return max(
        (retries - retries_before) / (0.2 * (calls - calls_before) + 10.0 * (ended_at - began_at))
        for (calls_before, retries_before), (calls, retries) in per_gateway
    )
