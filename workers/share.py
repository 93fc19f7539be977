"""How many partitions of jobs one worker should own, and which it gives up.  Pure.

Every worker comes to the same shares by itself: partitions divided by workers, and one more for the first few by id.
Whoever owns too many gives up those in which it runs least, because a partition changes hands only when nothing of it
runs; whoever owns too few takes what is free.  Nobody takes anything away from anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from gateway.domain.job import PARTITIONS

__all__ = ["Keep", "Release", "Share", "Take", "share"]


@dataclass(frozen=True, slots=True)
class Take:
    """Take up to so many of those that are free."""

    partitions_max: int


@dataclass(frozen=True, slots=True)
class Release:
    """Give these up."""

    partitions: frozenset[int]


@dataclass(frozen=True, slots=True)
class Keep:
    """It is right as it is."""


Share = Take | Release | Keep


def share(me: int, workers: Sequence[int], mine: Collection[int], running_of: Callable[[int], int]) -> Share:
    """Return what this worker should do about its partitions.

    *workers*: who shares; without *me* where it ends, and gives up all.  *mine*: what it owns and is not about to give
    up already.  *running_of*: how many jobs of a partition it runs.
    """
    target = 0
    if me in workers:
        each, over = divmod(PARTITIONS, len(workers))
        target = each + (sorted(workers).index(me) < over)
    if len(mine) < target:
        return Take(target - len(mine))
    if len(mine) > target:
        idlest = sorted(mine, key=lambda partition: (running_of(partition), partition))
        return Release(frozenset(idlest[: len(mine) - target]))
    return Keep()
