"""Made-up parts of the evaluation for its tests: a measure that notes what it was asked, heads, plans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from bench.evaluation.journal import Head
from bench.evaluation.measure import Plot, Stage, Taken
from bench.evaluation.plan import Plan
from bench.evaluation.results import Machine
from bench.sampling import Pace

__all__ = ["WARMING", "Noted", "a_head", "a_machine", "a_plan", "taken"]


#: What a contestant of a test does before anybody counts.
WARMING = Pace(warm_s=0.05, measured_s=0.05)


class Noted:
    """A measure that remembers of whom it was taken, and does what a test wants at each."""

    title: str = "Noted"
    about: str = ""
    value: str = "rate"
    unit: str = "requests/s"
    quick: bool = True
    take_s: float = 0.1

    def __init__(
        self,
        name: str = "noted",
        contestants: Sequence[str] = ("ours", "go", "node"),
        *,
        does: Callable[[str], Taken] | None = None,
        better: Literal["more", "less"] = "more",
        plot: Plot | None = None,
    ) -> None:
        self.name = name
        self.contestants = contestants
        self.better: Literal["more", "less"] = better
        self.plot = plot
        self.asked: list[str] = []
        self._does = does or (lambda _: taken(1.0))

    def take(self, name: str, stage: Stage) -> Taken:
        """Measure nothing."""
        self.asked.append(name)
        return self._does(name)


def taken(rate: float, *notes: str, **values: float) -> Taken:
    """Return a take."""
    return Taken(values={"rate": rate, **values}, notes=notes)


def a_machine(*, model: str = "A processor", fsync_p50_ms: float = 1.0) -> Machine:
    """Return a machine."""
    return Machine(
        cpus=2, model=model, platform="Linux", python="3.11.2", fsync_p50_ms=fsync_p50_ms, fsync_p99_ms=9.0
    )


def a_plan(
    measures: tuple[str, ...] = ("noted",),
    *,
    contestants: tuple[str, ...] = ("ours", "go", "node"),
    rounds: int = 2,
) -> Plan:
    """Return a plan."""
    return Plan(measures=measures, contestants=contestants, rounds=rounds, quick=False)


def a_head(plan: Plan | None = None, *, tree: str = "a tree", machine: Machine | None = None) -> Head:
    """Return what a journal begins with."""
    return Head(plan or a_plan(), tree, machine or a_machine(), "2026-01-01T00:00:00+00:00")
