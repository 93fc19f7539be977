"""What a benchmark leaves behind: a table for a person, and JSON with every raw sample beside the goals."""

from __future__ import annotations

import math
import os
import platform
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

__all__ = ["Goal", "Report", "median", "percentile", "spread"]


class Goal(msgspec.Struct, frozen=True):
    """One number that was promised.  ``at``: whether the measured one must be at least or at most the goal."""

    name: str
    goal: float
    measured: float
    unit: str
    at: Literal["least", "most"] = "least"

    @property
    def ok(self) -> bool:
        """Whether the promise is kept."""
        return self.measured >= self.goal if self.at == "least" else self.measured <= self.goal


class Report:
    """Collects samples and goals, prints them, writes them."""

    def __init__(self, name: str, *, quick: bool) -> None:
        self.name = name
        self.quick = quick
        self.goals: list[Goal] = []
        self.samples: dict[str, Any] = {}
        self.notes: list[str] = []

    def add(self, name: str, samples: object) -> None:
        """Keep raw samples under *name*."""
        self.samples[name] = samples

    def goal(
        self, name: str, goal: float, measured: float, unit: str, at: Literal["least", "most"] = "least"
    ) -> None:
        """Hold a measurement against what was promised."""
        self.goals.append(Goal(name, goal, measured, unit, at))

    def failed(self, part: str, reason: str) -> None:
        """Say that a part did not come to its end: a goal that is missed."""
        self.goal(f"{part} came to its end", 1, math.nan, "")
        self.note(f"{part}: {reason}")

    def note(self, line: str) -> None:
        """Add a sentence that a reader of the numbers needs."""
        self.notes.append(line)

    def print(self) -> None:
        """Print goals and notes."""
        width = max((len(goal.name) for goal in self.goals), default=0)
        print(f"\n{self.name}{' (quick)' if self.quick else ''}")
        for goal in self.goals:
            sign = "≥" if goal.at == "least" else "≤"
            verdict = "ok" if goal.ok else "MISSED"
            # What could not be measured keeps no promise.
            measured = "none" if math.isnan(goal.measured) else f"{goal.measured:,.2f}"
            print(f"  {goal.name:<{width}}  {measured:>10} {goal.unit:<12} goal {sign} {goal.goal:,g}  {verdict}")
        for note in self.notes:
            print(f"  {note}")

    def goals_json(self) -> list[dict[str, Any]]:
        """Return the goals as they are written."""
        return [
            {"name": g.name, "goal": g.goal, "measured": g.measured, "unit": g.unit, "ok": g.ok, "at": g.at}
            for g in self.goals
        ]

    def write(self, path: Path | None) -> None:
        """Write the JSON, if a path was given."""
        if path is None:
            return
        value = {
            "name": self.name,
            "quick": self.quick,
            "machine": {
                "cpus": os.cpu_count(),
                "platform": platform.platform(),
                "python": sys.version.split()[0],
            },
            "goals": self.goals_json(),
            "notes": self.notes,
            "samples": self.samples,
        }
        path.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=1))


def median(values: Sequence[float]) -> float:
    """Return the median of *values*."""
    return statistics.median(values)


def spread(values: Sequence[float]) -> str:
    """Return least and greatest, for a person; of one value that one."""
    return f"{min(values):,.1f} to {max(values):,.1f}" if len(values) > 1 else f"{values[0]:,.1f}"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which *share* (0 to 1) of the sorted copy of *values* lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
