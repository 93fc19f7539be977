"""A member's slots: who waits, how long, and who gets what comes free."""

from __future__ import annotations

import time

import gevent
import pytest
from gevent.pool import Group

from gateway.domain.resilience.balance import Balancer, BalanceRules
from gateway.domain.resilience.priority import Priority
from gateway.rpc.address import parse_base_url
from gateway.rpc.breaker import Breaker
from gateway.rpc.errors import CallRefused
from gateway.rpc.member import Member
from tests.rpc.idle import House

HIGH, NORMAL, LOW = Priority


class Slots(House):
    """A member and those who use it."""

    def __init__(self, slots_max: int, **changes: float) -> None:
        super().__init__(**{"waiters_max": 2, "pool_wait_s": 60.0} | changes)
        breaker = Breaker("peer", self.settings, clock=self.clock, draw=lambda: 0.0)
        self.member = Member(
            "peer",
            parse_base_url("http://peer"),
            self.settings,
            slots_max=slots_max,
            slow_s=5.0,
            pool=self.pool,
            breaker=breaker,
            is_compared=False,
        )

    def enter(self, priority: Priority = HIGH, tenant: str = "", deadline_s: float = 100.0) -> None:
        # As an exchange does.
        if self.member.stopped or not self.member.gate.enter(priority, tenant):
            self.member.wait(self.budget(deadline_s), priority, tenant)

    def spawn(self, priority: Priority = HIGH) -> gevent.Greenlet[[], None]:
        """Let a greenlet of its own take a slot; it waits when this returns, if it has to."""
        call = gevent.spawn(self.enter, priority)
        gevent.idle()
        return call

    @property
    def books(self) -> tuple[int, int]:
        """In flight and waiting."""
        return self.member.gate.in_flight, self.member.gate.waiting


def test_there_are_never_more_calls_than_slots() -> None:
    slots, group, most = Slots(4, waiters_max=100), Group(), [0]

    def use() -> None:
        slots.enter()
        most[0] = max(most[0], slots.member.gate.in_flight)
        gevent.sleep(0)
        slots.member.leave("")

    for _ in range(60):
        group.spawn(use)
    group.join(timeout=5, raise_error=True)

    assert (most, slots.books) == ([4], (0, 0))


def test_those_who_wait_are_served_in_order_and_late_comers_do_not_overtake() -> None:
    slots, served = Slots(1, waiters_max=10), []
    slots.enter()

    def use(name: str) -> None:
        slots.enter()
        served.append(name)
        if name == "first":
            gevent.spawn(use, "late")
        gevent.sleep(0)
        slots.member.leave("")

    calls = [gevent.spawn(use, name) for name in ("first", "second", "third")]
    gevent.idle()
    slots.member.leave("")
    gevent.joinall(calls, timeout=5, raise_error=True)
    gevent.idle()

    assert served == ["first", "second", "third", "late"]


def test_one_waiter_too_many_is_refused_at_once_and_told_which_setting_to_change() -> None:
    slots = Slots(1)
    slots.enter()
    waiting = [slots.spawn() for _ in range(2)]
    with pytest.raises(CallRefused, match=r"rpc\.connections_max.*rpc\.waiters_max") as caught:
        slots.enter()

    assert (caught.value.reason, caught.value.sent, caught.value.status) == ("pool_full", "never", 503)
    gevent.killall(waiting)
    assert slots.books == (1, 0)


def test_who_matters_more_takes_the_place_of_who_matters_less() -> None:
    slots = Slots(1, waiters_max=1)
    slots.enter()
    shed = slots.spawn(LOW)
    kept = slots.spawn(NORMAL)

    with pytest.raises(CallRefused, match="matter more") as caught:
        shed.get(timeout=5)
    assert (caught.value.reason, slots.books) == ("shed", (1, 1))
    slots.member.leave("")
    kept.get(timeout=5)


def test_a_wait_ends_at_its_setting() -> None:
    slots = Slots(1, pool_wait_s=0.02)
    slots.enter()
    with pytest.raises(CallRefused, match=r"rpc\.pool_wait_s") as caught:
        slots.enter()

    assert (caught.value.reason, caught.value.retry_after_s, slots.books) == ("pool_wait", 1.0, (1, 0))


def test_a_wait_leaves_its_caller_half_of_the_time_to_be_answered() -> None:
    """In an overload all wait; were they let in at their deadline, none of them would be answered."""
    slots = Slots(1)
    slots.enter()
    began_at = time.monotonic()
    with pytest.raises(CallRefused) as caught:
        slots.enter(deadline_s=1.0)

    assert 0.45 < time.monotonic() - began_at < 0.95
    assert (caught.value.reason, slots.books) == ("pool_wait", (1, 0))


def test_a_slot_granted_to_a_killed_waiter_goes_on_to_the_next() -> None:
    slots = Slots(1)
    slots.enter()
    killed, next_one = slots.spawn(), slots.spawn()
    killed.kill(block=False)  # takes effect in the loop's next turn, before the wake-up
    slots.member.leave("")

    next_one.get(timeout=5)
    assert slots.books == (1, 0)


def test_stop_sends_waiters_away_and_lets_nobody_in() -> None:
    slots = Slots(1)
    slots.enter()
    waiter = slots.spawn()
    slots.member.stop()
    slots.member.stop()

    for entering in (waiter, slots.spawn()):
        with pytest.raises(CallRefused, match="stopped"):
            entering.get(timeout=5)
    slots.member.leave("")
    assert slots.books == (0, 0)


@pytest.mark.parametrize("draw", [0.0, 0.99])
def test_a_line_is_part_of_what_a_member_costs(draw: float) -> None:
    """Where all slots are taken the shorter line is chosen: those under way are as many at each."""
    long, short = Slots(2), Slots(2)
    for slots in (long, short):
        slots.enter()
        slots.enter()
    waiting = [long.spawn(), long.spawn(), short.spawn()]
    balancer = Balancer([long.member, short.member], BalanceRules(), lambda: draw)

    assert (long.member.in_flight, short.member.in_flight) == (4, 3)
    choice = balancer.choose(0.0, 0, False)
    assert choice is not None
    assert choice.index == 1
    gevent.killall(waiting)


def test_ten_thousand_waiters_come_and_go_in_no_time() -> None:
    """Leaving from the middle of the line is cheap: httpcore's pool was quadratic here."""
    slots = Slots(1, waiters_max=20_000)
    slots.enter()
    waiting = [gevent.spawn(slots.enter) for _ in range(10_000)]
    gevent.idle()
    with gevent.Timeout(5):
        gevent.killall(waiting[::2])
        gevent.killall(waiting)

    assert slots.books == (1, 0)
