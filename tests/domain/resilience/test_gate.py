"""The gate's rules, one by one."""

from __future__ import annotations

import tracemalloc
from collections import deque

import pytest

from gateway.domain.resilience.gate import Evicted, Full, Gate, GateRules
from gateway.domain.resilience.limiter import ConcurrencyLimit, LimitRules
from gateway.domain.resilience.priority import Priority

HIGH, NORMAL, LOW = Priority


def gate_of(limit: int, *, waiters_max: int = 4, slots_max: int = 1_000) -> Gate:
    """Return a gate with a limit of *limit*."""
    return Gate(
        GateRules(slots_max=slots_max, waiters_max=waiters_max), ConcurrencyLimit(LimitRules(ceiling=limit))
    )


def fill(gate: Gate, priority: Priority, tenant: str = "filler") -> int:
    """Enter until the gate says no; return how often it said yes."""
    entered = 0
    while gate.enter(priority, tenant):
        entered += 1
    return entered


@pytest.mark.parametrize(
    ("limit", "low", "normal"),
    [(1, 1, 1), (2, 2, 2), (4, 4, 4), (5, 4, 5), (10, 8, 10), (19, 16, 19), (20, 16, 19), (100, 80, 95)],
)
def test_each_priority_may_fill_its_share(limit: int, low: int, normal: int) -> None:
    """Something is kept for who matters more, in whole slots."""
    gate = gate_of(limit)

    filled = [fill(gate, LOW), fill(gate, NORMAL), fill(gate, HIGH)]

    assert filled == [low, normal - low, limit - normal]


def test_the_hard_bound_holds_whatever_the_limit_says() -> None:
    assert fill(gate_of(100, slots_max=7), HIGH) == 7


def test_a_slot_given_back_goes_to_the_highest_priority_that_waits() -> None:
    gate = gate_of(1)
    gate.enter(NORMAL, "a")
    for ticket, priority in (("low", LOW), ("normal", NORMAL), ("high", HIGH)):
        assert not gate.enter(priority, "a")
        assert gate.wait(ticket, priority, "a") is None

    assert [gate.leave("a") for _ in range(4)] == ["high", "normal", "low", None]
    assert gate.in_flight == 0


def test_the_tenant_with_the_fewest_slots_is_next_then_who_waits_longest() -> None:
    gate = gate_of(6, waiters_max=10)
    for _ in range(5):
        gate.enter(HIGH, "greedy")
    gate.enter(HIGH, "modest")
    for ticket, tenant in {"g1": "greedy", "g2": "greedy", "m1": "modest", "n1": "new", "n2": "new"}.items():
        gate.wait(ticket, HIGH, tenant)

    # In use, greedy, modest, new: 4 1 0, then 3 1 1, then 2 2 1, then 1 2 2.
    assert [gate.leave("greedy") for _ in range(4)] == ["n1", "m1", "n2", "g1"]


def test_a_newcomer_overtakes_nobody_of_its_class_or_a_higher_one() -> None:
    """There is room again, but it belongs to who waits, though nobody has told them yet."""
    gate = gate_of(20)
    fill(gate, NORMAL)
    gate.wait("first", NORMAL, "a")
    gate.enter(HIGH, "h")
    assert gate.leave("h") is None  # NORMAL's share is still full

    assert not gate.enter(NORMAL, "b")
    assert not gate.enter(LOW, "b")
    assert gate.enter(HIGH, "b")


def test_a_full_line_puts_out_the_youngest_of_the_lowest_class() -> None:
    gate = gate_of(1, waiters_max=3)
    gate.enter(HIGH, "x")
    for ticket, priority, tenant in (("l1", LOW, "a"), ("l2", LOW, "a"), ("n1", NORMAL, "a")):
        gate.wait(ticket, priority, tenant)

    assert gate.wait("h1", HIGH, "a") == Evicted("l2")
    assert gate.wait("n2", NORMAL, "a") == Evicted("l1")
    assert gate.wait("n3", NORMAL, "a") == Full(3)
    assert gate.wait("l3", LOW, "z") == Full(3)
    assert gate.wait("h2", HIGH, "a") == Evicted("n2")


def test_of_one_class_the_greediest_tenant_makes_room_until_all_have_much_the_same() -> None:
    gate = gate_of(1, waiters_max=4)
    gate.enter(HIGH, "greedy")
    for number in range(4):
        gate.wait(f"g{number}", HIGH, "greedy")

    assert gate.wait("m0", HIGH, "modest") == Evicted("g3")
    assert gate.wait("m1", HIGH, "modest") == Evicted("g2")
    # Three calls against two: nobody is put out for the sake of turning them round.
    assert gate.wait("m2", HIGH, "modest") == Full(4)
    assert gate.wait("g4", HIGH, "greedy") == Full(4)


def test_who_left_the_line_gets_nothing() -> None:
    gate = gate_of(1)
    gate.enter(HIGH, "a")
    for ticket in ("t1", "t2"):
        gate.wait(ticket, HIGH, "a")

    assert gate.withdraw("t1")
    assert not gate.withdraw("t1")
    assert gate.leave("a") == "t2"
    assert not gate.withdraw("t2")  # it has a slot, to be given back
    assert gate.leave("a") is None
    assert (gate.in_flight, gate.waiting) == (0, 0)


def test_what_is_not_in_use_cannot_be_given_back() -> None:
    gate = gate_of(2)
    gate.enter(HIGH, "a")

    with pytest.raises(KeyError):
        gate.leave("b")
    assert gate.in_flight == 1


def test_a_ticket_waits_once() -> None:
    gate = gate_of(1, waiters_max=1)
    gate.enter(HIGH, "a")
    gate.wait("t", LOW, "a")

    with pytest.raises(ValueError, match="waits already"):
        gate.wait("t", HIGH, "a")
    assert (gate.waiting, gate.leave("a")) == (1, "t")


def test_an_end_tells_everybody() -> None:
    gate = gate_of(1)
    gate.enter(HIGH, "a")
    for ticket, priority in (("t1", LOW), ("t2", HIGH)):
        gate.wait(ticket, priority, "a")

    assert sorted(map(str, gate.dismiss())) == ["t1", "t2"]
    assert gate.leave("a") is None
    assert gate.waiting == 0


def test_a_long_steady_crowd_is_served_evenly_in_bounded_memory() -> None:
    """One tenant has always fifty calls waiting, nine have one each, and all get what is theirs, in order."""
    gate = gate_of(20, waiters_max=100)
    fill(gate, HIGH, "greedy")
    came: dict[str, int] = dict.fromkeys(["greedy", *"abcdefghi"], 0)
    served = dict.fromkeys(came, 0)
    running = deque(["greedy"] * 20)

    def come(tenant: str) -> None:
        assert gate.wait((tenant, came[tenant]), HIGH, tenant) is None
        came[tenant] += 1

    for tenant in came:
        for _ in range(50 if tenant == "greedy" else 3):
            come(tenant)
    tracemalloc.start()
    for round_ in range(3_000):
        ticket = gate.leave(running.popleft())
        assert isinstance(ticket, tuple)
        tenant, number = ticket
        assert number == served[tenant]
        served[tenant] += 1
        running.append(tenant)
        come(tenant)
        if round_ == 1_000:
            before, _ = tracemalloc.get_traced_memory()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert max(served.values()) - min(served.values()) <= 5
    assert after - before < 10_000


def test_of_tenants_that_came_once_nothing_is_kept() -> None:
    gate = gate_of(2)
    gate.enter(HIGH, "there")
    tracemalloc.start()
    for number in range(2_000):
        gate.enter(HIGH, f"tenant {number}")
        gate.wait(number, LOW, f"tenant {number + 1_000_000}")
        gate.withdraw(number)
        gate.leave(f"tenant {number}")
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert kept < 30_000


def test_it_tells_what_it_is() -> None:
    gate = gate_of(2)
    fill(gate, HIGH)
    gate.wait("t", LOW, "a")

    assert repr(gate) == "<Gate 2 in flight, limit 2 of 1000; 1 waiting of 4: 0 high, 0 normal, 1 low>"
