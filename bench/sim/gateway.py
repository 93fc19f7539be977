"""A gateway of the simulation: the way of a call through the real rules, without sockets.

Budget, choice, gate, permit, attempt, settle, retry: in the order and with the arguments of the shells in
``gateway/rpc`` (backend, exchange, member, retries).  All calls are idempotent, which is the worst for storms.  Absent:
hedges, hints from other processes, tenants, and connections.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf

from bench.sim.endpoint import Endpoint, Outcome
from bench.sim.plan import Rules
from bench.sim.timeline import Timeline
from gateway.domain.resilience.balance import Balancer, Kind
from gateway.domain.resilience.budget import RetryBudget
from gateway.domain.resilience.gate import Evicted, Full, Gate
from gateway.domain.resilience.health import Cause, Health, Permit, Refused, Verdict
from gateway.domain.resilience.limiter import ConcurrencyLimit
from gateway.domain.resilience.member_state import MemberState
from gateway.domain.resilience.priority import Priority
from gateway.domain.resilience.retry import Ending, Retry, decide

__all__ = ["Call", "Gateway", "Member"]

#: What an attempt's outcome says of the endpoint, and to the decision on a retry.
_JUDGEMENTS = {
    Outcome.BUSY: (Cause.CALL, Ending("answered", 503)),
    Outcome.REFUSED: (Cause.CONNECT, Ending("never")),
    Outcome.LOST: (Cause.CALL, Ending("maybe")),
    Outcome.TIMEOUT: (Cause.CALL, Ending("maybe")),
}
_REFUSED_HERE = Ending("never", by_us=True)


class Member(MemberState):
    """What a gateway keeps of an endpoint."""

    __slots__ = ("endpoint", "limit")

    def __init__(self, endpoint: Endpoint, rules: Rules) -> None:
        self.endpoint = endpoint
        self.limit = ConcurrencyLimit(rules.limit)
        super().__init__(Health(rules.health), Gate(rules.gate, self.limit))


class Call:
    """One call of a user, and the attempt that it is at."""

    __slots__ = (
        "attempt", "began_at", "expires_at", "member", "permit", "priority", "sent_at", "spared", "tried", "waits",
        "was_slow",
    )  # fmt: skip

    def __init__(self, now: float, priority: Priority, deadline_s: float) -> None:
        self.began_at = now
        self.expires_at = now + deadline_s
        self.priority = priority
        self.attempt = 0
        self.tried = 0
        self.member: Member | None = None
        self.permit: Permit | None = None
        self.sent_at = -inf  # -inf while no attempt is under way
        self.spared = False
        self.waits = False
        self.was_slow = False


class Gateway:
    """One process that makes calls.  *done* hears of each call's end."""

    def __init__(
        self,
        endpoints: list[Endpoint],
        rules: Rules,
        timeline: Timeline,
        draw: Callable[[], float],
        done: Callable[[Call, bool], None],
    ) -> None:
        self.members = [Member(endpoint, rules) for endpoint in endpoints]
        self._balancer = Balancer(self.members, rules.balance, draw)
        self.budget = RetryBudget(rules.retry_ratio, rules.retry_per_s)
        self._rules = rules
        self._timeline = timeline
        self._draw = draw
        self._done = done
        self._watched: deque[tuple[float, Call]] = deque()
        self.calls = 0
        self.attempts = 0
        self.retries = 0
        self.good = 0

    def begin(self, priority: Priority) -> None:
        """Begin a call."""
        now = self._timeline.now
        self.calls += 1
        self.budget.deposit(now)
        self._attempt(Call(now, priority, self._rules.deadline_s))

    def look(self, probes: bool) -> None:
        """Do what a gateway does beside its calls: note those that have become slow, and send active probes."""
        now = self._timeline.now
        watched = self._watched
        while watched and watched[0][0] < now - self._rules.slow_s:
            sent_at, call = watched.popleft()
            if call.sent_at != sent_at:
                continue
            call.was_slow = True
            if call.permit is not None and call.member is not None:
                call.member.health.note_slow(call.permit, now, self._draw())
        if probes:
            for member in self.members:
                member.health.probed(member.endpoint.answers_probe(), now, self._draw())

    def _attempt(self, call: Call) -> None:
        now = self._timeline.now
        call.attempt += 1
        choice = self._balancer.choose(now, call.tried, True)
        if choice is None:
            self._failed(call, _REFUSED_HERE)
            return
        member = call.member = self.members[choice.index]
        call.tried |= 1 << choice.index
        call.spared = choice.kind is Kind.SPARED
        if choice.kind is Kind.PANIC:
            member.health.cool(now, "panic")
        if member.gate.enter(call.priority, ""):
            self._send(call, member)
        else:
            self._wait(call, member)

    def _wait(self, call: Call, member: Member) -> None:
        answer = member.gate.wait(call, call.priority, "")
        if isinstance(answer, Full):
            self._turned_away(call)
            return
        call.waits = True
        now = self._timeline.now
        wait_s = min(self._rules.wait_s, (call.expires_at - now) / 2)
        self._timeline.at(now + wait_s, self._waited_out, (call, call.attempt))
        if isinstance(answer, Evicted):
            assert isinstance(answer.ticket, Call)
            self._turned_away(answer.ticket)

    def _waited_out(self, waiter: tuple[Call, int]) -> None:
        call, attempt = waiter
        if call.waits and call.attempt == attempt:
            assert call.member is not None
            call.member.gate.withdraw(call)
            self._turned_away(call)

    def _turned_away(self, call: Call) -> None:
        call.waits = False
        self._failed(call, _REFUSED_HERE)

    def _send(self, call: Call, member: Member) -> None:
        """Use the slot that *call* has."""
        now = self._timeline.now
        call.waits = call.was_slow = False
        call.permit = None
        if not call.spared:
            permit = member.health.admit(now, call.expires_at - now)
            if isinstance(permit, Refused):
                self._leave(member)
                self._failed(call, _REFUSED_HERE)
                return
            call.permit = permit
        call.sent_at = now
        self.attempts += 1
        ends_at, outcome = member.endpoint.arrive(now)
        patience = min(now + self._rules.attempt_s, call.expires_at)
        if ends_at > patience:
            ends_at, outcome = patience, Outcome.TIMEOUT
        self._watched.append((now, call))
        self._timeline.at(ends_at, self._end, (call, outcome))

    def _end(self, ended: tuple[Call, Outcome]) -> None:
        call, outcome = ended
        member, now = call.member, self._timeline.now
        assert member is not None
        took_s = now - call.sent_at
        if outcome is Outcome.OK and member.endpoint.broke_at >= call.sent_at:
            outcome = Outcome.LOST
        call_was_ok = outcome is Outcome.OK
        call.sent_at = -inf
        if call_was_ok:
            member.limit.sample(now, took_s, member.gate.in_flight)
            member.latency.observe(now, took_s)
            if call.permit is not None:
                member.health.settle(call.permit, Verdict.OK, now, 0.0, Cause.CALL, call.was_slow)
        else:
            if outcome is Outcome.TIMEOUT:
                member.limit.give_up(now, took_s, member.gate.in_flight)
            elif outcome is Outcome.BUSY:
                member.limit.drop(now, took_s, member.gate.in_flight)
            member.latency.failed(now, took_s)
            if call.permit is not None and (outcome is not Outcome.TIMEOUT or took_s >= self._rules.patience_s):
                cause = _JUDGEMENTS[outcome][0]
                member.health.settle(call.permit, Verdict.FAILED, now, self._draw(), cause, call.was_slow)
            elif call.permit is not None:
                member.health.settle(call.permit, Verdict.IGNORED, now)
        self._leave(member)
        if call_was_ok:
            self.good += 1
            self._done(call, True)
        else:
            self._failed(call, _JUDGEMENTS[outcome][1])

    def _leave(self, member: Member) -> None:
        granted = member.gate.leave("")
        while granted is not None:
            assert isinstance(granted, Call)
            self._send(granted, member)
            granted = member.gate.grant()

    def _failed(self, call: Call, ending: Ending) -> None:
        now = self._timeline.now
        others_left = self._balancer.others_left(call.tried)
        left_s = call.expires_at - now
        rules = self._rules.retry
        decision = decide(ending, call.attempt, True, left_s, self._draw(), rules, others_left)
        if not isinstance(decision, Retry) or not self.budget.withdraw(now):
            self._done(call, False)
            return
        self.retries += 1
        if decision.after_s > 0:
            self._timeline.at(now + decision.after_s, self._attempt, call)
        else:
            self._attempt(call)

    def taking(self) -> set[int]:
        """Return the members that take calls, and not only probes."""
        return {index for index, member in enumerate(self.members) if member.ready} | set(self._balancer.spared())
