"""What becomes of jobs, in the queue that ships for tests and in the real one alike: ends, results, what comes next."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.domain.errors import Overloaded
from gateway.domain.job import Bury, Done, Draft, Retry, Snooze
from tests.contracts.job_queues import (
    ATTEMPTS_MAX,
    PAYLOAD_BYTES_MAX,
    SOON_S,
    Queue,
    RealQueue,
    ended,
    kept,
    once,
)  # fmt: skip
from tests.support.waiting import GUARD_S, until

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
    # From now on, and not from its first run on: a worker may be slow to begin.
    not_before = queue.now() + SOON_S
    outcomes = [Done(), Snooze(not_before, "not yet")]
    queue.jobs.enqueue("b", "first", lane="l")
    queue.jobs.enqueue("b", "behind", lane="l")
    queue.finish()
    assert queue.ran() == ["first", "behind", "first"]
    assert [run.attempt for run in queue.runs] == [1, 1, 1], "it has not failed"
    assert queue.runs[2].at >= not_before


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
