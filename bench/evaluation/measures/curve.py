"""Latency at fixed rates, up to where a contestant falls behind: a curve, and how far along it callers are served well.

The rates are of one grid, so that curves lie over each other; which of them a contestant is asked for follows from what
it does in a closed loop: a few that are easy, and all that are near its end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from bench.evaluation.arrivals.asking import CAPACITY_S, Asking
from bench.evaluation.arrivals.generator import generator
from bench.evaluation.arrivals.orders import Heard, Load
from bench.evaluation.measure import Plot, Stage, Taken
from bench.lines import LINES, Line

__all__ = ["Curve", "Step", "climbed", "curves", "highest", "is_bound", "rates"]

#: What callers are served well by.
P99_MAX_MS = 10.0
#: Who answers less than this share in time has fallen behind, and who has made callers wait for as long as this: in one
#: step no queue grows much longer, unless it does not end.
DONE_MIN, BEHIND_MS = 0.99, 300.0
#: Requests a second; each rate is 1.2 to 1.35 times the one before.
GRID = (
    250, 500, 750, 1_000, 1_250, 1_500, 2_000, 2_500, 3_000, 4_000, 5_000, 6_000, 7_500, 10_000, 12_500, 15_000, 17_500,
    20_000, 25_000, 30_000, 35_000, 40_000, 50_000, 60_000, 75_000, 90_000, 110_000,
)  # fmt: skip
#: At this rate everybody is asked who can do it: there their latencies compare.
COMMON = 1_000
#: Shares of the closed loop's rate: the easy ones, and from where to where every rate of the grid is asked for.
EASY, DENSE, END = (0.1, 0.25), 0.55, 1.7
_SETTLE_S, _STEP_S = 0.2, 0.6
_TITLES = {"echo": "Echo at fixed rates", "kvs_get": "KVS GET at fixed rates"}


class Step(msgspec.Struct, frozen=True):
    """What came of one rate."""

    row: Mapping[str, float]
    notes: Sequence[str]
    #: Whether the contestant could not keep up.
    behind: bool

    @property
    def well(self) -> bool:
        """Whether p99 was within its bound."""
        return self.row["p99_ms"] <= P99_MAX_MS


class Curve:
    """One line's requests at one rate after the other."""

    value: str = "rate"
    unit: str = "requests/s"
    better: Literal["more", "less"] = "more"
    plot: Plot | None = Plot(
        x="rate", x_title="requests a second", y="p99_ms", y_title="p99 in ms, from the intended start", log_y=True
    )
    quick: bool = False
    take_s: float = 9.0

    def __init__(
        self,
        line: Line,
        contestants: Sequence[str],
        *,
        settle_s: float = _SETTLE_S,
        step_s: float = _STEP_S,
        capacity_s: Sequence[float] = CAPACITY_S,
        grid: Sequence[int] = GRID,
    ) -> None:
        self.name = f"curve_{line.name.removeprefix('kvs_')}" if line.name == "echo" else "curve_kvs"
        self.title = _TITLES[line.name]
        self.about = (
            "Requests leave at instants drawn beforehand, whether or not earlier ones were answered, and latency "
            "counts from these; who gets no right answer within a second counts with a second. The number is the "
            f"rate at which p99 first reaches {P99_MAX_MS:g} ms, read off between the last rate up to which it stayed "
            "below them at every rate asked, and the next; who stayed below them to the end has at least the last one."
        )
        self.contestants = contestants
        self._line = line
        self._settle_s, self._step_s = settle_s, step_s
        self._capacity_s = capacity_s
        self._grid = grid

    def take(self, name: str, stage: Stage) -> Taken:
        """Find out what it can do, and go up to there and beyond."""
        with generator() as generating:
            asking = Asking(self._line, stage.shared(name), stage, generating)
            capacity = asking.capacity(self._capacity_s)
            loads = (self._settle_s, self._step_s)

            def step(rate: int) -> Step:
                ran = asking.run(asking.order([Load(rate, seconds) for seconds in loads]))
                heard = ran.arrived.loads[-1]
                return Step(_row(rate, heard), tuple(ran.notes(heard)), behind(heard))

            steps = list(climbed(rates(capacity, self._grid), step))
            asking.check_again()
        rows = [each.row for each in steps]
        notes = dict.fromkeys(note for each in steps for note in each.notes)
        at_least = is_bound(rows)
        if at_least:
            notes["served well at the highest rate that was asked: it can do more"] = None
        return Taken(values=_values(rows, capacity), rows=rows, notes=list(notes), at_least=at_least)


def curves(contestants: Sequence[str]) -> list[Curve]:
    """Return both."""
    return [Curve(LINES[name], contestants) for name in _TITLES]


def rates(capacity: float, grid: Sequence[int] = GRID) -> Iterator[int]:
    """Return the rates that one is asked for who answers *capacity* in a closed loop; whoever has fallen behind stops.

    Of the grid alone: rounds, and contestants, have as many rates in common as their capacities allow.
    """
    easy = {min(grid, key=lambda rate: abs(math.log(rate / (share * capacity)))) for share in EASY}
    easy.add(COMMON)
    for rate in grid:
        if DENSE * capacity <= rate <= END * capacity or (rate in easy and rate < DENSE * capacity):
            yield rate


def climbed(rates: Iterable[int], step: Callable[[int], Step]) -> Iterator[Step]:
    """Return what came of each rate, up to the first at which a contestant fell behind.

    The first that was not well is asked for once more, and the better of both counts: a slow moment of the machine's
    comes once, where a contestant's end is comes again.
    """
    well = True
    for rate in rates:
        found = step(rate)
        if well and not found.well:
            found = min(found, step(rate), key=lambda each: each.row["p99_ms"])
            well = found.well
        yield found
        if found.behind:
            return


def behind(heard: Heard) -> bool:
    """Whether a contestant could not keep up."""
    return heard.done_share < DONE_MIN or heard.p99_ms > BEHIND_MS


def highest(rows: Sequence[Mapping[str, float]]) -> float:
    """Return the rate at which p99 first reaches :data:`P99_MAX_MS`, on a straight line where latency is logarithmic.

    What was well behind that does not count: up to the rate that is told, every rate that was asked was well.  So it
    is 0 for who was not well at the lowest, and the highest rate that was asked (:func:`is_bound`) for who always was.
    """
    if is_bound(rows):
        return rows[-1]["rate"]
    first = next((number for number, row in enumerate(rows) if row["p99_ms"] > P99_MAX_MS), 0)
    if not first:
        return 0.0
    last, beyond = rows[first - 1], rows[first]
    rise = math.log(beyond["p99_ms"] / last["p99_ms"])
    return last["rate"] + (beyond["rate"] - last["rate"]) * math.log(P99_MAX_MS / last["p99_ms"]) / rise


def is_bound(rows: Sequence[Mapping[str, float]]) -> bool:
    """Whether p99 stayed within its bound at every rate that was asked, so that nobody knows where it would end."""
    return bool(rows) and all(row["p99_ms"] <= P99_MAX_MS for row in rows)


def _row(rate: int, heard: Heard) -> dict[str, float]:
    return {
        "rate": rate,
        "p50_ms": heard.p50_ms,
        "p99_ms": heard.p99_ms,
        "p999_ms": heard.p999_ms,
        "done_share": heard.done_share,
    }


def _values(rows: Sequence[Mapping[str, float]], capacity: float) -> dict[str, float]:
    values = {"rate": highest(rows), "capacity_rate": capacity}
    common = [row["p99_ms"] for row in rows if row["rate"] == COMMON]
    return values | ({"p99_at_1000_ms": common[0]} if common else {})
