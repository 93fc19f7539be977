"""The pool's rules, with wires that a test opens and closes, and a clock that it moves."""

from __future__ import annotations

from collections.abc import Callable

import gevent
import pytest
from gevent.pool import Group

from gateway.domain.deadline import Deadline
from gateway.rpc.connection import Connection
from gateway.rpc.errors import CallRefused, CallTimeout, ConnectFailed
from gateway.rpc.pool import Pool
from gateway.rpc.timeouts import Budget, Timeouts
from gateway.settings.rpc import RpcSettings
from tests.rpc.peer import OK


class IdleWire:
    """A wire on which nothing is sent."""

    def __init__(self) -> None:
        self.written = 0
        self.quiet = True
        self.closed = 0

    def write(self, data: bytes, wait_s: Callable[[], float]) -> None: ...

    def read(self, size_bytes: int, wait_s: float) -> bytes:
        return b""

    def is_quiet(self) -> bool:
        return self.quiet

    def abort(self) -> None: ...

    def close(self) -> None:
        self.closed += 1


class House:
    """A pool, its clock, and every connection that it opened."""

    def __init__(self, **changes: float) -> None:
        self.settings = RpcSettings(**{"connections_max": 2, "waiters_max": 2} | changes)
        self.now = 0.0
        self.opened: list[Connection] = []
        self.closings: list[str] = []
        self.fail_with: BaseException | None = None
        self.pool = Pool("peer", self.settings, self._open, clock=self._clock, on_close=self.closings.append)

    def _clock(self) -> float:
        return self.now

    def _open(self, budget: Budget) -> Connection:
        gevent.sleep(0)  # as a real one, it lets others run
        if self.fail_with is not None:
            raise self.fail_with
        self.opened.append(
            Connection(IdleWire(), header_bytes_max=1000, recv_bytes=1000, expires_at=self.now + 300)
        )
        return self.opened[-1]

    def acquire(self, deadline_s: float = 100.0) -> Connection:
        timeouts = Timeouts.of(self.settings)
        return self.pool.acquire(Budget(timeouts, Deadline.after(deadline_s, now=self.now), self._clock))

    def release(self, connection: Connection) -> None:
        """Give *connection* back after a call that ended well."""
        connection.reader.begin(bodiless=False, body_bytes_max=10)
        connection.reader.feed(OK)
        self.pool.release(connection)

    def number(self, connection: Connection) -> int:
        return self.opened.index(connection)


def wire(connection: Connection) -> IdleWire:
    assert isinstance(connection.wire, IdleWire)
    return connection.wire


def test_the_connection_used_last_is_used_next() -> None:
    house = House(connections_max=3)
    first, second, third = house.acquire(), house.acquire(), house.acquire()
    for connection in (second, third, first):
        house.release(connection)

    assert [house.acquire() for _ in range(3)] == [first, third, second]
    assert len(house.opened) == 3


def test_it_tells_its_books() -> None:
    house = House()
    kept = house.acquire()
    house.release(house.acquire())

    assert repr(house.pool) == "<Pool peer: 1 busy, 1 idle of 2, 0 waiting of 2>"
    house.pool.discard(kept)
    assert (house.pool.busy, house.pool.idle) == (0, 1)


@pytest.mark.parametrize(
    ("age_s", "quiet", "reason"),
    [(2.9, True, None), (3.0, True, "idle"), (0.0, False, "stale")],
)
def test_an_idle_connection_is_used_only_while_it_is_fresh_and_quiet(
    age_s: float, quiet: bool, reason: str | None
) -> None:
    house = House()
    old = house.acquire()
    house.release(old)
    wire(old).quiet = quiet
    house.now = age_s

    assert (house.acquire() is old) is (reason is None)
    assert house.closings == ([reason] if reason else [])
    assert wire(old).closed == (1 if reason else 0)


def test_a_connection_past_its_age_is_not_used_again_however_busy() -> None:
    house = House(idle_max_s=1000)
    resting, busy = house.acquire(), house.acquire()
    house.release(resting)
    house.now = 300.0
    house.release(busy)

    assert house.acquire() not in (resting, busy)
    assert sorted(house.closings) == ["age", "used_up"]


def test_a_sweep_closes_what_lay_idle_too_long_and_nothing_else() -> None:
    house = House()
    early, late = house.acquire(), house.acquire()
    house.release(early)
    house.now = 2.0
    house.release(late)
    house.now = 3.5

    assert house.pool.sweep() == 1
    assert (wire(early).closed, wire(late).closed) == (1, 0)


def test_there_are_never_more_connections_than_the_setting_allows() -> None:
    """Also while connections are being opened, which takes time."""
    house, group = House(connections_max=4, waiters_max=100, pool_wait_s=5), Group()
    most = [0]

    def use() -> None:
        connection = house.acquire()
        most[0] = max(most[0], house.pool.busy + house.pool.idle)
        gevent.sleep(0)
        house.release(connection)

    for _ in range(60):
        group.spawn(use)
    group.join(timeout=5, raise_error=True)

    assert most == [4]
    assert len(house.opened) == 4
    assert repr(house.pool) == "<Pool peer: 0 busy, 4 idle of 4, 0 waiting of 100>"


def test_those_who_wait_are_served_in_order_and_late_comers_do_not_overtake() -> None:
    house, served = House(connections_max=1, waiters_max=10, pool_wait_s=5), []
    held = house.acquire()

    def use(name: str) -> None:
        connection = house.acquire()
        served.append(name)
        if name == "first":
            gevent.spawn(use, "late")
        gevent.sleep(0)
        house.release(connection)

    calls = [gevent.spawn(use, name) for name in ("first", "second", "third")]
    gevent.idle()
    house.release(held)
    gevent.joinall(calls, timeout=5, raise_error=True)
    gevent.idle()

    assert served == ["first", "second", "third", "late"]


def test_one_waiter_too_many_is_refused_at_once_and_told_which_setting_to_change() -> None:
    house = House(connections_max=1, waiters_max=2, pool_wait_s=60)
    held = house.acquire()
    waiting = [gevent.spawn(house.acquire) for _ in range(2)]
    gevent.idle()
    with pytest.raises(CallRefused, match=r"rpc\.waiters_max") as caught:
        house.acquire()

    assert (caught.value.reason, caught.value.sent, caught.value.status) == ("pool_full", "never", 503)
    gevent.killall(waiting)
    house.release(held)
    assert repr(house.pool) == "<Pool peer: 0 busy, 1 idle of 1, 0 waiting of 2>"


def test_a_wait_ends_at_its_setting() -> None:
    house = House(connections_max=1, pool_wait_s=0.02)
    house.acquire()
    with pytest.raises(CallRefused, match=r"rpc\.pool_wait_s") as caught:
        house.acquire()

    assert (caught.value.reason, caught.value.retry_after_s) == ("pool_wait", 1.0)
    assert repr(house.pool) == "<Pool peer: 1 busy, 0 idle of 1, 0 waiting of 2>"


def test_a_wait_ends_at_the_callers_deadline_which_is_not_the_pools_fault() -> None:
    house = House(connections_max=1, pool_wait_s=60)
    house.acquire()

    def pass_time() -> None:
        house.now = 0.03

    gevent.spawn(pass_time)
    with pytest.raises(CallTimeout) as caught:
        house.acquire(deadline_s=0.02)
    assert (caught.value.by_deadline, caught.value.sent) == (True, "never")


def test_a_connection_that_died_on_its_way_to_a_waiter_is_replaced() -> None:
    house = House(connections_max=1, pool_wait_s=5)
    held = house.acquire()
    waiter = gevent.spawn(house.acquire)
    gevent.idle()
    wire(held).quiet = False
    house.release(held)

    assert waiter.get(timeout=5) is not held
    assert (house.pool.busy, wire(held).closed) == (1, 1)


@pytest.mark.parametrize("error", [ConnectFailed("refused", reason="refused"), gevent.GreenletExit()])
def test_a_failed_opening_serves_the_next_waiter(error: BaseException) -> None:
    house = House(connections_max=1, pool_wait_s=60)
    house.fail_with = error
    calls = [gevent.spawn(house.acquire) for _ in range(3)]
    gevent.joinall(calls, timeout=5)
    house.fail_with = None

    assert all(call.ready() for call in calls), "a permit that came free did not reach those who wait"
    assert repr(house.pool) == "<Pool peer: 0 busy, 0 idle of 1, 0 waiting of 2>"
    assert house.acquire() is house.opened[0]


def test_a_destroyed_connection_leaves_its_permit_to_the_next_waiter() -> None:
    house = House(connections_max=1, pool_wait_s=60)
    held = house.acquire()
    waiter = gevent.spawn(house.acquire)
    gevent.idle()
    house.pool.discard(held)

    assert waiter.get(timeout=5) is house.opened[1]
    assert house.pool.busy == 1


def test_a_failed_replacement_gives_the_permit_back() -> None:
    house = House(connections_max=1)
    stale = house.acquire()
    house.fail_with = ConnectFailed("refused", reason="refused")
    budget = Budget(Timeouts.of(house.settings), Deadline(100.0), lambda: 0.0)
    with pytest.raises(ConnectFailed):
        house.pool.replace(stale, budget)

    assert (house.pool.busy, wire(stale).closed) == (0, 1)


def test_stop_closes_what_is_idle_sends_waiters_away_and_takes_nothing_back() -> None:
    house = House(connections_max=2, pool_wait_s=60)
    busy, idle = house.acquire(), house.acquire()
    house.release(idle)
    house.acquire()
    waiter = gevent.spawn(house.acquire)
    gevent.idle()
    house.pool.stop()
    house.pool.stop()

    with pytest.raises(CallRefused, match="stopped"):
        waiter.get(timeout=5)
    with pytest.raises(CallRefused, match="stopped"):
        house.acquire()
    house.release(busy)
    assert (wire(busy).closed, house.pool.idle) == (1, 0)


def test_a_connection_opened_while_the_pool_stopped_is_closed() -> None:
    house = House()
    call = gevent.spawn(house.acquire)
    gevent.sleep(0)  # it has its permit and is opening
    house.pool.stop()

    with pytest.raises(CallRefused, match="stopped"):
        call.get(timeout=5)
    assert (house.pool.busy, wire(house.opened[0]).closed) == (0, 1)


def test_ten_thousand_waiters_come_and_go_in_no_time() -> None:
    """Leaving from the middle of the queue is O(1): httpcore's pool was quadratic here."""
    house = House(connections_max=1, waiters_max=20_000, pool_wait_s=60)
    house.acquire()
    waiting = [gevent.spawn(house.acquire) for _ in range(10_000)]
    gevent.idle()
    with gevent.Timeout(5):
        gevent.killall(waiting[::2])
        gevent.killall(waiting)

    assert repr(house.pool) == "<Pool peer: 1 busy, 0 idle of 1, 0 waiting of 20000>"
