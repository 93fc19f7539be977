"""Calls at a fixed rate, and what became of each.

Latency counts from the instant at which a call was meant to begin, so a client that stands still is charged for
everybody who would have called meanwhile.  Every answer is looked at: a backend answers with the path, and no two calls
ask for the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import gevent
import msgspec
from gevent.pool import Group

from bench.report import percentile
from bench.rpc.backend import SLOT_S

__all__ = ["GOOD", "Called", "Load", "p_ms", "slot", "told"]

GOOD = "good"
#: Makes call number so-and-so to a target; returns :data:`GOOD`, or in a word or two what it came to.
Ask = Callable[[int, int], str]


class Called(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One call that is over."""

    intended_at: float
    ended_at: float
    #: Number of its target.
    to: int
    outcome: str

    @property
    def latency_s(self) -> float:
        """Return the seconds since it was meant to begin."""
        return self.ended_at - self.intended_at

    @property
    def good(self) -> bool:
        """Whether its caller has what it wanted."""
        return self.outcome == GOOD


class Load:
    """Greenlets that call, each once."""

    def __init__(self, ask: Ask, targets: int = 1) -> None:
        self._ask = ask
        self._targets = targets
        self._under_way = Group()
        self._begun = 0
        self._crash: BaseException | None = None
        self.calls: list[Called] = []

    def run(self, rate: float, seconds: float) -> None:
        """Begin *rate* calls a second, to one target after the other; return when the last one has begun."""
        began_at = time.monotonic()
        for number in range(round(rate * seconds)):
            intended_at = began_at + number / rate
            wait_s = intended_at - time.monotonic()
            if wait_s > 0:
                gevent.sleep(wait_s)
            self._under_way.spawn(self._call, intended_at, self._begun)
            self._begun += 1
        gevent.sleep(max(0.0, began_at + seconds - time.monotonic()))

    def finish(self) -> None:
        """Wait until all calls are over: each has its deadline.  One that crashed ends the benchmark."""
        self._under_way.join()
        if self._crash is not None:
            raise self._crash

    def _call(self, intended_at: float, number: int) -> None:
        to = number % self._targets
        try:
            outcome = self._ask(to, number)
        except BaseException as error:
            self._crash, outcome = error, "crashed"
        self.calls.append(Called(intended_at, time.monotonic(), to, outcome))


def slot(at: float) -> int:
    """Return the number of the tenth of a second in which *at* is, as a backend counts them."""
    return int(at / SLOT_S)


def p_ms(calls: Sequence[Called], share: float) -> float:
    """Return the latency in milliseconds below which *share* of *calls* lie."""
    return 1e3 * percentile([call.latency_s for call in calls], share)


def told(outcomes: Mapping[str, int]) -> str:
    """Return counts of outcomes for a person, the greatest first."""
    return ", ".join(f"{count:,} {name}" for name, count in sorted(outcomes.items(), key=lambda each: -each[1]))
