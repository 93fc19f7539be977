"""What jobs promise, held to by the queue that ships for tests and by the real one alike: order, asking, time."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import gevent
import msgspec
import pytest

from gateway.domain.errors import BadRequest, SwitchboardError, TooLarge
from gateway.domain.job import Bury, Done, Draft, Retry, Snooze, partition_of
from gateway.domain.resilience.priority import Priority
from tests.contracts.job_queues import (
    PAYLOAD_BYTES_MAX,
    SOON_S,
    Queue,
    ended,
    kept,
    once,
)  # fmt: skip

# Order


def test_jobs_of_a_lane_run_one_at_a_time_in_the_order_of_asking(queue: Queue) -> None:
    inside: Counter[str] = Counter()

    def perform(context: Any, payload: Any) -> Done:
        inside[payload["lane"]] += 1
        assert inside[payload["lane"]] == 1
        gevent.sleep(0)
        inside[payload["lane"]] -= 1
        return Done()

    queue.on("step", perform)
    queue.jobs.enqueue_many(
        [
            Draft(kind="step", payload={"lane": lane, "n": n}, lane=f"lane {lane}")
            for n in range(30)
            for lane in range(20)
        ]
    )
    queue.finish()
    for lane in range(20):
        assert [one["n"] for one in queue.ran() if one["lane"] == lane] == list(range(30))
    assert Counter(run.attempt for run in queue.runs) == {1: 600}, "none failed, none ran twice"


def test_jobs_without_a_lane_wait_for_nobody(queue: Queue) -> None:
    queue.on("b", once(Retry("x", after_s=SOON_S)))
    queue.jobs.enqueue("b", None)
    for n in range(10):
        queue.jobs.enqueue("a", n)
    queue.finish()
    assert sorted(queue.ran("a")) == list(range(10))
    assert queue.runs[-1].kind == "b"


def test_a_job_asked_for_while_its_lane_runs_comes_behind_what_is_there(queue: Queue) -> None:
    def perform(context: Any, payload: int) -> Done:
        if payload == 0:
            queue.jobs.enqueue("step", 9, lane="l")
        return Done()

    queue.on("step", perform)
    for n in range(4):
        queue.jobs.enqueue("step", n, lane="l")
    queue.finish()
    assert queue.ran() == [0, 1, 2, 3, 9]


def test_what_is_more_important_goes_first(queue: Queue) -> None:
    lanes = [f"lane {n}" for n in range(2_000) if partition_of(f"lane {n}") == 7]
    for n, priority in enumerate([Priority.LOW, Priority.NORMAL, Priority.HIGH]):
        queue.jobs.enqueue("a", priority.name, lane=lanes[n], priority=priority)
    queue.finish()
    assert queue.ran() == ["HIGH", "NORMAL", "LOW"]


# What is asked for


def test_a_handler_gets_what_was_asked_for(queue: Queue) -> None:
    seen: list[Any] = []

    def perform(context: Any, payload: Any) -> Done:
        seen.append((context.job_id, context.attempt, context.trace_id, context.job.lane, context.holds()))
        return Done()

    queue.on("b", perform)
    done = queue.jobs.enqueue("b", {"to": "Ada", "n": [1, 2.5, None]}, lane="l", trace_id="trace")
    queue.finish()
    assert seen == [(done.job_id, 1, "trace", "l", True)]
    assert queue.ran() == [{"to": "Ada", "n": [1, 2.5, None]}]


def test_a_payload_is_what_its_handler_wants_it_to_be(queue: Queue) -> None:
    class Greeting(msgspec.Struct):
        to: str

    queue.on("greet", lambda context, greeting: Done(f"hello {greeting.to}"), Greeting)
    good, bad = kept(queue, "greet", Greeting("Ada")), kept(queue, "greet", {"to": 7})
    queue.finish()
    status = queue.jobs.status(good)
    assert status is not None
    assert status.result == "hello Ada"
    assert ended(queue, bad) == ("buried", "bad_payload")
    assert [run.job_id for run in queue.runs] == [good], "what nobody can read, nobody performs"


def test_a_kind_that_nobody_performs_is_a_dead_letter_that_says_who_could_be_meant(queue: Queue) -> None:
    job_id = kept(queue, "nobodys", lane="l")
    queue.jobs.enqueue("a", "behind", lane="l")
    queue.finish()
    assert ended(queue, job_id) == ("buried", "unknown_kind")
    status = queue.jobs.status(job_id)
    assert status is not None
    assert "expected one of a; got 'nobodys'" in status.detail
    assert queue.ran() == ["behind"]


@pytest.mark.parametrize(
    ("how", "error", "reason"),
    [
        ({"kind": "Two Words"}, BadRequest, "bad_kind"),
        ({"lane": ""}, BadRequest, "bad_lane"),
        ({"lane": "nul\0"}, BadRequest, "bad_lane"),
        ({"unique": "x" * 257}, BadRequest, "bad_unique"),
        ({"run_at": float("nan")}, BadRequest, "bad_run_at"),
        ({"run_at": 1.0, "delay_s": 1.0}, BadRequest, "bad_run_at"),
        ({"run_at": datetime(2026, 1, 1)}, BadRequest, "bad_run_at"),  # noqa: DTZ001 - what is wrong with it
        ({"priority": 7}, BadRequest, "bad_priority"),
        ({"keep_s": -1.0}, BadRequest, "bad_keep_s"),
        ({"payload": object()}, BadRequest, "bad_payload"),
        ({"payload": "x" * PAYLOAD_BYTES_MAX}, TooLarge, "payload_too_large"),
    ],
)
def test_what_can_never_be_written_is_refused_alike(
    queue: Queue, how: dict[str, Any], error: type[SwitchboardError], reason: str
) -> None:
    with pytest.raises(error) as refused:
        queue.jobs.enqueue(**{"kind": "a", "payload": {}, **how})
    assert refused.value.reason == reason
    queue.finish()
    assert queue.runs == []


def test_of_many_that_hold_one_that_can_never_be_written_none_is(queue: Queue) -> None:
    with pytest.raises(BadRequest):
        queue.jobs.enqueue_many([Draft(kind="a", payload=1), Draft(kind="a", payload=object())])
    queue.finish()
    assert queue.runs == []


# Unique keys


def test_while_an_unfinished_job_bears_a_key_no_other_is_written(queue: Queue) -> None:
    first = queue.jobs.enqueue("a", 1, unique="k")
    again = queue.jobs.enqueue("a", 2, unique="k", lane="l")
    other = queue.jobs.enqueue("a", 3, unique="another")
    assert (first.fresh, again.fresh, other.fresh) == (True, False, True)
    assert (again.job_id, again.partition) == (first.job_id, first.partition)
    queue.finish()
    assert sorted(queue.ran()) == [1, 3]


def test_of_many_with_one_key_one_is_written(queue: Queue) -> None:
    done = queue.jobs.enqueue_many([Draft(kind="a", payload=n, unique="k") for n in range(3)])
    assert [one.fresh for one in done] == [True, False, False]
    assert {one.job_id for one in done} == {done[0].job_id}
    queue.finish()
    assert queue.ran() == [0]


@pytest.mark.parametrize("outcome", [Done(), Bury("x")])
def test_a_key_is_free_when_its_job_has_ended(queue: Queue, outcome: Any) -> None:
    queue.on("b", once(outcome))
    queue.jobs.enqueue("b", None, unique="k")
    queue.finish()
    assert queue.jobs.enqueue("b", None, unique="k").fresh


@pytest.mark.parametrize("outcome", [Retry("x"), Snooze(0.0)])
def test_a_key_is_kept_over_every_try(queue: Queue, outcome: Any) -> None:
    fresh: list[bool] = []

    def perform(context: Any, payload: Any) -> Any:
        fresh.append(queue.jobs.enqueue("b", None, unique="k").fresh)
        return outcome if len(fresh) == 1 else Done()

    queue.on("b", perform)
    queue.jobs.enqueue("b", None, unique="k")
    queue.finish()
    assert fresh == [False, False]


# Time


def test_a_job_for_later_joins_its_lane_when_it_is_due(queue: Queue) -> None:
    asked_at = queue.now()
    later = queue.jobs.enqueue("a", "later", lane="l", delay_s=SOON_S)
    status = queue.jobs.status(later.job_id)
    assert status is not None
    assert (status.state, status.due_at) == ("scheduled", pytest.approx(asked_at + SOON_S, abs=0.2))
    for n in range(3):
        queue.jobs.enqueue("a", n, lane="l")
    queue.finish()
    assert queue.ran() == [0, 1, 2, "later"]
    assert queue.runs[-1].at >= asked_at + SOON_S


def test_when_a_job_comes_due_it_stands_behind_what_waits_in_its_lane(queue: Queue) -> None:
    """Law: whoever asked for now is not passed by one who asked before, but for later."""
    queue.on("b", once(Retry("x", after_s=2 * SOON_S)))
    queue.jobs.enqueue("b", "later", lane="l", delay_s=SOON_S)
    for payload in ("first", "second", "third"):
        queue.jobs.enqueue("b", payload, lane="l")
    queue.finish()
    assert queue.ran() == ["first", "first", "second", "third", "later"]


def test_jobs_for_later_run_in_the_order_in_which_they_are_due(queue: Queue) -> None:
    for n, delay_s in enumerate([3, 1, 2]):
        queue.jobs.enqueue("a", n, lane="l", delay_s=delay_s * SOON_S / 3)
    queue.finish()
    assert queue.ran() == [1, 2, 0]


def test_a_time_may_be_given_as_one_with_a_zone_and_what_is_past_is_due(queue: Queue) -> None:
    at = queue.now() + SOON_S
    queue.jobs.enqueue("a", "then", run_at=datetime.fromtimestamp(at, UTC))
    past = queue.jobs.enqueue("a", "past", run_at=1.0)
    status = queue.jobs.status(past.job_id)
    assert status is not None
    assert status.state == "ready"
    queue.finish()
    assert queue.ran() == ["past", "then"]
    assert queue.runs[-1].at >= at
