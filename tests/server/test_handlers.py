"""A recycled greenlet looks new: whatever a job leaves behind, the next one does not see it.

That a clean greenlet *is* used again is asked too: without that, nothing here could fail.
"""

from __future__ import annotations

import contextvars
import gc
import sys
import weakref
from collections.abc import Callable

import gevent
import pytest
from gevent.event import Event
from gevent.threadpool import ThreadPool
from greenlet import getcurrent, greenlet

from tests.server.desk import LEAVES, VARIABLE, Desk, nothing
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
        desk.in_hub(lambda: desk.handlers.run(go.wait))
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
        desk.in_hub(lambda jobs=jobs: desk.handlers.run(jobs.pop()))  # type: ignore[misc]
        assert desk.parked == 1
        assert seen() is None


@pytest.mark.parametrize("leave", LEAVES)
def test_the_next_job_sees_nothing_of(desk: Desk, leave: Callable[[], None]) -> None:
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

    desk.run(raises)
    assert desk.parked == 0
    desk.assert_next_is_new()
