"""What jobs promise, held to by the queue that ships for tests and by the real one alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import gevent
import msgspec
import pytest

from gateway.domain.errors import BadRequest, Overloaded, SwitchboardError, TooLarge
from gateway.domain.job import Bury, Done, Draft, Retry, Snooze, partition_of
from gateway.domain.resilience.priority import Priority
from tests.contracts.job_queues import ATTEMPTS_MAX, PAYLOAD_BYTES_MAX, MemoryQueue, Queue, RealQueue
from tests.support.waiting import GUARD_S, until

#: Seconds that make a difference in both.
SOON_S = 0.3


@pytest.fixture(autouse=True)
def _guard() -> Iterator[None]:
    """What waits for ever fails here, at the line where it waits."""
    with gevent.Timeout(3 * GUARD_S):
        yield


@pytest.fixture(params=["memory", "real"])
def queue(request: pytest.FixtureRequest) -> Iterator[Queue]:
    queue: Queue
    if request.param == "memory":
        queue = MemoryQueue()
    else:
        queue = RealQueue(request.getfixturevalue("database"), request.getfixturevalue("redis_url"))
    queue.on("a")
    yield queue
    queue.close()


def kept(queue: Queue, kind: str = "a", payload: Any = None, **how: Any) -> int:
    """Ask for a job whose end can be looked at."""
    return queue.jobs.enqueue(kind, payload, keep_s=60.0, **how).job_id


def ended(queue: Queue, job_id: int) -> tuple[str, str]:
    """How it ended: its state and the reason."""
    status = queue.jobs.status(job_id)
    assert status is not None
    assert status.ended
    return status.state, status.reason


def once(first: Any, *rest: Any) -> Any:
    """A handler that returns these, one a run, and Done from then on; of an exception it raises it."""
    outcomes = iter([first, *rest])

    def perform(context: Any, payload: Any) -> Any:
        outcome = next(outcomes, Done()) if payload in {None, "first"} else Done()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    return perform


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


# How it may end


def test_a_retry_holds_its_lane_and_no_other(queue: Queue) -> None:
    queue.on("b", once(Retry("timeout", after_s=SOON_S)))
    queue.jobs.enqueue("b", "first", lane="l")
    queue.jobs.enqueue("b", "behind", lane="l")
    queue.jobs.enqueue("a", "elsewhere", lane="m")
    queue.finish()
    assert [run.payload for run in queue.runs if run.kind == "b"] == ["first", "first", "behind"]
    assert queue.runs.index(next(run for run in queue.runs if run.kind == "a")) < 2
    first, again = (run for run in queue.runs if run.payload == "first")
    assert (first.attempt, again.attempt) == (1, 2)
    assert again.at - first.at >= SOON_S


def test_a_snooze_leaves_its_lane_and_joins_it_at_its_end(queue: Queue) -> None:
    queue.on("b", lambda context, payload: outcomes.pop() if payload == "first" else Done())
    outcomes = [Done(), Snooze(queue.now() + SOON_S, "not yet")]
    queue.jobs.enqueue("b", "first", lane="l")
    queue.jobs.enqueue("b", "behind", lane="l")
    queue.finish()
    assert queue.ran() == ["first", "behind", "first"]
    assert [run.attempt for run in queue.runs] == [1, 1, 1], "it has not failed"
    assert queue.runs[2].at - queue.runs[0].at >= SOON_S / 2


def test_what_is_buried_says_why_and_its_lane_goes_on(queue: Queue) -> None:
    queue.on("b", once(Bury("no_use", "none at all")))
    buried = queue.jobs.enqueue("b", "first", lane="l").job_id
    queue.jobs.enqueue("b", "behind", lane="l")
    queue.finish()
    status = queue.jobs.status(buried)
    assert status is not None
    assert (status.state, status.reason, status.detail) == ("buried", "no_use", "none at all")
    assert status.finished_at is not None
    assert queue.ran() == ["first", "behind"]


def test_tries_are_bounded_and_the_dead_letter_says_what_the_last_one_said(queue: Queue) -> None:
    queue.on("b", lambda context, payload: Retry("timeout", f"try {context.attempt}"))
    job_id = kept(queue, "b")
    queue.finish()
    assert ended(queue, job_id) == ("buried", "attempts_exhausted")
    assert [run.attempt for run in queue.runs] == list(range(1, ATTEMPTS_MAX + 1))
    status = queue.jobs.status(job_id)
    assert status is not None
    assert status.attempts == ATTEMPTS_MAX
    assert f"timeout. try {ATTEMPTS_MAX}" in status.detail


def test_a_kind_has_its_own_bound_of_tries(queue: Queue) -> None:
    queue.on("b", lambda context, payload: Retry("x"), attempts_max=2)
    queue.jobs.enqueue("b", None)
    queue.finish()
    assert len(queue.runs) == 2


def test_what_was_no_try_is_not_counted(queue: Queue) -> None:
    queue.on("b", once(*[Retry("full", after_s=0.0, counted=False)] * (ATTEMPTS_MAX + 2)))
    job_id = kept(queue, "b")
    queue.finish()
    assert ended(queue, job_id)[0] == "done"
    assert {run.attempt for run in queue.runs} == {1}


def test_what_a_handler_raises_is_a_failed_try(queue: Queue) -> None:
    queue.on("b", once(ZeroDivisionError("secret words"), Overloaded("full", reason="pool_full", retry_after_s=1)))
    job_id = kept(queue, "b")
    queue.finish()
    assert ended(queue, job_id) == ("done", "")
    assert [run.attempt for run in queue.runs] == [1, 2, 3]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ZeroDivisionError("secret words"), "ZeroDivisionError"),
        (SystemExit("secret words"), "SystemExit"),
        (Overloaded("secret words", reason="pool_full", retry_after_s=1), "pool_full"),
    ],
)
def test_what_is_raised_last_is_named_and_its_words_are_not_kept(
    queue: Queue, error: BaseException, reason: str
) -> None:
    """Law: they may be a user's, or hold a secret."""
    queue.on("b", once(error), attempts_max=1)
    job_id = kept(queue, "b")
    queue.finish()
    status = queue.jobs.status(job_id)
    assert status is not None
    assert (status.state, status.reason) == ("buried", "attempts_exhausted")
    assert reason in status.detail
    assert "secret" not in status.detail


@pytest.mark.parametrize("outcome", [None, True, "done", Done])
def test_a_handler_that_returns_no_outcome_has_failed(queue: Queue, outcome: Any) -> None:
    """Law: whoever forgets to say that it is done has not said so."""
    queue.on("b", lambda context, payload: outcome)
    job_id = kept(queue, "b")
    queue.finish()
    assert ended(queue, job_id) == ("buried", "attempts_exhausted")
    status = queue.jobs.status(job_id)
    assert status is not None
    assert f"bad_outcome. expected its handler to return Done, Retry, Snooze or Bury, got {type(outcome).__name__}" in (
        status.detail
    )


@pytest.mark.parametrize("after_s", [float("nan"), -1.0])
def test_a_strange_pause_comes_to_an_end_too(queue: Queue, after_s: float) -> None:
    queue.on("b", once(Retry("x", after_s=after_s), Bury("seen")))
    strange, other = kept(queue, "b"), kept(queue)
    queue.finish()
    assert ended(queue, strange) == ("buried", "seen")
    assert ended(queue, other)[0] == "done"


# Results and progress


def test_a_result_is_kept_where_that_was_asked_for(queue: Queue) -> None:
    queue.on("b", lambda context, payload: Done({"made": [3, None]}))
    with_result, without = kept(queue, "b"), queue.jobs.enqueue("b", None).job_id
    queue.finish()
    status = queue.jobs.status(with_result)
    assert status is not None
    assert (status.state, status.result, status.ended) == ("done", {"made": [3, None]}, True)
    assert queue.jobs.status(without) is None


@pytest.mark.parametrize("result", [object(), "\ud800", "x" * PAYLOAD_BYTES_MAX])
def test_a_result_that_cannot_be_kept_buries_its_job_and_harms_no_other(queue: Queue, result: Any) -> None:
    queue.on("b", lambda context, payload: Done(result))
    bad, good = kept(queue, "b"), kept(queue)
    queue.finish()
    assert ended(queue, bad) == ("buried", "bad_result")
    assert ended(queue, good)[0] == "done"
    assert len(queue.runs) == 2, "its work is done: it is not done again"


def test_a_job_that_was_never_asked_for_has_no_status(queue: Queue) -> None:
    assert queue.jobs.status(2**40) is None


def test_a_job_can_be_looked_at_before_it_runs(queue: Queue) -> None:
    job_id = kept(queue, lane="l")
    status = queue.jobs.status(job_id)
    assert status is not None
    assert (status.kind, status.lane, status.state, status.attempts, status.ended) == ("a", "l", "ready", 0, False)
    assert status.created_at == pytest.approx(queue.now(), abs=GUARD_S)
    assert (status.progress, status.result, status.reason, status.finished_at) == (None, None, "", None)


def test_whoever_waits_for_a_job_gets_its_end(queue: Queue) -> None:
    queue.on("b", lambda context, payload: Done(7))
    job_id = kept(queue, "b")
    if isinstance(queue, RealQueue):
        queue.start()
    status = queue.jobs.wait(job_id, GUARD_S)
    assert status is not None
    assert (status.state, status.result) == ("done", 7)


def test_progress_is_seen_while_the_job_runs(queue: Queue) -> None:
    seen: list[Any] = []

    def perform(context: Any, payload: Any) -> Done:
        for n in (1, 2):
            context.progress({"done": n})
            seen.append(until("it to be seen", lambda n=n: _progress(context.job_id, n)))
        return Done()

    def _progress(job_id: int, n: int) -> Any:
        status = queue.jobs.status(job_id)
        return status.progress if status and status.progress == {"done": n} else None

    queue.on("b", perform)
    job_id = kept(queue, "b")
    queue.finish()
    assert seen == [{"done": 1}, {"done": 2}]
    status = queue.jobs.status(job_id)
    assert status is not None
    assert status.progress == {"done": 2}


def test_progress_that_is_no_json_is_its_handlers_fault(queue: Queue) -> None:
    queue.on("b", lambda context, payload: context.progress(object()))
    job_id = kept(queue, "b")
    queue.finish()
    assert ended(queue, job_id) == ("buried", "attempts_exhausted")


# What comes next


def test_what_follows_is_asked_for_with_the_end(queue: Queue) -> None:
    follow_ups = (
        Draft(kind="a", payload=1, lane="l"),
        Draft(kind="a", payload=2, lane="l"),
        Draft(kind="a", payload=3, lane="l", unique="k"),
        Draft(kind="a", payload=4, lane="l", unique="k"),
        Draft(kind="a", payload=5, lane="l", run_at=queue.now() + SOON_S),
    )
    queue.on("b", lambda context, payload: Done(then=follow_ups))
    queue.jobs.enqueue("b", None)
    queue.finish()
    assert queue.ran("a") == [1, 2, 3, 5]


def test_a_chain_comes_to_its_end(queue: Queue) -> None:
    queue.on("b", lambda context, n: Done(then=(Draft(kind="b", payload=n - 1),) if n else ()))
    queue.jobs.enqueue("b", 20)
    queue.finish()
    assert queue.ran() == list(range(20, -1, -1))


def test_nothing_follows_what_has_failed(queue: Queue) -> None:
    queue.on("b", once(Retry("x"), Done(then=(Draft(kind="a", payload=1),))))
    queue.jobs.enqueue("b", None)
    queue.finish()
    assert queue.ran("a") == [1]


@pytest.mark.parametrize(
    "draft",
    [Draft(kind="Two Words", payload=1), Draft(kind="a", payload=object()), Draft(kind="a", payload=1, lane=""), "a"],
)
def test_what_can_never_be_asked_for_buries_its_job_and_harms_no_other(queue: Queue, draft: Any) -> None:
    """Law: ends are written many at a time, and one handler's fault is that job's alone."""
    queue.on("b", lambda context, payload: Done(then=(Draft(kind="a", payload="never"), draft)))
    bad, good = kept(queue, "b"), kept(queue, "a", "good")
    queue.finish()
    assert ended(queue, bad) == ("buried", "bad_follow_up")
    assert ended(queue, good)[0] == "done"
    assert queue.ran("a") == ["good"], "all of it, or nothing"
