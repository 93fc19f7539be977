"""A backend with too few servers, and the gateways that call it, in virtual time."""

from __future__ import annotations

import random
from collections.abc import Callable
from heapq import heapify, heappop, heappush, heapreplace
from typing import NamedTuple

from gateway.domain.resilience.limiter import ConcurrencyLimit, LimitRules

__all__ = ["KINDS", "Rates", "World"]

#: What a service time is, as a multiple of the mean.
KINDS: dict[str, Callable[[random.Random], float]] = {
    "constant": lambda _: 1.0,
    "exponential": lambda draw: draw.expovariate(1.0),
    "one in ten is ten times longer": lambda draw: (10 if draw.random() < 0.1 else 1) / 1.9,
    "every other is ten times longer": lambda draw: (10 if draw.random() < 0.5 else 1) / 5.5,
}


class Rates(NamedTuple):
    """What became of the calls, as shares of what the backend can do."""

    good: float
    late: float
    shed: float


class World:
    """Calls at random times to one backend, each through the limit of one of *gateways* gateways.

    The backend serves first come, first served, and also those whose caller gave up after *deadline_s*.
    """

    def __init__(
        self,
        kind: str,
        *,
        servers: int,
        service_s: float,
        rules: LimitRules | None = None,
        gateways: int = 1,
        deadline_s: float = 1.0,
    ) -> None:
        self.limits = [ConcurrencyLimit(rules or LimitRules()) for _ in range(gateways)]
        self.in_flight = [0] * gateways
        self.slowness = 1.0
        self.now = 0.0
        self._draw = random.Random(7)
        self._kind = KINDS[kind]
        self._service_s = service_s
        self._deadline_s = deadline_s
        self._capacity_per_s = servers / service_s
        self._free_at = [0.0] * servers
        self._ends: list[tuple[float, int, float, bool]] = []  # when, whose, since when, in time

    @property
    def limit(self) -> ConcurrencyLimit:
        """The first gateway's."""
        return self.limits[0]

    def add_servers(self, number: int) -> None:
        """Let it do more at once; shares stay those of the first capacity."""
        self._free_at += [self.now] * number
        heapify(self._free_at)

    def run(self, seconds: float, load: float) -> Rates:
        """Let time pass under *load*, as a share of what the backend can do."""
        end, draw, limits, in_flight = self.now + seconds, self._draw, self.limits, self.in_flight
        per_s = load * self._capacity_per_s
        good = late = shed = 0
        begins = self.now + draw.expovariate(per_s)
        while True:
            if self._ends and self._ends[0][0] <= begins:
                if self._ends[0][0] > end:
                    break
                now, who, began, in_time = heappop(self._ends)
                if in_time:
                    good += 1
                    limits[who].sample(now, now - began, in_flight[who])
                else:
                    late += 1
                    limits[who].drop(now, now - began, in_flight[who])
                in_flight[who] -= 1
            elif begins > end:
                break
            else:
                who = int(draw.random() * len(limits))
                if in_flight[who] < limits[who].limit:
                    in_flight[who] += 1
                    self._begin(begins, who)
                else:
                    shed += 1
                begins += draw.expovariate(per_s)
        self.now = end
        most = seconds * self._capacity_per_s
        return Rates(good / most, late / most, shed / most)

    def _begin(self, now: float, who: int) -> None:
        done = max(now, self._free_at[0]) + self._service_s * self.slowness * self._kind(self._draw)
        heapreplace(self._free_at, done)
        gives_up = now + self._deadline_s
        heappush(self._ends, (min(done, gives_up), who, now, done <= gives_up))
