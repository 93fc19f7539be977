"""A recycled greenlet looks new: whatever a job leaves behind, the next one does not see it.

That a clean greenlet *is* used again is asked too: without that, nothing here could fail.
"""

from __future__ import annotations

import contextvars
import gc
import io
import math
import sys
import weakref
from collections import deque
from collections.abc import Callable
from functools import partial

import gevent
import pytest
from gevent.event import Event
from gevent.threadpool import ThreadPool
from greenlet import getcurrent, greenlet, settrace

from tests.greenlets.desk import LEAVES, NEW, VARIABLE, Desk, look, nothing
from tests.support.waiting import GUARD_S


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_clean_greenlet_is_used_again(desk: Desk) -> None:
    assert len({desk.run(nothing) for _ in range(10)}) == 1
    assert desk.parked == 1


def test_it_is_used_again_after_a_job_that_waited(desk: Desk) -> None:
    def waits() -> None:
        with gevent.Timeout(GUARD_S):
            gevent.sleep(0)
            Event().wait(0.001)
            gevent.spawn(nothing).get()
        done.set()

    done = Event()
    first = desk.run(waits)
    assert done.wait(GUARD_S)
    gc.collect()
    assert desk.run(nothing) == first


def test_jobs_that_come_together_are_one_greenlets_while_they_do_not_wait(desk: Desk) -> None:
    """And the hub is not asked in between: two switches for all of them."""
    used: list[int] = []
    go = Event()

    def job() -> None:
        used.append(id(getcurrent()))

    def waits() -> None:
        job()
        go.wait()

    switches: list[str] = []

    def traced() -> None:
        before = settrace(lambda what, _: switches.append(what))
        try:
            desk.run_here(*[job] * 10)
        finally:
            settrace(before)

    desk.in_hub(traced)
    assert len(switches) == 2
    assert len(set(used)) == 1
    desk.run_all(job, job, waits, job, job, waits, job)
    assert used[-7:] == [used[0]] * 3 + [used[-3]] * 3 + [used[-1]]
    assert len(set(used)) == 3
    go.set()
    gevent.sleep(0)
    assert desk.parked == 3


def test_one_that_waited_takes_nothing_up_that_has_come_meanwhile(desk: Desk) -> None:
    """Whoever has woken it has not called it: only ``run`` begins jobs."""
    waiting: list[greenlet] = []
    jobs: deque[Callable[[], None]] = deque()

    def waits() -> None:
        waiting.append(getcurrent())
        desk.hub.switch()

    def wake() -> None:
        jobs.append(nothing)
        waiting.pop().switch()

    jobs.append(waits)
    desk.in_hub(lambda: desk.handlers.run(jobs))
    desk.in_hub(wake)
    assert (len(jobs), desk.parked) == (1, 1)


def test_nor_does_one_that_is_woken_by_another_request(desk: Desk) -> None:
    waiting: list[greenlet] = []
    ran: list[str] = []

    def waits() -> None:
        waiting.append(getcurrent())
        desk.hub.switch()
        ran.append("waited")

    def wakes() -> None:
        waiting.pop().switch()
        ran.append("woke")

    desk.run_all(waits)
    desk.run_all(wakes, lambda: ran.append("next"))
    # It has gone back to the hub, and who woke it waits for a turn that nobody gives it.
    assert ran == ["waited", "next"]


def test_nor_does_a_parked_one_that_another_request_wakes(desk: Desk) -> None:
    kept: list[greenlet] = []
    mine: list[bool] = []
    desk.run(lambda: kept.append(getcurrent()))
    desk.run_all(kept[0].switch, lambda: mine.append(getcurrent() is kept[0]))
    assert mine == [False]
    assert kept[0].dead


def test_after_their_time_no_more_jobs_are_begun(desk: Desk) -> None:
    """What is left stays where it was."""
    ran: list[int] = []
    jobs = deque([partial(ran.append, number) for number in range(3)])
    desk.in_hub(lambda: desk.handlers.run(jobs, until=0.0))
    assert (ran, len(jobs)) == ([0], 2)
    desk.in_hub(lambda: desk.handlers.run(jobs, until=math.inf))
    assert (ran, len(jobs)) == ([0, 1, 2], 0)


def test_jobs_that_wait_at_the_same_time_have_a_greenlet_each(desk: Desk) -> None:
    go = Event()
    ids = {desk.run(go.wait) for _ in range(5)}
    assert len(ids) == 5
    go.set()
    gevent.sleep(0)
    assert desk.parked == 5
    assert {desk.run(nothing) for _ in range(5)} <= ids


def test_trim_lets_go_of_what_was_not_needed(desk: Desk) -> None:
    go = Event()
    for _ in range(8):
        desk.run(go.wait)
    go.set()
    gevent.sleep(0)
    counts = []
    for _ in range(6):
        desk.in_hub(desk.handlers.trim)
        counts.append(desk.parked)
    # The first look finds that all were needed since the one before.
    assert counts == [8, 4, 2, 1, 0, 0]


def test_trim_keeps_what_is_needed(desk: Desk) -> None:
    for _ in range(5):
        desk.run(nothing)
        desk.in_hub(desk.handlers.trim)
        assert desk.parked == 1


def test_trim_does_not_hold_up_the_loop(desk: Desk) -> None:
    """Each greenlet that ends takes some microseconds: thousands of them are let go in several calls."""
    go = Event()
    for _ in range(1_000):
        desk.run_all(go.wait)
    go.set()
    gevent.sleep(0)
    desk.in_hub(desk.handlers.trim)
    desk.in_hub(desk.handlers.trim)
    assert desk.parked == 1_000 - 32


def test_a_greenlet_that_is_let_go_ends(desk: Desk) -> None:
    seen: list[weakref.ref[greenlet]] = []
    desk.run(lambda: seen.append(weakref.ref(getcurrent())))
    assert seen[0]() is not None
    # Remembered by the weak reference it is let go, and nothing else holds it.
    desk.run(nothing)
    assert seen[0]() is None


def test_context_variables(desk: Desk) -> None:
    first = desk.run(lambda: VARIABLE.set("old"))
    seen: list[str] = []
    assert desk.run(lambda: seen.append(VARIABLE.get())) == first
    assert seen == ["new"]


def test_what_a_context_variable_held_is_free_with_the_next_job(desk: Desk) -> None:
    class Large:
        pass

    held: contextvars.ContextVar[Large] = contextvars.ContextVar("held")
    seen: list[weakref.ref[Large]] = []

    def sets() -> None:
        held.set(Large())
        seen.append(weakref.ref(held.get()))

    desk.run(sets)
    desk.run(nothing)
    assert seen[0]() is None


def test_no_job_is_kept_by_its_greenlet(desk: Desk) -> None:
    """Not even the first: a job holds its connection and its request."""

    class Job:
        def __call__(self) -> None:
            pass

    for _ in range(3):
        jobs = [Job()]
        seen = weakref.ref(jobs[0])
        desk.run_all(jobs.pop())
        assert desk.parked == 1
        assert seen() is None


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("leave", LEAVES)
def test_the_next_job_sees_nothing_of(desk: Desk, leave: Callable[[], None], together: bool) -> None:
    if together:
        seen: list[dict[str, object]] = []
        desk.run_all(leave, lambda: seen.append(look()))
        assert seen == [NEW]
    else:
        desk.run(leave)
    desk.assert_next_is_new()
    gevent.sleep(0)
    gc.collect()
    desk.assert_next_is_new()


def test_a_child_that_has_ended_does_not_cost_its_greenlet(desk: Desk) -> None:
    first = desk.run(lambda: gevent.spawn(nothing))
    gevent.sleep(0)
    gc.collect()
    attributes: list[dict[str, object]] = []
    assert desk.run(lambda: attributes.append(dict(getcurrent().__dict__))) == first
    assert attributes == [{}]


def test_a_greenlet_that_the_application_keeps_is_not_used_again(desk: Desk) -> None:
    kept: list[greenlet] = []
    desk.run(lambda: kept.append(getcurrent()))
    desk.run(lambda: kept.append(getcurrent()))
    assert kept[0] is not kept[1]


def test_nor_is_one_in_a_set_of_weak_references(desk: Desk) -> None:
    remembered: weakref.WeakSet[greenlet] = weakref.WeakSet()
    desk.run(lambda: remembered.add(getcurrent()))
    same: list[bool] = []
    desk.run(lambda: same.append(getcurrent() in remembered))
    assert same == [False]


def test_nor_is_one_that_a_thread_holds(desk: Desk) -> None:
    pool = ThreadPool(1)
    go, kept = Event(), []
    try:
        desk.run(lambda: kept.append(pool.spawn(id, getcurrent())))
        used = desk.run(go.wait)
        assert kept[0].get(timeout=GUARD_S) != used
    finally:
        go.set()
        pool.kill()


def test_a_kept_frame_shows_only_its_own_request(desk: Desk) -> None:
    """A frame leads to those that called it, and they go on to serve others."""
    frames: list[object] = []
    secret = object()

    def keeps() -> None:
        frames.append(sys._getframe())

    def has_a_secret() -> None:
        local = secret
        go.wait()
        del local

    go = Event()
    desk.run(keeps)
    desk.run(has_a_secret)
    frame, found = frames.pop(), []
    while frame is not None:
        found.append(secret in frame.f_locals.values())  # type: ignore[attr-defined]
        frame = frame.f_back  # type: ignore[attr-defined]
    go.set()
    assert len(found) > 1
    assert not any(found)


def test_an_error_that_gets_past_everything_ends_only_its_greenlet(desk: Desk) -> None:
    def raises() -> None:
        raise SystemExit(3)

    told, before = io.StringIO(), desk.hub.exception_stream
    desk.hub.exception_stream = told
    ran: list[str] = []
    desk.run_all(raises, lambda: ran.append("the next"))
    assert ran == ["the next"]
    desk.run(raises)
    desk.hub.exception_stream = before
    assert told.getvalue().count("SystemExit: 3") == 2, "and is told"
    assert desk.parked == 0
    desk.assert_next_is_new()
