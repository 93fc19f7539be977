"""Supervision: what crashes is started again, what keeps crashing ends the process, and stopping always ends."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest
from gevent.event import Event

from gateway.supervision import GAVE_UP, Supervisor
from tests.support.waiting import GUARD_S, until


@pytest.fixture(autouse=True)
def _guard() -> Iterator[None]:
    with gevent.Timeout(GUARD_S):
        yield


class Child:
    """Runs until told to crash or to return."""

    def __init__(self) -> None:
        self.starts = 0
        self.crash = Event()
        self.ended = 0

    def run(self) -> None:
        self.starts += 1
        try:
            self.crash.wait()
            self.crash.clear()
            raise ZeroDivisionError
        finally:
            # Cleaning up takes a turn of the loop, as closing a connection does.
            gevent.sleep(0.01)
            self.ended += 1


def test_children_start_in_the_order_in_which_they_were_added() -> None:
    started: list[str] = []
    supervisor = Supervisor()
    for name in "abc":
        supervisor.add(name, lambda name=name: (started.append(name), gevent.sleep(GUARD_S))[0])
    supervisor.start()
    until("all three", lambda: len(started) == 3)
    assert started == ["a", "b", "c"]
    supervisor.stop(time.monotonic() + GUARD_S)


def test_a_child_that_crashes_runs_again_and_its_siblings_run_on() -> None:
    supervisor = Supervisor()
    crashing, steady = Child(), Child()
    supervisor.add("crashing", crashing.run)
    supervisor.add("steady", steady.run)
    supervisor.start()
    for starts in (1, 2, 3):
        until("a start", lambda starts=starts: crashing.starts == starts)
        crashing.crash.set()
    until("the last start", lambda: crashing.starts == 4)
    assert (steady.starts, steady.ended) == (1, 0)
    supervisor.stop(time.monotonic() + GUARD_S)


def test_a_child_that_returns_runs_again() -> None:
    """Law: they are loops without an end; one that ends by itself is broken as well."""
    starts: list[None] = []
    supervisor = Supervisor()
    supervisor.add("returns", lambda: starts.append(None))
    supervisor.start()
    until("another start", lambda: len(starts) >= 2)
    supervisor.stop(time.monotonic() + GUARD_S)


def test_restarts_that_are_far_apart_are_no_reason_to_give_up() -> None:
    supervisor = Supervisor(restarts_max=1, within_s=0.01)
    child = Child()
    supervisor.add("child", child.run)
    supervisor.start()
    for starts in range(1, 5):
        until("a start", lambda starts=starts: child.starts == starts)
        child.crash.set()
    until("the last start", lambda: child.starts == 5)
    supervisor.stop(time.monotonic() + GUARD_S)


def test_above_the_limit_the_whole_process_ends_with_a_status_of_its_own() -> None:
    """Law: in whatever its main greenlet waits, so that whoever started it starts a fresh one.  The limit counts the
    restarts of all children together."""
    script = """
from gevent import monkey
monkey.patch_all()
import gevent
from gateway.supervision import Supervisor

def crash():
    raise ZeroDivisionError

supervisor = Supervisor(restarts_max=2, within_s=60)
supervisor.add("one", crash)
supervisor.add("two", crash)
supervisor.start()
gevent.sleep(60)
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=Path(__file__).parents[2], timeout=GUARD_S, check=False
    )
    assert ended.returncode == GAVE_UP
    assert GAVE_UP not in {3, 4}, "those halt gunicorn's master"


def test_stopping_ends_all_children() -> None:
    supervisor = Supervisor()
    children = [Child(), Child()]
    for child in children:
        supervisor.add("child", child.run)
    supervisor.start()
    until("both", lambda: all(child.starts for child in children))
    supervisor.stop(time.monotonic() + GUARD_S)
    assert [child.ended for child in children] == [1, 1]


def test_stopping_is_safe_twice_and_if_never_started() -> None:
    supervisor = Supervisor()
    supervisor.add("child", Child().run)
    supervisor.stop(time.monotonic())
    supervisor.start()
    supervisor.stop(time.monotonic() + GUARD_S)
    supervisor.stop(time.monotonic() + GUARD_S)


def test_stopping_after_the_deadline_still_ends_the_children_and_does_not_raise() -> None:
    """Law: a drain may have used up all the time.  What comes behind (leaving the ledger, writing outcomes) must not be
    skipped for that, and no child may run into it."""
    supervisor = Supervisor()
    child = Child()
    supervisor.add("child", child.run)
    supervisor.start()
    until("a start", lambda: child.starts)
    supervisor.stop(time.monotonic() - 1)
    assert child.ended == 1


def test_a_child_that_will_not_end_does_not_hold_up_the_stop() -> None:
    stubborn = Event()

    starts = 0

    def run() -> None:
        nonlocal starts
        starts += 1
        while True:
            try:
                stubborn.wait()
                return
            except gevent.GreenletExit:
                continue

    supervisor = Supervisor()
    supervisor.add("stubborn", run)
    supervisor.start()
    gevent.idle()
    [child] = supervisor._running
    started = time.monotonic()
    supervisor.stop(time.monotonic() + 0.1)
    assert time.monotonic() - started < 5
    stubborn.set()
    child.join(GUARD_S)
    assert child.dead, "what outlived the stop is not started again behind its back"
    assert starts == 1
