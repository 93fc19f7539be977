"""Twice as much as a contestant can: what it still gets done, what it says to the others, and when it is back.

Its callers come as they do through a proxy: over a bounded number of connections, for which who finds none free waits
for a while.  So at most that many are in the contestant at once, and the rest of the queue is not its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import msgspec

from bench.evaluation.arrivals.asking import Asking, Ran
from bench.evaluation.arrivals.generator import generator
from bench.evaluation.arrivals.orders import Heard, Load
from bench.evaluation.measure import Plot, Stage, Taken
from bench.evaluation.measures.recovery import back_s
from bench.lines import LINES, Line

__all__ = ["Overload", "Timing", "overloads"]

CONNECTIONS_MAX = 256
#: Half of a caller's patience may go by without a connection: the answer must come within the other half.
WAIT_MAX_S, PATIENCE_S = 0.5, 1.0
EASY, TOO_MUCH = 0.5, 2.0
BIN_S = 0.1
#: Of twice its capacity half can be answered; who answers as much as this has more than its closed loop has shown.
OVERRUN_MAX = 0.75
#: Places of a run's loads; the first one is to settle.
_BEFORE, _OVERLOADED, _AFTER = 1, 2, 3


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of each stretch."""

    #: Of the closed loop: warm up, count.  Compilers that work at run time have seen nothing before.
    capacity: Sequence[float] = (1.5, 0.8)
    settle: float = 0.5
    before: float = 1.0
    overload: float = 2.5
    after: float = 2.0


class Overload:
    """Half of its capacity, twice of it, and half again."""

    name: str = "overload"
    title: str = "Twice as much as it can"
    value: str = "goodput_rate"
    unit: str = "requests/s"
    better: Literal["more", "less"] = "more"
    plot: Plot | None = Plot(
        x="at_s",
        x_title="seconds since twice the capacity was asked for",
        y="p99_ms",
        y_title="p99 in ms, from the intended start",
        log_y=True,
    )
    quick: bool = False
    take_s: float = 11.0

    def __init__(
        self, contestants: Sequence[str], *, line: Line = LINES["echo"], timing: Timing | None = None
    ) -> None:
        self.contestants = contestants
        self._line = line
        self._timing = timing or Timing()
        self.about = (
            f"Echoes at half of what a contestant does in a closed loop, for {self._timing.overload:g} s at twice of "
            f"it, and at half again, over {CONNECTIONS_MAX} connections; who finds none in {WAIT_MAX_S:g} s leaves. "
            f"The number is what is answered a second, each within {PATIENCE_S:g} s of its intended start. Beside it: "
            "what share of the closed loop's that is; how many of all who asked were sent away, failed or waited in "
            "vain (half of them nobody could have answered); and how long latency stays above twice that of before "
            "when the load is half again."
        )

    def take(self, name: str, stage: Stage) -> Taken:
        """Overrun it once, in a process of its own: who does not get over it is not to be measured any further."""
        timing = self._timing
        with stage.fresh(name) as server, generator() as generating:
            asking = Asking(self._line, server, stage, generating)
            capacity = asking.capacity(timing.capacity)
            loads = [
                Load(EASY * capacity, timing.settle),
                Load(EASY * capacity, timing.before),
                Load(TOO_MUCH * capacity, timing.overload),
                Load(EASY * capacity, timing.after),
            ]
            order = asking.order(loads)
            order = msgspec.structs.replace(
                order,
                connections_max=CONNECTIONS_MAX,
                wait_max_s=WAIT_MAX_S,
                patience_s=PATIENCE_S,
                bin_s=BIN_S,
            )
            # At half of its capacity it has time left, whatever was the limit at twice of it.
            ran = asking.run(order, during=_OVERLOADED)
            asking.check_again()
        return self._taken(ran, capacity)

    def _taken(self, ran: Ran, capacity: float) -> Taken:
        timing = self._timing
        before, too_much, after = (ran.arrived.loads[at] for at in (_BEFORE, _OVERLOADED, _AFTER))
        begins_s = timing.settle + timing.before
        back = back_s(
            ran.arrived.course,
            begins_s + timing.overload,
            before_ms=before.p99_ms,
            bin_s=BIN_S,
            longest_s=timing.after,
        )
        notes = ran.notes(too_much)
        if too_much.done_share > OVERRUN_MAX:
            notes.append("hardly overrun: it did more than in its closed loop")
        if back >= timing.after:
            # Nobody knows when it would have been: a run leaves out what is no number.
            notes.append(f"not back within {timing.after:g} s")
            back = math.nan
        values = {
            "goodput_rate": too_much.right / timing.overload,
            "goodput_share": too_much.right / (capacity * timing.overload),
            "capacity_rate": capacity,
            **_shares(too_much),
            "before_p99_ms": before.p99_ms,
            "after_p99_ms": after.p99_ms,
            # It is read off tenths of a second.
            "back_s": round(back, 1),
        }
        return Taken(values=values, rows=self._rows(ran, capacity, begins_s), notes=notes)

    def _rows(self, ran: Ran, capacity: float, begins_s: float) -> list[dict[str, float]]:
        """Return the course of time from a second before the overload."""
        return [
            {
                "at_s": round(each.at_s - begins_s, 3),
                "p99_ms": each.p99_ms,
                "goodput_share": each.right / (capacity * BIN_S),
                "refused_share": each.refused / (capacity * BIN_S),
            }
            for each in ran.arrived.course
            if each.at_s >= begins_s - 1.0
        ]


def overloads(contestants: Sequence[str]) -> list[Overload]:
    """Return the one."""
    return [Overload(contestants)]


def _shares(heard: Heard) -> dict[str, float]:
    """Return what became of all others, as shares of what was asked; half of it nobody could have answered."""
    return {
        "away_share": 1.0 - heard.done_share,
        "refused_share": heard.refused / heard.asked,
        "errors_share": (heard.failed + heard.broken) / heard.asked,
        "late_share": heard.late / heard.asked,
        "unsent_share": heard.unsent / heard.asked,
    }
