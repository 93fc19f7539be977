"""Which of a service's endpoints gets the next call.

Rules, in the order in which they are asked:

1. A member whose circuit has cooled gets one call as its probe, if this call may be one: it can be made again
   elsewhere.  Any call may be one where active probes found the member well, or when nobody's was for a second.
2. Fewer than half of the members take calls: the one that was shut out for longest gets a call before its time
   (panic), if this one can be made again; at most one a second and member.  So many endpoints are seldom dead at once,
   and those that are left would not stand the load of all.
3. Of two drawn members that are ready and have room, the one with the lower cost (``latency.py``).  Two draws, and not
   a look at all: many gateways with the same stale view would all find the same best one.  Of a member that nobody
   knows yet one call at a time finds out.
4. None has room: the same among those that are ready; they have waiting lines.
5. A member that was tried for this call before is taken only when no other is ready.
6. None is ready: a probe or a panic, whatever the call is.  Else there is no choice.

The ejection cap: failure rates and slow calls that shut out more than half of the members are more likely our load,
or one bad kind of call, than so many sick endpoints.  The excess, those with the fewest failures first, is
**spared**: it takes calls past its open circuit, at four times its cost, asking for no permit and settling none.
Where connections are refused, probes fail, or nearly every call fails, nothing is spared: there is nothing to gain.
Nor is what an operator has forced open; it counts among the shut ones all the same.

Slow start: a member that came back takes part in a draw with a chance that grows from a tenth to one.

A service of one member has nothing to choose, and no use for all this: its circuit alone decides.

Pure: times are monotonic seconds, draws are from [0, 1).  Deliberately absent: weights and zones.  Nothing here asks
for a permit or a slot: who takes a choice does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Protocol

import msgspec

from gateway.domain.resilience.latency import Latency

__all__ = ["BalanceRules", "Balancer", "Candidate", "Choice", "Kind"]

#: For how long a probe is left to a call that can be made again elsewhere.  Where there are such calls one comes within
#: that time; where there are none, somebody's call must find out, or the member would never come back.
_FOR_REPEATABLE_S = 1.0
#: The chance of a member that has just come back.
_WEIGHT_MIN = 0.1


class Kind(Enum):
    """What the chosen member is to the call."""

    READY = "ready"
    #: Its circuit is open, and is passed by: no permit is asked for, none is settled.
    SPARED = "spared"
    #: The call is its probe: ``Health.admit`` gives a lease.
    PROBE = "probe"
    #: The same after ``Health.cool``.
    PANIC = "panic"


class Choice(msgspec.Struct, frozen=True, gc=False):
    """One member, by its place among the candidates."""

    index: int
    kind: Kind


class BalanceRules(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers that decide, with the default of ``RpcSettings`` where there is one."""

    #: From coming back to the full share.
    slow_start_s: float = 10.0
    #: How much dearer a spared member is than a ready one of the same speed.
    spared_cost: float = 4.0
    #: Above this share of failures among its last calls a member is not spared.
    spared_failures_max: float = 0.9
    #: How long a member has been shut out at least before panic probes it.
    panic_rest_s: float = 1.0


class Candidate(Protocol):
    """What is asked of a member.  The properties are asked on every call: keep them attributes."""

    @property
    def ready(self) -> bool:
        """Whether its circuit lets everybody through: ``Health.open_to_all``."""

    @property
    def room(self) -> bool:
        """Whether a call would get a slot without waiting."""

    @property
    def in_flight(self) -> int:
        """The calls it has, those that wait for a slot included."""

    @property
    def latency(self) -> Latency:
        """What they cost."""

    @property
    def since(self) -> float:
        """When it last came back; ``-inf`` if it was never away."""

    @property
    def tripped_by_rate(self) -> bool:
        """Whether failures or slowness of calls keep it shut, and not refused connections, probes or an operator."""

    def due_for_s(self, now: float) -> float:
        """Return for how long calls might have been probes, ``inf`` if active ones say that it is well; -1 if one would
        get no lease now."""

    def shut_for_s(self, now: float) -> float:
        """Return for how long its circuit has been open by itself; -1 if it is not, or by an operator's word."""


class Balancer:
    """Chooses among the *members* of one service, two or more, whose order never changes."""

    __slots__ = ("_draw", "_members", "_ready", "_rules")

    def __init__(
        self, members: Sequence[Candidate], rules: BalanceRules, draw: Callable[[], float]
    ) -> None:
        self._members = members
        self._rules = rules
        self._draw = draw
        # The usual choices, made once.
        self._ready = [Choice(index, Kind.READY) for index in range(len(members))]

    def __repr__(self) -> str:
        ready = sum(member.ready for member in self._members)
        return f"<Balancer ready={ready}/{len(self._members)}>"

    def choose(self, now: float, tried: int, may_probe: bool) -> Choice | None:
        """Return who gets the call.  *tried* has bit ``1 << index`` set for each member it was sent to before."""
        members = self._members
        if tried:
            return self._choose_among_mixed(now, tried, may_probe)
        for member in members:
            if not member.ready:
                return self._choose_among_mixed(now, tried, may_probe)
        # What nearly every call of a service of several endpoints comes through: `_two` and `_cheaper`, unrolled.
        first = int(self._draw() * len(members))
        second = int(self._draw() * (len(members) - 1))
        if second >= first:
            second += 1
        one, other = members[first], members[second]
        if one.room and other.room:
            settled = now - self._rules.slow_start_s
            if one.since <= settled and other.since <= settled:
                cost = one.latency.cost(now, one.in_flight)
                other_cost = other.latency.cost(now, other.in_flight)
                if cost and other_cost:
                    return self._ready[first] if cost <= other_cost else self._ready[second]
            return self._ready[self._cheaper(first, second, now, ())]
        return self._choose_among_mixed(now, tried, may_probe)

    def others_left(self, tried: int) -> bool:
        """Return whether a member is ready that the call was not sent to."""
        return any(member.ready and not tried >> index & 1 for index, member in enumerate(self._members))

    def spared(self) -> list[int]:
        """Return the members that the ejection cap keeps among those that take calls: who looks on asks for them."""
        return self._spare([index for index, member in enumerate(self._members) if not member.ready])

    def _spare(self, shut: Sequence[int]) -> list[int]:
        excess = len(shut) - len(self._members) // 2
        if excess <= 0:
            return []
        failures_max = self._rules.spared_failures_max
        ratios = {index: self._members[index].latency.failure_ratio for index in shut}
        sparable = [
            index for index in shut if self._members[index].tripped_by_rate and ratios[index] <= failures_max
        ]
        return sorted(sparable, key=ratios.__getitem__)[:excess]

    def _choose_among_mixed(self, now: float, tried: int, may_probe: bool) -> Choice | None:
        members = self._members
        shut = [index for index, member in enumerate(members) if not member.ready]
        spared = self._spare(shut)
        taking = [index for index in range(len(members)) if index not in shut or index in spared]
        if shut:
            eager = may_probe or not taking
            extra = self._probe(now, shut, tried if taking else 0, 0.0 if eager else _FOR_REPEATABLE_S)
            if extra is None and eager and 2 * len(taking) < len(members):
                extra = self._panic(now, shut, spared)
            if extra is not None:
                return extra
        if not taking:
            return None
        pool = [index for index in taking if not tried >> index & 1] or taking
        pool = [index for index in pool if members[index].room] or pool
        chosen = pool[0]
        if len(pool) > 1:
            first, second = self._two(len(pool))
            chosen = self._cheaper(pool[first], pool[second], now, spared)
        return Choice(chosen, Kind.SPARED) if chosen in spared else self._ready[chosen]

    def _two(self, count: int) -> tuple[int, int]:
        first = int(self._draw() * count)
        second = int(self._draw() * (count - 1))
        return first, second + 1 if second >= first else second

    def _cheaper(self, first: int, second: int, now: float, spared: Sequence[int]) -> int:
        one, other = self._members[first], self._members[second]
        slow_start_s = self._rules.slow_start_s
        one_is_in = now - one.since >= slow_start_s or self._takes_part(now - one.since)
        other_is_in = now - other.since >= slow_start_s or self._takes_part(now - other.since)
        if one_is_in is not other_is_in:
            return first if one_is_in else second
        cost = one.latency.cost(now, one.in_flight)
        other_cost = other.latency.cost(now, other.in_flight)
        if spared:
            cost *= self._rules.spared_cost if first in spared else 1.0
            other_cost *= self._rules.spared_cost if second in spared else 1.0
        chosen, least = (first, cost) if cost <= other_cost else (second, other_cost)
        if not least:
            self._members[chosen].latency.begin_trial(now)
        return chosen

    def _takes_part(self, back_for_s: float) -> bool:
        weight = _WEIGHT_MIN + (1.0 - _WEIGHT_MIN) * back_for_s / self._rules.slow_start_s
        return self._draw() < weight

    def _probe(self, now: float, shut: Sequence[int], tried: int, due_min_s: float) -> Choice | None:
        for index in shut:
            if not tried >> index & 1 and self._members[index].due_for_s(now) >= due_min_s:
                return Choice(index, Kind.PROBE)
        return None

    def _panic(self, now: float, shut: Sequence[int], spared: Sequence[int]) -> Choice | None:
        # A spared member is left alone: its calls tell more than one probe, and would be cut off by it.
        shut_for_s = {index: self._members[index].shut_for_s(now) for index in shut if index not in spared}
        longest = max(shut_for_s, key=shut_for_s.__getitem__)
        return Choice(longest, Kind.PANIC) if shut_for_s[longest] >= self._rules.panic_rest_s else None
