"""The world: gateways, endpoints, a stream of calls, and what is written down of them."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import msgspec

from bench.report import percentile
from bench.sim.endpoint import Endpoint, service_times
from bench.sim.gateway import Call, Gateway
from bench.sim.plan import Rules, Size
from bench.sim.timeline import Timeline
from gateway.domain.resilience.priority import Priority

__all__ = ["BIN_S", "Bin", "World"]

#: How much time one entry of the record stands for.
BIN_S = 0.5
#: Between two looks of a gateway at its slow calls; active probes go with every second one.
LOOK_S = 0.25
#: Of a hundred calls.
HIGH_SHARE, LOW_SHARE = 10, 10


class Bin(msgspec.Struct, kw_only=True):
    """What happened in half a second: counts, and how things stood at its end."""

    ends_at: float
    #: Calls begun; calls answered in time, and calls given up, that ended.
    calls: int = 0
    good: int = 0
    failed: int = 0
    #: The same by priority, high to low.
    good_by_priority: list[int] = msgspec.field(default_factory=lambda: [0, 0, 0])
    failed_by_priority: list[int] = msgspec.field(default_factory=lambda: [0, 0, 0])
    attempts: int = 0
    retries: int = 0
    #: Attempts at the endpoints that the scenario hurts.
    attempts_at_sick: int = 0
    p50_s: float = 0.0
    p99_s: float = 0.0
    #: Limits of all gateways together, for the endpoints that they have not shut out; what is in flight.
    limits: int = 0
    in_flight: int = 0
    #: Of the pairs of a gateway and an endpoint, those that are shut out.
    shut_out: int = 0
    #: The endpoint that the most of its gateways have shut out, apart from the sick ones: its share of them.
    shut_out_worst: float = 0.0


class World:
    """A fleet under load.  ``load`` is the offered share of what all endpoints together can do."""

    def __init__(self, size: Size, rules: Rules, *, sick: Sequence[int] = (), probes: bool = True) -> None:
        self.size = size
        self.load = 0.0
        self.record: list[Bin] = []
        #: Endpoints, by number, that the scenario hurts.
        self.sick = sick
        #: At the end of each bin, by gateway: calls and retries since the beginning.
        self.ledgers: list[list[tuple[int, int]]] = []
        self.timeline = Timeline()
        self._rng = Random(size.seed)
        self._probes = probes
        times = service_times(size.service_s, self._rng)
        self.endpoints = [Endpoint(size.workers, size.queue_s, times) for _ in range(size.endpoints)]
        self.gateways = [
            Gateway([self.endpoints[each] for each in places], rules, self.timeline, self._rng.random, self._done)
            for places in self._assignments()
        ]
        self._bin = Bin(ends_at=BIN_S)
        self._took_s: list[float] = []
        for number, gateway in enumerate(self.gateways):
            self.timeline.at(LOOK_S * number / len(self.gateways), self._look, (gateway, False))
        self.timeline.at(BIN_S, self._write_down)
        self._sums = (0, 0, 0)
        self._arrival_is_due = False

    def run(self, seconds: float, *, load: float | None = None) -> None:
        """Let *seconds* pass, at another load if one is given; 0: nobody calls."""
        if load is not None:
            self.load = load
            if not self._arrival_is_due:
                self._plan_arrival()
        # A little beyond, so that the bin that ends then is in the record.
        self.timeline.run_until(self.timeline.now + seconds + 1e-6)

    def between(self, begin: float, end: float) -> list[Bin]:
        """Return the record of that time."""
        return [each for each in self.record if begin < each.ends_at - 1e-3 <= end]

    def _assignments(self) -> list[list[int]]:
        """Return for each gateway the endpoints that it knows, such that each endpoint has equally many."""
        count, members = self.size.endpoints, self.size.members
        places: list[list[int]] = []
        while len(places) < self.size.gateways:
            # Steps round a shuffled circle: as many different ones as there are endpoints.
            circle = self._rng.sample(range(count), count)
            places += [[circle[(start + step) % count] for step in range(members)] for start in range(count)]
        return places[: self.size.gateways]

    def _plan_arrival(self) -> None:
        self._arrival_is_due = self.load > 0.0
        if self._arrival_is_due:
            pause_s = self._rng.expovariate(self.load * self.size.capacity_per_s)
            self.timeline.at(self.timeline.now + pause_s, self._arrive)

    def _arrive(self, _: None) -> None:
        rng = self._rng
        self._bin.calls += 1
        lot = int(rng.random() * 100)
        priority = Priority.NORMAL
        if lot < HIGH_SHARE:
            priority = Priority.HIGH
        elif lot >= 100 - LOW_SHARE:
            priority = Priority.LOW
        self.gateways[int(rng.random() * len(self.gateways))].begin(priority)
        self._plan_arrival()

    def _look(self, turn: tuple[Gateway, bool]) -> None:
        gateway, probes = turn
        gateway.look(probes and self._probes)
        self.timeline.at(self.timeline.now + LOOK_S, self._look, (gateway, not probes))

    def _done(self, call: Call, good: bool) -> None:
        if good:
            self._bin.good += 1
            self._bin.good_by_priority[call.priority] += 1
            self._took_s.append(self.timeline.now - call.began_at)
        else:
            self._bin.failed += 1
            self._bin.failed_by_priority[call.priority] += 1

    def _write_down(self, _: None) -> None:
        now, ended, gateways = self.timeline.now, self._bin, self.gateways
        if self._took_s:
            ended.p50_s, ended.p99_s = percentile(self._took_s, 0.5), percentile(self._took_s, 0.99)
        sums = (
            sum(each.attempts for each in gateways),
            sum(each.retries for each in gateways),
            sum(self.endpoints[each].arrived for each in self.sick),
        )
        ended.attempts, ended.retries, ended.attempts_at_sick = (
            new - old for new, old in zip(sums, self._sums, strict=True)
        )
        self._sums = sums
        shut_out = dict.fromkeys(self.endpoints, 0)
        for gateway in gateways:
            taking = gateway.taking()
            for index, member in enumerate(gateway.members):
                ended.in_flight += member.gate.in_flight
                if index in taking:
                    ended.limits += member.limit.limit
                else:
                    shut_out[member.endpoint] += 1
        ended.shut_out = sum(shut_out.values())
        for each in self.sick:
            del shut_out[self.endpoints[each]]
        pairs_each = self.size.gateways * self.size.members / self.size.endpoints
        ended.shut_out_worst = max(shut_out.values(), default=0) / pairs_each
        self.ledgers.append([(each.calls, each.retries) for each in gateways])
        self.record.append(ended)
        self._bin, self._took_s = Bin(ends_at=now + BIN_S), []
        self.timeline.at(now + BIN_S, self._write_down)
