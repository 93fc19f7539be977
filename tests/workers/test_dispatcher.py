"""Starts: in lanes one at a time, within bounds, inside the lease; and the end of what takes too long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import gevent
import pytest
from gevent.event import Event

from gateway.domain.job import Done
from tests.server.telling import told
from tests.support.handling import Handling
from tests.support.waiting import GUARD_S, until
from tests.workers.board_jobs import job
from tests.workers.dispatching import Dispatching, done
from workers.context import Context

Build = Callable[..., Dispatching]


@pytest.fixture
def build(database: str, redis_url: str) -> Iterator[Build]:
    built: list[Dispatching] = []
    with Handling(database, redis_url) as handling:

        def build(**how: object) -> Dispatching:
            built.append(Dispatching(handling.tools, **how))
            built[-1].on("k", done)
            return built[-1]

        yield build
        for each in built:
            each.close()


class Gate:
    """Runs that go on when the test lets them."""

    def __init__(self) -> None:
        self.open = Event()
        self.inside = 0
        self.most = 0
        self.left: list[str] = []

    def __call__(self, context: Context) -> Done:
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            assert self.open.wait(GUARD_S)
        except BaseException as error:
            self.left.append(type(error).__name__)
            raise
        finally:
            self.inside -= 1
        return Done()


# Starts


def test_a_lane_goes_on_only_when_its_last_end_was_written(build: Build) -> None:
    """Law: not when its handler returned: until the commit, nobody knows that it will not run again."""
    it = build()
    it.give_many(3, lane="l")
    it.wait_ends()
    it.turns()
    assert it.started == [1]
    it.settle()
    it.wait_started(1, 2)
    it.wait_ends()
    it.turns()
    assert it.started == [1, 2]
    it.settle()
    it.wait_started(1, 2, 3)


def test_lanes_do_not_wait_for_one_another(build: Build) -> None:
    it, gate = build(), Gate()
    it.on("waits", gate)
    it.give(job(1, "l", kind="waits"), job(2, "l"), job(3, "m"), job(4))
    it.wait_started(1, 3, 4)
    gate.open.set()


def test_no_more_are_under_way_than_the_setting_allows_unwritten_ends_included(build: Build) -> None:
    it = build(in_flight_max=3)
    it.give_many(5)
    it.wait_ends(3)
    it.turns()
    assert it.started == [1, 2, 3], "ends that pile up hold up the starts"
    it.settle()
    it.wait_started(1, 2, 3, 4, 5)


def test_whoever_fills_the_board_is_told_of_room(build: Build) -> None:
    it = build()
    it.give_many(1)
    it.wait_ends()
    assert it.told_taken == 1


def test_many_short_jobs_keep_their_order_and_let_others_have_their_turn(build: Build) -> None:
    """Law: one turn of the loop starts jobs for some milliseconds; what is handed back is first again, in order."""
    it = build()
    turns = 0

    def burn(_: Context) -> Done:
        until_ = time.monotonic() + 0.004
        while time.monotonic() < until_:
            pass
        return Done()

    def count() -> None:
        nonlocal turns
        turns += 1

    it.on("burns", burn)
    jobs = it.give_many(12, kind="burns")
    while len(it.ends) < 12:
        gevent.sleep(0)
        count()
    assert turns >= 4
    assert it.started == [each.job_id for each in jobs]


def test_many_short_jobs_let_timers_have_their_turn_so_the_beat_too(build: Build) -> None:
    """Law: callbacks that ask for callbacks have fifty turns before anything else has one."""
    it = build()
    started: list[int] = []

    def burn(_: Context) -> Done:
        until_ = time.monotonic() + 0.004
        while time.monotonic() < until_:
            pass
        return Done()

    it.on("burns", burn)
    timer = gevent.get_hub().loop.timer(0.001)
    timer.start(lambda: started.append(len(it.started)))
    it.give_many(40, kind="burns")
    it.wait_ends(40)
    timer.close()
    assert started[0] < 20


# The lease


def test_nothing_starts_outside_the_lease_and_all_does_when_it_is_back(build: Build) -> None:
    it = build()
    it.lease = False
    it.give_many(3)
    it.turns()
    assert it.started == []
    it.lease = True
    it.watch()
    it.wait_started(1, 2, 3)


def test_what_runs_when_the_lease_is_out_is_ended_and_runs_again_when_it_is_back(build: Build) -> None:
    """Law: nothing is written of it: it was no try, and somebody else may run it by now."""
    it, gate = build(), Gate()
    it.on("waits", gate)
    it.give(job(1, "l", kind="waits"), job(2, "l"))
    it.watch()
    it.wait_started(1)
    it.lease = False
    until("it to be ended", lambda: gate.left == ["Stopped"])
    it.turns()
    assert (it.started, it.ends, len(it.it)) == ([1], [], 0)
    gate.open.set()
    it.lease = True
    it.wait_started(1, 1)
    it.wait_ends()
    assert it.attempts == [1, 1]
    it.settle()
    it.wait_started(1, 1, 2)


def test_a_kind_that_finishes_is_not_ended_with_the_lease(build: Build) -> None:
    """Law: what it has on the wire cannot be taken back, and its fate is recorded by other means."""
    it, gate, other = build(), Gate(), Gate()
    it.on("sends", gate, on_lease_lost="finish")
    it.on("waits", other)
    it.give(job(1, kind="sends"), job(2, kind="waits"))
    it.watch()
    it.wait_started(1, 2)
    it.lease = False
    until("the other to be ended", lambda: other.left)
    assert gate.left == []
    gate.open.set()
    [end] = it.wait_ends()
    assert (end.job.job_id, end.fate) == (1, "done")


def test_declared_dead_everything_that_may_not_go_on_is_ended_at_once(build: Build) -> None:
    it, gate, other = build(), Gate(), Gate()
    it.on("sends", gate, on_lease_lost="finish")
    it.on("waits", other)
    it.give(job(1, kind="sends"), job(2, kind="waits"))
    it.wait_started(1, 2)
    it.fences.clear()
    it.board.drop_partitions({0})
    it.it.drop()
    until("the other to be ended", lambda: other.left == ["Stopped"])
    assert (gate.left, len(it.it)) == ([], 1)
    gate.open.set()
    it.wait_ends()
    it.settle("lost")
    assert it.board.running == 0


def test_a_job_whose_first_run_goes_on_may_be_run_anew_under_a_later_fence(build: Build) -> None:
    """Law: each run has its end, whichever comes first; nothing is left running in the books."""
    it, gates = build(), [Gate(), Gate()]
    it.on("sends", lambda context: gates[context.job.fence - 1](context), on_lease_lost="finish")
    it.give(job(1, "l", kind="sends"))
    it.wait_started(1)
    it.board.drop_partitions({0})
    it.it.drop()
    it.fences[0] = 2
    it.give(job(1, "l", kind="sends", fence=2))
    it.wait_started(1, 1)
    gates[0].open.set()
    it.wait_ends()
    it.settle("lost")
    assert len(it.it) == 1
    assert not it.it._idle.is_set(), "the second still runs"
    gates[1].open.set()
    [end] = it.wait_ends()
    assert end.job.fence == 2
    it.settle()
    assert (len(it.it), it.board.running, it.board.running_of(0)) == (0, 0, 0)


def test_what_was_read_under_an_old_fence_is_not_started(build: Build) -> None:
    it = build()
    it.lease = False
    it.give_many(2)
    it.fences[0] = 2
    it.lease = True
    it.turns()
    assert (it.started, it.ends, it.board.running, it.board.buffered) == ([], [], 0, 0)


# Time


def test_what_takes_too_long_is_told_even_if_it_catches_all_exceptions(build: Build) -> None:
    it, caught = build(), []

    def stubborn(_: Context) -> Done:
        while True:
            try:
                gevent.sleep(GUARD_S)
            except Exception as error:
                caught.append(error)

    it.on("slow", stubborn, time_limit_s=0.1)
    it.give(job(1, kind="slow"))
    it.watch()
    [end] = it.wait_ends()
    assert (end.fate, end.reason, end.attempts, caught) == ("retry", "time_limit", 1, [])


def test_who_takes_the_limit_for_a_fault_of_a_call_and_tries_again_is_told_again(build: Build) -> None:
    """Law: else its lane would stand still for as long as this process lives."""
    it = build(tell_every_s=0.0)
    told = 0

    def stubborn(_: Context) -> Done:
        nonlocal told
        while told < 3:
            try:
                gevent.sleep(GUARD_S)
            except:  # noqa: E722  # as it is found
                told += 1
        return Done()

    it.on("k", stubborn, time_limit_s=0.01)
    it.give_many(1)
    it.watch()
    [end] = it.wait_ends()
    assert (end.fate, told) == ("done", 3)


@pytest.mark.parametrize("why", ["TimeLimit", "Stopped"])
def test_who_goes_on_although_it_was_told_twice_is_named_once(build: Build, why: str) -> None:
    """Law: its lane stands still, and who looks for the reason finds it in the log."""
    it = build(tell_every_s=0.0)
    told_it, go_on = 0, True

    def stubborn(_: Context) -> Done:
        nonlocal told_it
        while go_on:
            try:
                gevent.sleep(GUARD_S)
            except BaseException:
                told_it += 1
        return Done()

    it.on("k", stubborn, time_limit_s=0.01 if why == "TimeLimit" else GUARD_S)
    it.on("other", lambda _: gevent.sleep(GUARD_S), time_limit_s=0.01)
    with told("job.overran") as heard:
        it.give(job(7, kind="k"), job(8, kind="other"))
        it.wait_started(7, 8)
        it.lease = why == "TimeLimit"
        it.watch()
        until("it to be told often", lambda: told_it >= 4)
        go_on = False
        it.wait_ends(2 if why == "TimeLimit" else 1)
    [event] = heard.events
    assert (event["kind"], event["job_id"], event["reason"]) == ("k", 7, why)


def test_without_a_limit_of_its_own_a_kind_has_the_settings(build: Build) -> None:
    it, gate = build(time_limit_s=0.1), Gate()
    it.on("waits", gate)
    it.on("patient", gate, time_limit_s=GUARD_S)
    it.give(job(1, kind="waits"), job(2, kind="patient"))
    it.watch()
    [end] = it.wait_ends()
    assert (end.job.job_id, end.reason) == (1, "time_limit")
    assert gate.inside == 1
    gate.open.set()


def test_a_handler_that_ends_in_spite_of_being_told_has_the_end_that_it_returns(build: Build) -> None:
    it = build()

    def holds_on(_: Context) -> Done:
        try:
            gevent.sleep(GUARD_S)
        except BaseException:
            return Done(result=1)
        raise AssertionError("it was not told")

    it.on("slow", holds_on, time_limit_s=0.1)
    it.give(job(1, kind="slow"))
    it.watch()
    [end] = it.wait_ends()
    assert end.fate == "done"


def test_what_is_told_too_late_strikes_nobody_else(build: Build) -> None:
    """Law: greenlets are used again; an exception is for the run that it was meant for."""
    it, gate = build(), Gate()
    it.on("waits", gate)
    it.give(job(1, kind="waits"))
    it.wait_started(1)
    [run] = it.it._runs
    gate.open.set()
    it.wait_ends()
    gate.open.clear()
    it.give(job(2, kind="waits"))
    it.wait_started(1, 2)
    it.it._throw(run, AssertionError("meant for the first"))
    it.turns()
    assert gate.left == []
    gate.open.set()


def test_a_retry_that_is_due_later_starts_when_it_is(build: Build) -> None:
    it = build()
    it.give(job(1, "l", wait_s=0.2), job(2, "l"))
    it.turns()
    assert it.started == []
    it.watch()
    it.wait_started(1)


# The end


def test_a_stop_waits_for_what_runs_and_starts_nothing(build: Build) -> None:
    it, gate = build(in_flight_max=1), Gate()
    it.on("waits", gate)
    it.give(job(1, kind="waits"), job(2))
    it.wait_started(1)
    stopping = gevent.spawn(it.it.stop, time.monotonic() + GUARD_S)
    it.turns()
    assert not stopping.ready()
    gate.open.set()
    assert stopping.get() is True
    it.settle()
    it.turns()
    assert it.started == [1]
    assert it.it.stop(time.monotonic()) is True, "safe twice"


def test_who_holds_the_event_loop_is_named(build: Build) -> None:
    """Nothing of the process ran meanwhile, not even its beat: afterwards somebody must say whose work that was."""
    it = build(in_flight_max=5)

    def computes(_: Context) -> Done:
        until_s = time.monotonic() + 0.6
        while time.monotonic() < until_s:
            pass
        return Done()

    it.on("computes", computes)
    it.on("waits", Gate())
    with told("job.blocked") as heard:
        it.give(job(1), job(2, kind="waits"), job(3, kind="computes"), job(4), job(5))
        it.wait_ends(4)
    assert [(event["kind"], event["job_id"]) for event in heard.events] == [("computes", 3)]
    assert 0.6 <= heard.events[0]["seconds"] < GUARD_S


def test_a_job_that_holds_the_event_loop_after_a_wait_is_told_with_all_that_ran(build: Build) -> None:
    """Which of them it was nobody has seen; but that the worker stood still must not be a riddle."""
    it, gate = build(), Gate()

    def waits_and_computes(context: Context) -> Done:
        gate(context)
        until_s = time.monotonic() + 0.8
        while time.monotonic() < until_s:
            pass
        return Done()

    it.on("computes", waits_and_computes)
    it.on("waits", lambda _: gevent.sleep(GUARD_S))
    it.on("ends", lambda _: gevent.sleep(GUARD_S), time_limit_s=0.05)
    with told("job.blocked", "jobs.stalled") as heard:
        it.watch()
        it.give(job(1, kind="computes"), job(2, kind="waits"), job(3, kind="ends"))
        # By the watch, which has seen all of them by then.
        [ended] = it.wait_ends(1)
        assert ended.job.job_id == 3
        gate.open.set()
        it.wait_ends(2)
        until("the word", lambda: heard.events)
    [stalled] = heard.events
    assert "computes, " in stalled["detail"], "although it has ended"
    assert "waits" in stalled["detail"]
    assert 0.5 < stalled["seconds"] < GUARD_S


def test_a_stop_comes_before_what_was_about_to_start(build: Build) -> None:
    """Law: what would begin in the same turn of the loop would be cut off at once."""
    it = build()
    it.give_many(1)
    assert it.it.stop(time.monotonic()) is True
    it.turns()
    assert it.started == []


def test_a_stop_cuts_off_what_runs_at_its_deadline_and_says_so(build: Build) -> None:
    """Law: nothing is written of it, whatever its kind: its next owner runs it again."""
    it, gate = build(), Gate()
    it.on("waits", gate)
    it.on("sends", gate, on_lease_lost="finish")
    it.give(job(1, kind="waits"), job(2, kind="sends"))
    it.wait_started(1, 2)
    with told("jobs.cut_off") as heard:
        assert it.it.stop(time.monotonic() + 0.05) is False
    assert [event["jobs"] for event in heard.events] == [2]
    assert gate.left == ["Stopped"] * 2
    assert (it.ends, len(it.it), it.board.running) == ([], 0, 0)


def test_a_stop_does_not_wait_for_ever_for_a_handler_that_holds_on(build: Build) -> None:
    it = build()
    going_on = Event()

    def holds_on(_: Context) -> Done:
        while not going_on.is_set():
            try:
                going_on.wait()
            except BaseException:
                continue
        return Done()

    it.on("holds", holds_on)
    it.give(job(1, kind="holds"))
    it.wait_started(1)
    assert it.it.stop(time.monotonic()) is False
    going_on.set()
    it.wait_ends()


def test_a_stop_is_safe_if_nothing_was_ever_started(build: Build) -> None:
    assert build().it.stop(time.monotonic()) is True
