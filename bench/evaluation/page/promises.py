"""What a benchmark promised, beside what was measured of it, from its report.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from bench.evaluation.amounts import plain

__all__ = ["Held", "held"]


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A promise beside what was measured of it."""

    name: str
    promised: str
    measured: str
    ok: bool


def held(report: Mapping[str, Any]) -> list[Held]:
    """Return the goals of any bench's report."""
    return [
        Held(
            name=goal["name"],
            promised=f"{'at least' if goal['at'] == 'least' else 'at most'} {_with(goal['goal'], goal['unit'])}",
            # JSON has no nan: what could not be measured is null.
            measured="not measured" if goal["measured"] is None else _with(goal["measured"], goal["unit"]),
            ok=goal["ok"],
        )
        for goal in report.get("goals", ())
    ]


def _with(value: float, unit: str) -> str:
    number = f"{value:,g}" if value == int(value) and abs(value) < 1e6 else plain(value)
    if unit == "x":
        return f"{number} times"
    return f"{number}\N{NO-BREAK SPACE}{unit}" if unit else number
