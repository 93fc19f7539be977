"""The spine: whatever a job is and its handler does, it gets an end that says what happened."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import msgspec
import pytest

from gateway.domain.errors import TryLater
from gateway.domain.job import Bury, Done, Draft, Job, JobEnd, Retry, Snooze
from gateway.settings.jobs import JobSettings
from tests.server.telling import told
from tests.support.handling import Handling
from tests.support.waiting import GUARD_S
from tests.workers.board_jobs import job
from workers.context import Context
from workers.executor import Executor, Stopped, TimeLimit
from workers.registry import Handler

SECRET = "what the user wrote"


class Order(msgspec.Struct, forbid_unknown_fields=True):
    drink: str


class Spine:
    """An executor, and the kinds that it knows."""

    def __init__(self, handling: Handling) -> None:
        self.handlers: dict[str, Handler] = {}
        self.reported: list[tuple[Job, Any]] = []
        self.contexts: list[Context] = []
        self.it = Executor(
            self.handlers,
            handling.tools,
            JobSettings(attempts_max=5, time_limit_s=7.0),
            report=lambda job, value: self.reported.append((job, value)),
        )

    def on(self, perform: Callable[[Context, Any], Any], payload: Any = Any, **bounds: Any) -> None:
        def run(context: Context, given: Any) -> Any:
            self.contexts.append(context)
            return perform(context, given)

        self.handlers["k"] = Handler("k", msgspec.json.Decoder(payload).decode, run, **bounds)

    def run(self, given: Job | None = None, **changes: Any) -> JobEnd:
        changed = msgspec.structs.replace(given or job(1, "l"), **changes)
        return self.it.execute(changed, time.monotonic() + GUARD_S)


@pytest.fixture
def spine(database: str, redis_url: str) -> Iterator[Spine]:
    with Handling(database, redis_url) as handling:
        yield Spine(handling)


def raising(error: BaseException) -> Callable[[Context, Any], Any]:
    def perform(_: Context, __: Any) -> Any:
        raise error

    return perform


def test_its_outcome_becomes_its_end(spine: Spine) -> None:
    follows = Draft(kind="next", payload=None)
    for outcome, fate in (
        (Done(then=(follows,)), "done"),
        (Retry("x"), "retry"),
        (Snooze(until=time.time() + 5), "snooze"),
        (Bury("x"), "bury"),
    ):
        spine.on(lambda _, __, outcome=outcome: outcome)
        assert spine.run().fate == fate


def test_a_handler_is_given_its_payload_and_its_circumstances(spine: Spine) -> None:
    given: list[Any] = []

    def perform(context: Context, payload: Order) -> Done:
        given.append(payload)
        context.progress(0.5)
        return Done()

    spine.on(perform, Order)
    ends_at = time.monotonic() + GUARD_S
    asked = msgspec.structs.replace(job(7, "l"), payload='{"drink": "tea"}', attempts=2, trace_id="t")
    spine.it.execute(asked, ends_at)
    [context] = spine.contexts
    assert given == [Order("tea")]
    assert (context.job_id, context.attempt, context.trace_id) == (7, 3, "t")
    assert context.deadline.expires_at == ends_at
    assert context.holds()
    assert spine.reported == [(asked, 0.5)]


def test_a_kind_that_nobody_performs_is_a_dead_letter_that_names_who_could_be_meant(spine: Spine) -> None:
    spine.on(lambda *_: Done())
    end = spine.run(kind="kk")
    assert (end.fate, end.reason) == ("bury", "unknown_kind")
    assert "expected one of k; got 'kk'" in end.detail


@pytest.mark.parametrize("payload", ["{}", '{"drink": 1}', '{"drink": "tea", "x": 1}', "[" * 50_000])
def test_a_payload_that_is_no_such_thing_buries_its_job(spine: Spine, payload: str) -> None:
    """Law: another try would read the same."""
    spine.on(lambda *_: Done(), Order)
    end = spine.run(payload=payload)
    assert (end.fate, end.reason, spine.contexts) == ("bury", "bad_payload", [])


def test_a_payload_that_is_too_deep_buries_its_job(spine: Spine) -> None:
    spine.on(lambda *_: Done())
    assert spine.run(payload="[" * 50_000 + "]" * 50_000).reason == "bad_payload"


class Fickle(msgspec.Struct):
    def __post_init__(self) -> None:
        raise KeyError(SECRET)


def test_a_payload_whose_own_code_crashes_is_a_failed_try(spine: Spine) -> None:
    spine.on(lambda *_: Done(), Fickle)
    end = spine.run(payload="{}")
    assert (end.fate, end.reason) == ("retry", "KeyError")
    assert SECRET not in end.detail


@pytest.mark.parametrize("deaths", [3, 4])
def test_what_has_killed_too_many_is_buried_without_being_run(spine: Spine, deaths: int) -> None:
    spine.on(lambda *_: Done())
    end = spine.run(deaths=deaths)
    assert (end.fate, end.reason, spine.contexts) == ("bury", "deaths", [])
    assert spine.run(deaths=2).fate == "done"


@pytest.mark.parametrize(
    "error", [ZeroDivisionError(SECRET), SystemExit(SECRET), gevent.GreenletExit(SECRET)]
)
def test_what_a_handler_raises_is_a_failed_try_that_the_log_explains(
    spine: Spine, error: BaseException
) -> None:
    """Law: whatever it is; and its words are kept nowhere, for they may be a user's."""
    spine.on(raising(error))
    with told("job.crashed") as heard:
        end = spine.run()
    assert (end.fate, end.reason, end.attempts) == ("retry", type(error).__name__, 1)
    [event] = heard.events
    assert (event["job_id"], event["attempt"], event["reason"]) == (1, 1, type(error).__name__)
    assert "test_run_jobs.py" in event["detail"]
    assert SECRET not in end.detail + repr(event)


def test_a_forgotten_timeout_is_a_failed_try(spine: Spine) -> None:
    """Law: it is no ``Exception``, and would end the greenlet that runs other jobs after this one."""

    def perform(_: Context, __: Any) -> Done:
        gevent.Timeout.start_new(0.01)
        gevent.sleep(GUARD_S)
        return Done()

    spine.on(perform)
    assert spine.run().reason == "Timeout"


def test_our_own_errors_give_their_reason(spine: Spine) -> None:
    spine.on(raising(TryLater("later", reason="busy_now", retry_after_s=1)))
    assert spine.run().reason == "busy_now"


@pytest.mark.parametrize("outcome", [None, True, "done", Done, {"fate": "done"}])
def test_what_is_no_outcome_is_a_failed_try(spine: Spine, outcome: object) -> None:
    spine.on(lambda *_: outcome)
    with told("job.failed") as heard:
        end = spine.run()
    assert (end.fate, end.reason, heard.reasons) == ("retry", "bad_outcome", ["bad_outcome"])
    assert f"got {type(outcome).__name__}" in end.detail


class Angry:
    """What a handler may put into its outcome, for nobody checks the types of its fields."""

    def __str__(self) -> str:
        raise KeyError(SECRET)

    def __iter__(self) -> Iterator[Draft]:
        raise KeyError(SECRET)


@pytest.mark.parametrize(
    "outcome",
    [Done(then=Angry()), Retry(Angry()), Retry("x", Angry()), Bury(Angry()), Retry("x", after_s="soon")],  # type: ignore[arg-type]
)
def test_an_outcome_that_strikes_who_reads_it_is_a_failed_try(spine: Spine, outcome: object) -> None:
    """Law: without an end its lane would stand still for as long as the process lives, and nobody would know why."""
    spine.on(lambda *_: outcome)
    end = spine.run()
    assert (end.fate, end.reason) == ("retry", "bad_outcome")
    assert SECRET not in end.detail


def test_tries_are_counted_to_the_kinds_own_bound_or_else_to_the_settings(spine: Spine) -> None:
    spine.on(raising(ZeroDivisionError()))
    assert spine.run(attempts=3).fate == "retry"
    assert (spine.run(attempts=4).fate, spine.run(attempts=4).reason) == ("bury", "attempts_exhausted")
    spine.on(raising(ZeroDivisionError()), attempts_max=2)
    assert spine.run(attempts=0).fate == "retry"
    assert spine.run(attempts=1).fate == "bury"
    spine.on(raising(ZeroDivisionError()), attempts_max=sys.maxsize)
    assert spine.run(attempts=1_000_000).fate == "retry"


def test_a_time_limit_is_a_failed_try_and_names_its_limit(spine: Spine) -> None:
    spine.on(raising(TimeLimit()))
    assert "its time limit of 7 s" in spine.run().detail
    spine.on(raising(TimeLimit()), time_limit_s=2.5)
    with told("job.failed") as heard:
        end = spine.run()
    assert (end.fate, end.reason, heard.reasons) == ("retry", "time_limit", ["time_limit"])
    assert "its time limit of 2.5 s" in end.detail


def test_of_what_was_stopped_nothing_is_to_be_written(spine: Spine) -> None:
    """Law: this process may not say anything of it, not even that it failed."""
    spine.on(raising(Stopped()))
    with told("job.failed", "job.crashed") as heard, pytest.raises(Stopped):
        spine.run()
    assert heard.events == []
