"""Which of a service's endpoints gets the next call.

Rules, in the order in which they are asked:

1. A member whose circuit has cooled gets one call as its probe, if this call may be one.
2. Fewer than half of the members take calls: the one that was shut out for longest gets a call before its time
   (panic), at most one a second and member.  So many endpoints are seldom dead at once, and those that are left would
   not stand the load of all.
3. Of two drawn members that are ready and have room, the one with the lower cost: its peak-EWMA of the time to first
   byte, times the calls it has, times its recent failures and one.  Two draws, and not a look at all: many gateways
   with the same stale view would all find the same best one.
4. None has room: the same among those that are ready; they have waiting lines.
5. A member that was tried for this call before is taken only when no other is ready.
6. None is ready: a probe or a panic, whatever the call is.  Else there is no choice.

The ejection cap: failure rates and slow calls that shut out more than half of the members are more likely our load,
or one bad kind of call, than so many sick endpoints.  The excess, those with the fewest failures first, is
**spared**: it takes calls past its open circuit, at four times its cost, asking for no permit and settling none.
Where connections are refused, probes fail, or nearly every call fails, nothing is spared: there is nothing to gain.

Slow start: a member that came back takes part in a draw with a chance that grows from a tenth to one.

One member: no draw, no cost, no panic and no cap; its circuit alone decides.

Pure: times are monotonic seconds, draws are from [0, 1).  Deliberately absent: weights and zones.  Nothing here asks
for a permit or a slot: who takes a choice does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from math import exp, inf
from typing import Protocol

import msgspec

__all__ = ["BalanceRules", "Balancer", "Candidate", "Choice", "Kind", "Latency"]

#: Ended calls of a member whose outcome is remembered: few, so that one that is well again is soon believed.
RECENT_CALLS = 8
_RECENT_MASK = (1 << RECENT_CALLS) - 1
#: Below this age an estimate has decayed by less than half a percent: not worth the exponential.
_FRESH_S = 0.05
#: Differences below this are noise, and a product with it still tells members by their calls.
_LEAST_S = 0.000_1
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


class Latency:
    """What a member's last calls cost: a peak-EWMA of the time to first byte, and how many of them failed.

    The estimate jumps up to a slow call at once, comes down with calls or time over *decay_s*, and never falls
    through a failure: an endpoint that fails at once must not look like the fastest one.  A member all of whose last
    eight calls failed costs nine times as much.  The circuit breaker needs more calls than that to judge; and where a
    fleet shares the load, most of its members never get them from one caller.
    """

    __slots__ = ("_at", "_decay_s", "_estimate_s", "_failed")

    def __init__(self, default_s: float = 0.03, decay_s: float = 10.0) -> None:
        self._estimate_s = default_s
        self._decay_s = decay_s
        self._at = inf  # nothing was observed yet: the default does not decay
        self._failed = 0  # a bit for each of the last calls

    def __repr__(self) -> str:
        return f"<Latency {1e3 * self._estimate_s:.1f} ms failed={self._failed.bit_count()}/{RECENT_CALLS}>"

    @property
    def failure_ratio(self) -> float:
        """The share of failures among the last calls."""
        return self._failed.bit_count() / RECENT_CALLS

    def observe(self, now: float, ttfb_s: float) -> None:
        """Count an answer whose first byte came after *ttfb_s*."""
        self._failed = self._failed << 1 & _RECENT_MASK
        if ttfb_s >= self._estimate_s or self._at == inf:
            # A peak, or the first sample, beside which the default says nothing.
            self._estimate_s = ttfb_s
            self._at = now
        elif now > self._at:
            self._estimate_s = ttfb_s + (self._estimate_s - ttfb_s) * exp((self._at - now) / self._decay_s)
            self._at = now

    def failed(self, now: float, after_s: float) -> None:
        """Count a failure that came after *after_s*."""
        self._failed = (self._failed << 1 | 1) & _RECENT_MASK
        if after_s > self._estimate_s:
            self._estimate_s = after_s
            self._at = now

    def cost(self, now: float, in_flight: int) -> float:
        """Return what one more call would cost beside the *in_flight* that are there: seconds, where none failed."""
        estimate_s = self._estimate_s
        age_s = now - self._at
        if age_s > _FRESH_S:
            # Nobody calls a member that was slow once, so time alone must bring it back.
            estimate_s *= exp(-age_s / self._decay_s)
        return (estimate_s + _LEAST_S) * (in_flight + 1) * (self._failed.bit_count() + 1)


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
        """Whether failures or slowness of calls shut it out, and not refused connections, probes or an operator."""

    def due(self, now: float) -> bool:
        """Return whether a call would get a probe's lease."""

    def shut_for_s(self, now: float) -> float:
        """Return for how long its circuit has been open by itself; -1 if it is not, or by an operator's word."""


class Balancer:
    """Chooses among the *members* of one service, whose order never changes."""

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
        if len(members) == 1:
            member = members[0]
            if member.ready:
                return self._ready[0]
            return Choice(0, Kind.PROBE) if member.due(now) else None
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
            if one.since > settled or other.since > settled:
                return self._ready[self._cheaper(first, second, now, ())]
            if one.latency.cost(now, one.in_flight) <= other.latency.cost(now, other.in_flight):
                return self._ready[first]
            return self._ready[second]
        return self._choose_among_mixed(now, tried, may_probe)

    def others_left(self, tried: int) -> bool:
        """Return whether a member is ready that the call was not sent to."""
        return any(member.ready and not tried >> index & 1 for index, member in enumerate(self._members))

    def spared(self) -> list[int]:
        """Return the members that the ejection cap keeps among those that take calls."""
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
        if shut and (may_probe or not taking):
            extra = self._probe(now, shut, tried if taking else 0)
            if extra is None and 2 * len(taking) < len(members):
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
        return first if cost <= other_cost else second

    def _takes_part(self, back_for_s: float) -> bool:
        weight = _WEIGHT_MIN + (1.0 - _WEIGHT_MIN) * back_for_s / self._rules.slow_start_s
        return self._draw() < weight

    def _probe(self, now: float, shut: Sequence[int], tried: int) -> Choice | None:
        for index in shut:
            if not tried >> index & 1 and self._members[index].due(now):
                return Choice(index, Kind.PROBE)
        return None

    def _panic(self, now: float, shut: Sequence[int], spared: Sequence[int]) -> Choice | None:
        # A spared member is left alone: its calls tell more than one probe, and would be cut off by it.
        shut_for_s = {index: self._members[index].shut_for_s(now) for index in shut if index not in spared}
        longest = max(shut_for_s, key=shut_for_s.__getitem__)
        return Choice(longest, Kind.PANIC) if shut_for_s[longest] >= self._rules.panic_rest_s else None
