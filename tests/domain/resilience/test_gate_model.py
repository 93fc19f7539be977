"""The gate against a list of everybody who waits, in any order of what can happen to it."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.domain.resilience.gate import Evicted, Full, Gate, GateRules
from gateway.domain.resilience.limiter import ConcurrencyLimit, LimitRules
from gateway.domain.resilience.priority import Priority

WAITERS_MAX = 6
SLOTS_MAX = 22

priorities = st.sampled_from(Priority)
tenants = st.sampled_from(["a", "b", "c"])


class Waiter(NamedTuple):
    number: int
    priority: Priority
    tenant: str


class GateModel(RuleBasedStateMachine):
    """Everybody is told by the shell's rules: after each call that ended, ``grant`` until None."""

    def __init__(self) -> None:
        super().__init__()
        self.limit = ConcurrencyLimit(LimitRules(ceiling=6))
        self.gate = Gate(GateRules(slots_max=SLOTS_MAX, waiters_max=WAITERS_MAX), self.limit)
        self.holders: list[str] = []  # one tenant's name per slot
        self.line: list[Waiter] = []
        self.number = 0

    @property
    def slots(self) -> int:
        return min(self.limit.limit, SLOTS_MAX)

    def cap(self, priority: Priority) -> int:
        """Return how many slots may be in use for one more of *priority* to enter, and that one."""
        kept = {Priority.HIGH: 0, Priority.NORMAL: 5, Priority.LOW: 20}[priority]
        return self.slots - self.slots * kept // 100  # whole slots only

    def greed(self, tenant: str, priority: Priority) -> int:
        waiting = sum(each.tenant == tenant and each.priority is priority for each in self.line)
        return self.holders.count(tenant) + waiting

    def next_waiter(self) -> Waiter | None:
        if not self.line:
            return None
        first = min(self.line, key=lambda each: (each.priority, self.holders.count(each.tenant), each.number))
        return first if len(self.holders) < self.cap(first.priority) else None

    def victim_for(self, priority: Priority, tenant: str) -> Waiter | None:
        lowest = max(each.priority for each in self.line)
        if lowest < priority:
            return None
        of_class = [each for each in self.line if each.priority is lowest]
        victim = max(of_class, key=lambda each: (self.greed(each.tenant, lowest), each.number))
        if lowest is priority and self.greed(tenant, priority) + 1 >= self.greed(victim.tenant, priority):
            return None
        return victim

    def take_grant(self, ticket: object) -> None:
        """A ticket that comes out is the one that the model says, and holds a slot."""
        expected = self.next_waiter()
        assert ticket == expected
        if expected is not None:
            self.line.remove(expected)
            self.holders.append(expected.tenant)

    @rule(priority=priorities, tenant=tenants)
    def crowd(self, priority: Priority, tenant: str) -> None:
        for _ in range(SLOTS_MAX):
            self.come(priority, tenant)

    @rule(priority=priorities, tenant=tenants)
    def come(self, priority: Priority, tenant: str) -> None:
        behind = any(each.priority <= priority for each in self.line)
        has_room = len(self.holders) < self.cap(priority) and not behind
        assert self.gate.has_room(priority) is has_room
        assert self.gate.enter(priority, tenant) is has_room
        if has_room:
            self.holders.append(tenant)
            return
        self.number += 1
        waiter = Waiter(self.number, priority, tenant)
        if len(self.line) < WAITERS_MAX:
            assert self.gate.wait(waiter, priority, tenant) is None
        else:
            victim = self.victim_for(priority, tenant)
            answer = self.gate.wait(waiter, priority, tenant)
            assert answer == (Full(WAITERS_MAX) if victim is None else Evicted(victim))
            if victim is None:
                return
            self.line.remove(victim)
        self.line.append(waiter)

    @precondition(lambda self: self.holders)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        tenant = data.draw(st.sampled_from(sorted(set(self.holders))))
        self.holders.remove(tenant)
        self.take_grant(self.gate.leave(tenant))

    @rule()
    def grant(self) -> None:
        self.take_grant(self.gate.grant())

    @precondition(lambda self: self.line)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        waiter = data.draw(st.sampled_from(self.line))
        self.line.remove(waiter)
        assert self.gate.withdraw(waiter)
        assert not self.gate.withdraw(waiter)

    @rule(limit=st.integers(1, 8) | st.integers(18, 25))
    def change_limit(self, limit: int) -> None:
        self.limit.limit = limit

    @rule()
    def stop(self) -> None:
        told = self.gate.dismiss()
        assert sorted(told) == sorted(self.line)  # type: ignore[type-var]
        self.line.clear()

    @invariant()
    def the_books_agree(self) -> None:
        assert self.gate.in_flight == len(self.holders)
        assert self.gate.waiting == len(self.line) <= WAITERS_MAX

    @invariant()
    def nobody_waits_beside_a_slot_that_nobody_uses(self) -> None:
        """With no call under way nothing would ever wake a waiter."""
        if not self.holders and self.line:
            assert self.next_waiter() is not None

    def teardown(self) -> None:
        """Whatever happened, in the end every slot is free and everybody was served."""
        while self.holders:
            tenant = self.holders.pop()
            self.take_grant(self.gate.leave(tenant))
        assert (self.gate.in_flight, self.gate.waiting) == (0, 0)


TestGate = GateModel.TestCase
