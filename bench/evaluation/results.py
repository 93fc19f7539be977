"""What the evaluation leaves behind, evaluation.json: the page and the picture are made of this and nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from bench.evaluation.measure import Plot, Taken

__all__ = ["Contestant", "Machine", "Measured", "Result", "Results"]


class Contestant(msgspec.Struct, frozen=True, kw_only=True):
    """Who could take part in the comparison."""

    name: str
    title: str
    #: As its ecosystem says it: "Node 20.19.2, Fastify 5.6.1".
    version: str = ""
    #: Why it did not run at all (it was not asked for, or what would help); empty if it did.
    lack: str = ""


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where it ran."""

    cpus: int
    model: str
    platform: str
    python: str
    #: What the disk of the stores takes for one small write and fsync.
    fsync_p50_ms: float
    fsync_p99_ms: float


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One contestant in one measure; of every number the median over the rounds, by itself."""

    contestant: str
    median: float
    least: float
    greatest: float
    values: Mapping[str, float]
    rows: Sequence[Mapping[str, float]]
    notes: Sequence[str]
    takes: Sequence[Taken]

    def touches(self, other: Result) -> bool:
        """Whether nobody can say which of the two is better: their spreads have something in common."""
        return self.least <= other.end and other.least <= self.end

    @property
    def at_least(self) -> bool:
        """Whether the median is a lower bound: in some take no more was asked of it."""
        return any(taken.at_least for taken in self.takes)

    @property
    def end(self) -> float:
        """Return the upper end of the spread; it has none where more was not asked."""
        return math.inf if self.at_least else self.greatest


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One measure, its results from best to worst."""

    name: str
    title: str
    about: str
    value: str
    unit: str
    better: Literal["more", "less"]
    plot: Plot | None
    results: Sequence[Result]
    #: Why, by contestant: wrong answers, or it did not start.
    out: Mapping[str, str]
    #: The place of ours, from 1; contestants whose spread touches ours share it.  0: ours has no result,
    #: or nobody else has one.
    place: int


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """A run."""

    quick: bool
    rounds: int
    #: RFC 3339, UTC.
    began: str
    ended: str
    machine: Machine
    contestants: Sequence[Contestant]
    measures: Sequence[Measured]
    #: bench.chat's report as it wrote it (its --json), and bench.locust's; none if they were not part of the run.
    chat: Mapping[str, Any] | None
    locust: Mapping[str, Any] | None
    notes: Sequence[str]
    #: As bench.report writes them.
    goals: Sequence[Mapping[str, Any]] = ()
