"""The pool's rules, with wires that a test opens and closes, and a clock that it moves."""

from __future__ import annotations

import gevent
import pytest

from gateway.rpc.errors import CallRefused, ConnectFailed
from tests.rpc.idle import House, wire


def test_the_connection_used_last_is_used_next() -> None:
    house = House()
    first, second, third = house.acquire(), house.acquire(), house.acquire()
    for connection in (second, third, first):
        house.release(connection)

    assert [house.acquire() for _ in range(3)] == [first, third, second]
    assert len(house.opener.opened) == 3


def test_it_tells_its_books() -> None:
    house = House()
    kept = house.acquire()
    house.release(house.acquire())

    assert repr(house.pool) == "<Pool: 1 busy, 1 idle>"
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


def test_the_kernel_is_asked_before_each_use() -> None:
    """A close that the loop has not seen yet: nothing must be written into it."""
    house = House()
    old = house.acquire()
    house.release(old)
    wire(old).alive = False

    assert house.acquire() is not old
    assert house.closings == ["stale"]


def test_a_connection_past_its_age_is_not_used_again_however_busy() -> None:
    house = House(idle_max_s=1000)
    resting, busy = house.acquire(), house.acquire()
    house.release(resting)
    house.now = 300.0
    house.release(busy)

    assert house.acquire() not in (resting, busy)
    assert sorted(house.closings) == ["age", "used_up"]


@pytest.mark.parametrize(("current", "used"), [({"10.0.0.1", "10.0.0.2"}, True), ({"10.0.0.2"}, False)])
def test_a_connection_to_an_address_that_the_name_no_longer_has_is_not_used(current: set[str], used: bool) -> None:
    house = House()
    old = house.acquire()
    house.release(old)
    house.opener.generation, house.opener.current = 1, current

    assert (house.acquire() is old) is used
    assert house.closings == ([] if used else ["moved"])


def test_a_sweep_closes_what_lay_idle_too_long_or_was_closed_and_nothing_else() -> None:
    house = House()
    early, closed, late = house.acquire(), house.acquire(), house.acquire()
    house.release(early)
    house.now = 2.0
    house.release(closed)
    house.release(late)
    wire(closed).quiet = False
    house.now = 3.5

    assert house.pool.sweep() == 1
    assert [wire(each).closed for each in (early, closed, late)] == [1, 1, 0]
    assert house.closings == ["idle", "stale"]


def test_a_replacement_closes_the_others_that_died_with_it() -> None:
    """A server that starts anew closes all its connections: the second attempt must not meet the next dead one."""
    house = House()
    stale, dead, live = house.acquire(), house.acquire(), house.acquire()
    house.release(live)
    house.release(dead)
    wire(dead).alive = False
    new = house.pool.replace(stale, house.budget())

    assert new is house.opener.opened[3]
    assert [wire(each).closed for each in (stale, dead, live)] == [1, 1, 0]


@pytest.mark.parametrize("error", [ConnectFailed("refused", reason="refused"), gevent.GreenletExit()])
def test_a_failed_opening_leaves_nothing_behind(error: BaseException) -> None:
    house = House()
    house.opener.fail_with = error
    with pytest.raises(type(error)):
        house.acquire()

    assert (house.pool.busy, house.pool.idle) == (0, 0)


def test_a_failed_replacement_leaves_nothing_behind() -> None:
    house = House()
    stale = house.acquire()
    house.opener.fail_with = ConnectFailed("refused", reason="refused")
    with pytest.raises(ConnectFailed):
        house.pool.replace(stale, house.budget())

    assert (house.pool.busy, wire(stale).closed) == (0, 1)


def test_stop_closes_what_is_idle_and_takes_nothing_back() -> None:
    house = House()
    busy, idle = house.acquire(), house.acquire()
    house.release(idle)
    house.pool.stop()
    house.pool.stop()

    with pytest.raises(CallRefused, match="stopped"):
        house.acquire()
    house.release(busy)
    assert (wire(busy).closed, wire(idle).closed, house.pool.idle) == (1, 1, 0)


def test_a_connection_opened_while_the_pool_stopped_is_closed() -> None:
    house = House()
    call = gevent.spawn(house.acquire)
    gevent.sleep(0)  # it is opening
    house.pool.stop()

    with pytest.raises(CallRefused, match="stopped"):
        call.get(timeout=5)
    assert (house.pool.busy, wire(house.opener.opened[0]).closed) == (0, 1)


def test_in_the_turn_in_which_it_was_given_back_it_is_taken_again_without_a_question() -> None:
    """That turn began with a look at it; a question costs a fifth of a whole call."""
    house = House()
    first = house.acquire()
    house.finish(first)
    wire(first).alive = False
    assert house.acquire() is first

    house.finish(first)
    gevent.idle()
    assert house.acquire() is not first


def test_a_connection_at_work_is_retired_when_its_address_is_gone() -> None:
    house = House()
    busy = house.acquire()
    house.opener.generation, house.opener.current = 1, {"10.0.0.2"}
    house.pool.sweep()
    house.release(busy)

    assert (house.closings, wire(busy).closed) == (["used_up"], 1)
