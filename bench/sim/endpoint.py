"""An endpoint of the simulation: so many workers, one queue, first come, first served.

It is as bad as real ones are: it does not know how long its callers wait, and works for those that have gone; its queue
is long enough that everybody in it comes too late; only what would wait longer than that gets a 503.
"""

from __future__ import annotations

from enum import Enum
from heapq import heapreplace
from itertools import cycle
from math import inf
from random import Random

__all__ = ["Condition", "Endpoint", "Outcome", "service_times"]

#: From a request to a refused connection or a 503.
NETWORK_S = 0.000_5


class Condition(Enum):
    """What is wrong with it."""

    WELL = "well"
    #: Connections are refused.
    REFUSING = "refusing"
    #: Connections are taken, and nothing is ever answered.
    HANGING = "hanging"


class Outcome(Enum):
    """How an attempt ends, as its client sees it."""

    OK = "ok"
    BUSY = "busy"
    REFUSED = "refused"
    #: The connection broke under the call.
    LOST = "lost"
    TIMEOUT = "timeout"


def service_times(mean_s: float, rng: Random) -> cycle[float]:
    """Return an endless supply of service times: a gamma distribution with a spread of a third."""
    # Drawn beforehand, because a draw costs more than all the rest of an arrival.
    shape = 8.0
    return cycle([rng.gammavariate(shape, mean_s / shape) for _ in range(4_099)])


class Endpoint:
    """One copy of the service."""

    __slots__ = ("_free_at", "_times", "_wait_max_s", "arrived", "broke_at", "condition", "slowness", "workers")

    def __init__(self, workers: int, wait_max_s: float, times: cycle[float]) -> None:
        self.workers = workers
        self._wait_max_s = wait_max_s
        self._times = times
        self._free_at = [0.0] * workers  # a heap
        self.condition = Condition.WELL
        #: What service times are multiplied by.
        self.slowness = 1.0
        #: When it last stopped being well: calls from before that are lost.
        self.broke_at = -inf
        #: Attempts that reached it or tried to.
        self.arrived = 0

    def arrive(self, now: float) -> tuple[float, Outcome]:
        """Take a request; return when its client hears what, if it waits for so long."""
        self.arrived += 1
        if self.condition is Condition.REFUSING:
            return now + NETWORK_S, Outcome.REFUSED
        if self.condition is Condition.HANGING:
            return inf, Outcome.TIMEOUT
        starts_at = self._free_at[0]
        if starts_at < now:
            starts_at = now
        elif starts_at - now > self._wait_max_s:
            return now + NETWORK_S, Outcome.BUSY
        # Who serves it and when is known already: nothing that comes later goes first.
        ends_at = starts_at + next(self._times) * self.slowness
        heapreplace(self._free_at, ends_at)
        return ends_at, Outcome.OK

    def answers_probe(self) -> bool:
        """Whether its health page says well: it does however slow the calls are."""
        return self.condition is Condition.WELL

    def breaks(self, now: float, condition: Condition) -> None:
        """Go down, with all calls under way."""
        self.condition = condition
        self.broke_at = now

    def returns(self, now: float) -> None:
        """Come back with an empty queue."""
        self.condition = Condition.WELL
        self._free_at = [now] * self.workers
