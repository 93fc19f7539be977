"""What two runs say of each other: whose figures agree within their spreads, and whose order is another one.

Pure: results in, results out.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Literal

import msgspec

from bench.evaluation.results import Measured, Result, Results

__all__ = ["Agreement", "agreements"]


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """One measure in two runs."""

    title: str
    #: The name of the value that contestants are ordered by.
    value: str
    #: Contestants that have figures in both.
    both_n: int
    #: Those of them whose spreads do not touch: in the first run, and in the second.
    apart: Sequence[tuple[Result, Result]]
    #: How many pairs are apart in the first run.
    pairs_n: int
    #: Those of them, the better one first, that stand the other way round in the second run.
    turned: Sequence[tuple[Result, Result]]


def agreements(first: Results, second: Results) -> list[Agreement]:
    """Return each measure that both runs have, in the order of the first."""
    others = {measured.name: measured for measured in second.measures}
    return [_of(measured, others[measured.name]) for measured in first.measures if measured.name in others]


def _of(first: Measured, second: Measured) -> Agreement:
    again = {result.contestant: result for result in second.results}
    both = [result for result in first.results if result.contestant in again]
    pairs = [(better, worse) for better, worse in combinations(both, 2) if not better.touches(worse)]
    return Agreement(
        title=first.title,
        value=first.value,
        both_n=len(both),
        apart=[(one, again[one.contestant]) for one in both if not one.touches(again[one.contestant])],
        pairs_n=len(pairs),
        turned=[
            (better, worse)
            for better, worse in pairs
            if _is_worse(again[better.contestant], again[worse.contestant], first.better)
        ],
    )


def _is_worse(one: Result, other: Result, better: Literal["more", "less"]) -> bool:
    return one.median < other.median if better == "more" else one.median > other.median
