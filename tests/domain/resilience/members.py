"""A service's members over the real rules, and a world in which each of them is well or not."""

from __future__ import annotations

from collections import Counter
from enum import Enum
from random import Random

from gateway.domain.resilience.balance import Balancer, BalanceRules, Choice, Kind
from gateway.domain.resilience.gate import Gate, GateRules
from gateway.domain.resilience.health import Cause, Health, HealthRules, Permit, State, Verdict
from gateway.domain.resilience.limiter import ConcurrencyLimit, LimitRules
from gateway.domain.resilience.member_state import MemberState
from gateway.domain.resilience.priority import Priority

#: Open times that a test can wait for.
RULES = HealthRules(calls_min=4, connect_failures_max=3, open_base_s=4.0, open_max_s=16.0)


class Mood(Enum):
    """What becomes of a member's calls."""

    WELL = "well"
    FAILING = "failing"
    REFUSING = "refusing"


class Member(MemberState):
    """What ``gateway.rpc.member.Member`` shows the balancer, without sockets."""

    def __init__(self, rules: HealthRules, slots_max: int) -> None:
        limit = ConcurrencyLimit(LimitRules(floor=1, ceiling=slots_max))
        super().__init__(Health(rules), Gate(GateRules(slots_max=slots_max, waiters_max=0), limit))
        self.mood = Mood.WELL
        self.takes_s = 0.005
        self.calls = 0


class Attempt:
    """One call at one member; no permit where it was spared, no slot where it had no room."""

    def __init__(self, member: Member, permit: Permit | None, has_slot: bool) -> None:
        self.member = member
        self.permit = permit
        self.has_slot = has_slot


class Fleet:
    """Some members, and calls to them in the order of the shell: choice, slot, permit, result."""

    def __init__(self, count: int, *, seed: int = 5, rules: HealthRules = RULES, slots_max: int = 64) -> None:
        self.now = 1_000.0
        self.members = [Member(rules, slots_max) for _ in range(count)]
        self.balancer = Balancer(self.members, BalanceRules(), Random(seed).random)

    def begin(self, *, may_probe: bool, tried: int = 0) -> tuple[Choice, Attempt] | None:
        """Begin a call.  What was chosen must be allowed to be called, in the role for which it was chosen."""
        choice = self.balancer.choose(self.now, tried, may_probe)
        if choice is None:
            return None
        member = self.members[choice.index]
        health = member.health
        assert health.state is not State.FORCED_OPEN, "an operator's word"
        if choice.kind is Kind.PANIC:
            assert health.cool(self.now, "panic")
        has_slot = member.gate.enter(Priority.NORMAL, "")
        permit = None
        if choice.kind is Kind.SPARED:
            assert health.state in (State.OPEN, State.HALF_OPEN)
        else:
            admitted = health.admit(self.now, 30.0)
            assert isinstance(admitted, Permit)
            assert bool(admitted.lease) is (choice.kind is not Kind.READY)
            permit = admitted
        member.calls += 1
        return choice, Attempt(member, permit, has_slot)

    def end(self, attempt: Attempt, took_s: float) -> bool:
        """End it as its member's mood is; return whether it went well."""
        member, now = attempt.member, self.now
        well = member.mood is Mood.WELL
        if well:
            member.latency.observe(now, took_s)
        else:
            member.latency.failed(now, took_s)
        if attempt.permit is not None:
            cause = Cause.CONNECT if member.mood is Mood.REFUSING else Cause.CALL
            member.health.settle(attempt.permit, Verdict.OK if well else Verdict.FAILED, now, 0.0, cause)
        if attempt.has_slot:
            member.gate.leave("")
        return well

    def call(self, *, may_probe: bool = False) -> bool:
        """Make one call, from its begin to its end; return whether it went well."""
        begun = self.begin(may_probe=may_probe)
        if begun is None:
            return False
        attempt = begun[1]
        took_s = attempt.member.takes_s if attempt.member.mood is Mood.WELL else 0.001
        self.now += took_s
        return self.end(attempt, took_s)

    def run(self, seconds: float, *, pause_s: float, may_probe: bool = False) -> Counter[bool]:
        """Make calls one by one for *seconds*; return how many went well and how many did not."""
        ends_at, ended = self.now + seconds, Counter[bool]()
        while self.now < ends_at:
            ended[self.call(may_probe=may_probe)] += 1
            self.now += pause_s
        return ended
