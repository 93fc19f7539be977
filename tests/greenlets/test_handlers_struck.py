"""What an earlier job left behind and what strikes later (a timer, a kill, a link) strikes no other job."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from functools import partial

import gevent
import pytest
from gevent import Greenlet
from gevent.event import AsyncResult, Event
from gevent.lock import Semaphore
from gevent.queue import Queue
from greenlet import getcurrent, greenlet
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.greenlets.desk import LEAVES, NEW, Desk, glance, nothing
from tests.support.waiting import GUARD_S

#: When timers strike, and when they certainly have: the same loop runs both.
_STRIKE_S = 0.001
_STRUCK_BY_S = 0.005

KEPT: list[object] = []


class Struck(Exception):
    pass


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    KEPT.clear()


# Each leaves something that will switch or throw into its greenlet, and returns what brings that about.


def forgets_a_timeout() -> Callable[[], object]:
    # Its timer keeps it alive, as it does for an application that has forgotten it.
    gevent.Timeout.start_new(_STRIKE_S, Struck)
    return lambda: gevent.sleep(_STRUCK_BY_S)


def is_killed_and_not_waited_for() -> Callable[[], object]:
    gevent.kill(getcurrent(), Struck)
    return lambda: gevent.sleep(0)


def is_killed_later() -> Callable[[], object]:
    victim = [getcurrent()]
    return lambda: (gevent.kill(victim.pop(), Struck), gevent.sleep(0))


def is_switched_to_by_a_callback() -> Callable[[], object]:
    gevent.get_hub().loop.run_callback(getcurrent().switch)
    return lambda: gevent.sleep(0)


def is_switched_to_with_something_callable() -> Callable[[], object]:
    gevent.get_hub().loop.run_callback(getcurrent().switch, lambda: KEPT.append("called"))
    return lambda: gevent.sleep(0)


def is_switched_to_by_a_timer() -> Callable[[], object]:
    timer = gevent.get_hub().loop.timer(_STRIKE_S)
    timer.start(getcurrent().switch)
    return lambda: (gevent.sleep(_STRUCK_BY_S), timer.close())


def links_to_an_event() -> Callable[[], object]:
    event = Event()
    event.rawlink(getcurrent().switch)
    return lambda: (event.set(), gevent.sleep(0))


def links_to_a_result() -> Callable[[], object]:
    result: AsyncResult[object] = AsyncResult()
    result.rawlink(getcurrent().switch)
    return lambda: (result.set(nothing), gevent.sleep(0))


def links_to_a_greenlet() -> Callable[[], object]:
    other = gevent.spawn(nothing)
    other.rawlink(getcurrent().switch)
    return lambda: (other.join(), gevent.sleep(0))


def is_a_parent() -> Callable[[], object]:
    # A child's end switches to its parent, with what it returned.
    child = greenlet(lambda: lambda: KEPT.append("called"))
    loop = gevent.get_hub().loop
    return lambda: (loop.run_callback(child.switch), gevent.sleep(0))


STRIKES = (
    forgets_a_timeout,
    is_killed_and_not_waited_for,
    is_killed_later,
    is_switched_to_by_a_callback,
    is_switched_to_with_something_callable,
    is_switched_to_by_a_timer,
    links_to_an_event,
    links_to_a_result,
    links_to_a_greenlet,
    is_a_parent,
)


class Waiting:
    """A job that waits, and how it ended."""

    def __init__(self, until: Event) -> None:
        self._until = until
        self.ended = ""
        self.saw: dict[str, object] = {}

    def __call__(self) -> None:
        self.saw = glance()
        try:
            assert self._until.wait(GUARD_S)
            self.ended = "undisturbed"
        except BaseException as error:
            self.ended = repr(error)


@pytest.mark.parametrize("begins", ["together", "before the stroke", "after it"])
@pytest.mark.parametrize("leave", STRIKES)
def test_a_stroke_strikes_nobody_else(desk: Desk, leave: Callable[[], Callable[[], object]], begins: str) -> None:
    bring_about: list[Callable[[], object]] = []
    go = Event()
    waiting = Waiting(go)

    # In one go, so that the loop has no turn between the two jobs: the stroke is still on its way.
    def both() -> None:
        jobs: list[Callable[[], object]] = [lambda: bring_about.append(leave())]
        desk.run_here(*jobs, *[waiting] * (begins == "together"))
        if begins == "before the stroke":
            desk.run_here(waiting)

    desk.in_hub(both)
    bring_about.pop()()
    if begins == "after it":
        desk.in_hub(lambda: desk.run_here(waiting))
        gevent.sleep(0)
    assert not waiting.ended
    go.set()
    gevent.sleep(0)
    assert waiting.ended == "undisturbed"
    assert not KEPT
    desk.assert_next_is_new()


def test_who_kills_a_request_that_has_ended_and_waits_for_it_is_let_go_on(desk: Desk) -> None:
    desk.run(lambda: KEPT.append(getcurrent()))
    with gevent.Timeout(GUARD_S):
        gevent.kill(KEPT.pop())
        gevent.sleep(0)
    desk.assert_next_is_new()


def test_one_that_was_struck_dead_is_replaced(desk: Desk) -> None:
    def strikes_a_parked_one() -> None:
        # Its own list is all that holds it: nothing tells that it was struck but that it is dead.
        desk.handlers._parked[0].throw(Struck)
        assert desk.handlers._parked[0].dead

    desk.run(nothing)
    desk.in_hub(strikes_a_parked_one)
    desk.assert_next_is_new()


# Who stops waiting must be in no list any more of those who wait, not even when it is being woken at the same moment.


WAITS = {
    "event": (Event, Event.wait, Event.set),
    "result": (AsyncResult, AsyncResult.get, AsyncResult.set),
    "semaphore": (lambda: Semaphore(0), Semaphore.acquire, Semaphore.release),
    "queue": (Queue, Queue.get, lambda queue: queue.put(nothing)),
    "greenlet": (lambda: gevent.spawn(Event().wait, GUARD_S), Greenlet.join, lambda other: other.kill(block=False)),
}


@pytest.mark.parametrize("kind", WAITS)
def test_a_wait_that_ends_early_while_it_is_woken(desk: Desk, kind: str) -> None:
    make, wait, wake = WAITS[kind]
    thing, go = make(), Event()
    waiting = Waiting(go)

    def waits() -> None:
        KEPT.append(getcurrent())
        with pytest.raises(Struck):
            wait(thing)

    def meet() -> None:
        wake(thing)
        KEPT.pop().throw(Struck)  # type: ignore[attr-defined]
        desk.run_here(waiting)

    desk.in_hub(lambda: desk.run_here(waits))
    desk.in_hub(meet)
    gevent.sleep(_STRUCK_BY_S)
    assert not waiting.ended
    go.set()
    gevent.sleep(0)
    assert waiting.ended == "undisturbed"
    desk.assert_next_is_new()


@pytest.mark.parametrize("kind", WAITS)
def test_a_wait_that_a_timeout_ended_leaves_a_greenlet_that_is_used_again(desk: Desk, kind: str) -> None:
    make, wait, _ = WAITS[kind]
    thing, done = make(), Event()

    def waits() -> None:
        with gevent.Timeout(_STRIKE_S, False):
            wait(thing)
        done.set()

    first = desk.run(waits)
    assert done.wait(GUARD_S)
    gevent.sleep(0)
    gc.collect()
    assert desk.run(nothing) == first


LEAVE: dict[str, Callable[[], object]] = {
    "look": lambda: None,
    "keep": getcurrent,
    **{leave.__name__: leave for leave in (nothing, *LEAVES, *STRIKES)},
}


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from(sorted(LEAVE)), min_size=1, max_size=3), st.booleans(), st.booleans()),
        max_size=20,
    )
)
def test_no_sequence_of_jobs_leaks(steps: list[tuple[list[str], bool, bool]]) -> None:
    """Jobs that leave something behind, alone or several together, others that wait, strokes in between: each job
    begins as if first.
    """
    desk, go = Desk(), Event()
    waiting: list[Waiting] = []
    begun: list[dict[str, object]] = []

    def job(name: str) -> None:
        begun.append(glance())
        KEPT.append(LEAVE[name]())

    for names, then_waits, strike in steps:
        if "look" in names:
            desk.assert_next_is_new()
        jobs: list[Callable[[], object]] = [partial(job, name) for name in names]
        if then_waits:
            waiting.append(Waiting(go))
            jobs.append(waiting[-1])
        desk.run_all(*jobs)
        if strike:
            bring_about, KEPT[:] = [left for left in KEPT if callable(left)], []
            for bring in bring_about:
                bring()
    assert not [job.ended for job in waiting if job.ended]
    go.set()
    gevent.sleep(0)
    assert [job.ended for job in waiting] == ["undisturbed"] * len(waiting)
    new = {name: NEW[name] for name in glance()}
    assert [saw for saw in (*begun, *(job.saw for job in waiting)) if saw != new] == []
    KEPT.clear()
    gc.collect()
    desk.assert_next_is_new()
