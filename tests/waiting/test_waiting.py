"""Results that are waited for, and waits of one length: what gevent's own promise, and no more C stack than needed."""

from __future__ import annotations

import contextlib
import gc
import io
import time
import weakref
from collections.abc import Callable, Iterator
from functools import partial

import gevent
import pytest
from gevent.exceptions import BlockingSwitchOutError
from greenlet import greenlet

from gateway.waiting import Awaited, EqualWaits
from tests.support.waiting import GUARD_S, until


def in_hub(call: Callable[[], object]) -> None:
    """Have the loop make *call*, and wait until it has."""
    done = gevent.event.Event()
    gevent.get_hub().loop.run_callback(lambda: (call(), done.set()))
    assert done.wait(GUARD_S)


def test_a_result_that_is_there_is_not_waited_for() -> None:
    for result in ("a", None, 0):
        awaited: Awaited[object] = Awaited()
        awaited.put(result)
        assert awaited.get() == result


def test_a_result_that_comes_wakes_who_waits() -> None:
    awaited: Awaited[str] = Awaited()
    waiting = gevent.spawn(awaited.get)
    gevent.sleep(0)
    assert not waiting.dead
    in_hub(lambda: awaited.put("a"))
    assert waiting.get(timeout=GUARD_S) == "a"


def test_an_error_is_raised_where_it_is_waited_for() -> None:
    """One error for many: each is raised with the stack of its own greenlet alone."""
    error = LookupError("no such thing")
    awaited: list[Awaited[None]] = [Awaited() for _ in range(3)]
    depths: list[int] = []

    def wait(one: Awaited[None]) -> None:
        with pytest.raises(LookupError) as raised:
            one.get()
        assert raised.value is error
        depths.append(len(raised.traceback))

    waiting = [gevent.spawn(wait, one) for one in awaited]
    gevent.sleep(0)
    in_hub(lambda: [one.put(error) for one in awaited])
    gevent.joinall(waiting, timeout=GUARD_S)
    assert depths == [2, 2, 2]


def test_who_is_woken_by_somebody_else_goes_on_waiting() -> None:
    awaited: Awaited[str] = Awaited()
    waiting = gevent.spawn(awaited.get)
    gevent.sleep(0)
    in_hub(waiting.switch)
    in_hub(waiting.switch)
    assert not waiting.dead
    in_hub(lambda: awaited.put("a"))
    assert waiting.get(timeout=GUARD_S) == "a"


def test_what_is_thrown_ends_the_wait_and_a_late_result_strikes_nobody() -> None:
    awaited: Awaited[str] = Awaited()
    ended: list[str] = []

    def wait() -> None:
        with pytest.raises(gevent.Timeout), gevent.Timeout(0.001):
            awaited.get()
        ended.append("timeout")
        assert go.wait(GUARD_S)
        ended.append("undisturbed")

    go = gevent.event.Event()
    waiting = gevent.spawn(wait)
    until("the timeout", lambda: ended)
    in_hub(lambda: awaited.put("late"))
    assert ended == ["timeout"]
    go.set()
    waiting.get(timeout=GUARD_S)
    assert ended == ["timeout", "undisturbed"]


def test_it_holds_nobody_who_does_not_wait_any_more() -> None:
    """Else a request's greenlet would not be used again as long as its result is kept."""
    awaited: Awaited[str] = Awaited()
    waiting = gevent.spawn(awaited.get)
    gevent.sleep(0)
    seen = weakref.ref(waiting)
    in_hub(lambda: awaited.put("a"))
    waiting.join(GUARD_S)
    del waiting
    gc.collect()
    assert seen() is None


def test_the_loop_itself_cannot_wait() -> None:
    raised: list[BaseException] = []

    def wait() -> None:
        try:
            Awaited[None]().get()
        except BlockingSwitchOutError as error:
            raised.append(error)

    in_hub(wait)
    assert len(raised) == 1


def test_equal_waits_are_over_in_their_order_and_not_too_early() -> None:
    waits, order = EqualWaits(0.02), []
    took: list[float] = []

    def wait(number: int) -> None:
        began = time.monotonic()
        waits.wait()
        took.append(time.monotonic() - began)
        order.append(number)

    waiting = []
    for number in range(20):
        waiting.append(gevent.spawn(wait, number))
        gevent.sleep(0.002)
    gevent.joinall(waiting, timeout=GUARD_S)
    assert order == list(range(20))
    assert min(took) >= 0.02
    assert repr(waits) == "<EqualWaits of 0.02 s: 0>"


def test_who_is_woken_may_wait_again() -> None:
    waits, rounds = EqualWaits(0.001), []

    def wait() -> None:
        for number in range(50):
            waits.wait()
            rounds.append(number)

    gevent.joinall([gevent.spawn(wait) for _ in range(5)])
    assert len(rounds) == 250


def test_the_loop_has_its_turn_between_waits_that_are_over_at_once() -> None:
    """What the first ones want written does not wait for the last."""
    waits, seen = EqualWaits(0.01), []

    def wait() -> None:
        waits.wait()
        seen.append("woken")
        if len(seen) == 1:
            gevent.get_hub().loop.run_callback(seen.append, "written")

    waiting = [gevent.spawn(wait) for _ in range(1_000)]
    gevent.sleep(0)
    over_at = time.monotonic() + 0.02
    while time.monotonic() < over_at:
        """The loop stands still until all are over."""
    gevent.joinall(waiting, timeout=GUARD_S)
    assert len(seen) == 1_001
    assert seen.index("written") < 500


def test_waits_do_not_fall_behind_in_a_loop_whose_turns_are_long() -> None:
    waits, turns = EqualWaits(0.01), []

    def burn() -> None:
        turns.append(None)
        until_ = time.monotonic() + 0.01
        while time.monotonic() < until_:
            pass

    waiting = [gevent.spawn(waits.wait) for _ in range(100)]
    timer = gevent.get_hub().loop.timer(0.001, 0.001)
    timer.start(burn)
    gevent.joinall(waiting, timeout=GUARD_S)
    timer.close()
    assert len(turns) < 10


def test_a_wait_that_is_given_up_is_nobody_elses() -> None:
    waits, ended = EqualWaits(0.02), []

    def wait(name: str) -> None:
        try:
            waits.wait()
            ended.append(name)
        except gevent.GreenletExit:
            ended.append(f"{name} killed")
            gevent.sleep(0.05)
            ended.append(f"{name} undisturbed")

    one, other = gevent.spawn(wait, "one"), gevent.spawn(wait, "other")
    gevent.sleep(0)
    one.kill(block=False)
    gevent.joinall([one, other], timeout=GUARD_S)
    assert ended == ["one killed", "other", "one undisturbed"]


@pytest.fixture
def told() -> Iterator[io.StringIO]:
    """What the hub tells of what went wrong."""
    hub = gevent.get_hub()
    before, hub.exception_stream = hub.exception_stream, io.StringIO()
    yield hub.exception_stream
    hub.exception_stream = before


def test_what_one_dies_of_when_it_is_woken_does_not_keep_the_others_waiting(told: io.StringIO) -> None:
    """Bare greenlets, whose errors are their parent's: the hub's, in the middle of waking them."""
    waits, over = EqualWaits(0.01), []
    awaited: list[Awaited[str]] = [Awaited() for _ in range(3)]

    def wait(number: int) -> None:
        over.append(awaited[number].get())
        if number == 1:
            raise LookupError("the second, on purpose")
        waits.wait()
        over.append("waited")
        if number == 0:
            raise LookupError("the first, on purpose")

    hub = gevent.get_hub()
    greenlets = [greenlet(wait, hub) for _ in range(3)]
    for number, one in enumerate(greenlets):
        hub.loop.run_callback(one.switch, number)
    gevent.sleep(0)
    in_hub(lambda: [one.put("a") for one in awaited])
    assert over == ["a"] * 3
    until("all have waited", lambda: len(over) == 5)
    waits.wait()
    assert over[3:] == ["waited"] * 2
    assert [each in told.getvalue() for each in ("the first", "the second")] == [True, True]


def test_an_error_does_not_hold_the_request_that_it_was_raised_in() -> None:
    """Without the collector, which may be long in coming."""

    class Request:
        pass

    seen: list[weakref.ref[Request]] = []

    def wait(awaited: Awaited[None]) -> None:
        request = Request()
        seen.append(weakref.ref(request))
        with contextlib.suppress(LookupError):
            awaited.get()

    gc.disable()
    try:
        awaited: Awaited[None] = Awaited()
        waiting = gevent.spawn(wait, awaited)
        gevent.sleep(0)
        in_hub(partial(awaited.put, LookupError()))
        waiting.join(GUARD_S)
        del waiting, awaited
        assert seen[0]() is None
    finally:
        gc.enable()
