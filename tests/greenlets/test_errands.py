"""Errands: what is begun is done or cut off, and a greenlet is another's afterwards."""

from __future__ import annotations

import gc
import io
import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial

import gevent
import pytest
from gevent import GreenletExit
from gevent.event import Event
from greenlet import getcurrent

from gateway.greenlets.errands import Errands
from gateway.greenlets.handlers import Handlers
from tests.greenlets.desk import NEW, leave_a_local, leave_a_thread, look
from tests.support.waiting import GUARD_S, until


def waiting(begun: list[str], ends: list[str], name: str = "it") -> Callable[[], None]:
    def work() -> None:
        begun.append(name)
        try:
            Event().wait(GUARD_S)
        except BaseException as error:
            ends.append(f"{name}: {type(error).__name__}")
            raise

    return work


def test_errands_begin_in_order_and_join_waits_for_all() -> None:
    errands, done, gate = Errands(), list[int](), Event()

    def work(number: int) -> None:
        assert gate.wait(GUARD_S)
        done.append(number)

    for number in range(3):
        errands.start(lambda number=number: work(number))  # type: ignore[misc]
    assert not errands.join(0)
    gate.set()
    assert errands.join(GUARD_S)
    assert done == [0, 1, 2]


def test_thousands_that_are_begun_at_once_let_timers_have_their_turn() -> None:
    """And keep their order, one that comes meanwhile too."""
    errands, seen = Errands(), list[str]()

    def burn(number: int) -> None:
        until_ = time.monotonic() + 0.004
        while time.monotonic() < until_:
            pass
        seen.append(str(number))
        if not number:
            errands.start(partial(burn, 40))

    timer = gevent.get_hub().loop.timer(0.001)
    timer.start(seen.append, "timer")
    for number in range(40):
        errands.start(partial(burn, number))
    assert errands.join(GUARD_S)
    assert seen.index("timer") < 20
    seen.remove("timer")
    assert seen == [str(number) for number in range(41)]
    timer.close()


def test_what_an_error_leaves_behind_is_begun_all_the_same(told: io.StringIO) -> None:
    class Exhausted(Handlers):
        def run(self, jobs: deque[Callable[[], None]], until: float = math.inf) -> None:
            if not done:
                done.append("exhausted")
                raise MemoryError("on purpose")
            super().run(jobs, until)

    errands, done = Errands(), list[str]()
    errands._handlers = Exhausted(gevent.get_hub())
    errands.start(lambda: done.append("errand"))
    assert errands.join(GUARD_S)
    assert done == ["exhausted", "errand"]
    assert "on purpose" in told.getvalue()


def test_none_runs_inside_of_who_starts_it() -> None:
    """Law: who starts one goes on first, whatever it does."""
    errands, done = Errands(), list[str]()
    errands.start(lambda: done.append("errand"))
    done.append("caller")
    assert errands.join(GUARD_S)
    assert done == ["caller", "errand"]


def test_a_greenlet_is_used_again_and_looks_new() -> None:
    errands, greenlets, seen = Errands(), list[int](), list[dict[str, object]]()

    def note(work: Callable[[], object]) -> Callable[[], None]:
        return lambda: (greenlets.append(id(getcurrent())), work(), gevent.sleep(0))[0]

    for _ in range(3):
        errands.start(note(lambda: None))
        assert errands.join(GUARD_S)
    assert len(set(greenlets)) == 1
    for trace in (leave_a_local, leave_a_thread):
        errands.start(note(trace))
        assert errands.join(GUARD_S)
    errands.start(note(lambda: seen.append(look())))
    assert errands.join(GUARD_S)
    assert seen == [NEW]


def test_a_killed_one_is_cut_off_where_it_waits_and_no_other_is() -> None:
    errands, begun, ends = Errands(), list[str](), list[str]()
    one = errands.start(waiting(begun, ends, "one"))
    other = errands.start(waiting(begun, ends, "other"))
    until("both", lambda: len(begun) == 2)
    one.kill()
    one.kill()
    until("the one", lambda: bool(ends))
    assert ends == ["one: GreenletExit"]
    assert not errands.join(0)
    other.kill()
    assert errands.join(GUARD_S)


def test_one_that_is_killed_before_it_began_never_does() -> None:
    errands, begun = Errands(), list[str]()
    errand = errands.start(waiting(begun, []))
    errand.kill()
    errand.kill()
    assert errands.join(GUARD_S)
    gevent.sleep(0)
    assert begun == []
    assert repr(errands) == "<Errands: 0 under way>"


def test_a_kill_that_comes_too_late_meets_nobody() -> None:
    """Law: the greenlet of one that is over is another's."""
    errands, begun, ends = Errands(), list[str](), list[str]()
    gate = Event()
    over = errands.start(lambda: gate.wait(GUARD_S))
    gevent.sleep(0)
    # It is to be cut off behind its own end, in the same turn of the event loop.
    gate.set()
    over.kill()
    errands.start(waiting(begun, ends))
    until("the next one", lambda: bool(begun))
    over.kill()
    gevent.sleep(0.001)
    assert ends == []
    assert not errands.join(0)


@pytest.fixture
def told() -> Iterator[io.StringIO]:
    """What gevent says of a greenlet that died."""
    hub = gevent.get_hub()
    stream, hub.exception_stream = hub.exception_stream, io.StringIO()
    yield hub.exception_stream
    hub.exception_stream = stream


def test_what_one_dies_of_is_told_and_strikes_no_other(told: io.StringIO) -> None:
    errands, done = Errands(), list[int]()

    def crash(_: str) -> None:
        raise ValueError("of the work's")

    errands.start(partial(crash, "what a user wrote"))
    errands.start(lambda: done.append(1))
    assert errands.join(GUARD_S)
    assert "ValueError: of the work's" in told.getvalue()
    assert "<Errand under way> failed with ValueError" in told.getvalue()
    assert "what a user wrote" not in told.getvalue()
    assert done == [1]


def test_greenlets_that_are_not_needed_are_let_go() -> None:
    """Law: what a busy moment needed is not kept for ever."""
    errands, gate = Errands(trim_s=0.005), Event()
    for _ in range(20):
        errands.start(lambda: gate.wait(GUARD_S))
    gevent.sleep(0)
    gate.set()
    assert errands.join(GUARD_S)
    until("all to be let go", lambda: errands._trimming is None)
    gc.collect()
    assert errands._handlers is not None
    assert len(errands._handlers) == 0
    assert errands.start(lambda: None) is not None
    assert errands.join(GUARD_S)


def test_greenlets_of_errands_that_last_are_let_go_when_these_are_over() -> None:
    """Law: also if none was parked when it was looked, and none is begun any more."""
    errands, gate = Errands(trim_s=0.005), Event()
    for _ in range(20):
        errands.start(lambda: gate.wait(GUARD_S))
    looked = Event()
    look = gevent.get_hub().loop.timer(0.02)
    look.start(looked.set)
    assert looked.wait(GUARD_S)
    gate.set()
    assert errands.join(GUARD_S)
    until("all to be let go", lambda: errands._handlers is not None and len(errands._handlers) == 0)
    look.close()


def test_one_that_ends_with_a_greenlet_exit_of_its_own_is_no_error() -> None:
    def leave() -> None:
        raise GreenletExit

    errands = Errands()
    errands.start(leave)
    assert errands.join(GUARD_S)
