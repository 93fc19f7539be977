"""Endings: what a handler returns becomes something that the ledger takes, whatever it is."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.job import Bury, Done, Draft, Job, JobEnd, JobOutcome, Retry, Snooze
from gateway.jobs.endings import ending
from gateway.settings.jobs import JobSettings

SETTINGS = JobSettings(payload_bytes_max=64, backoff_base_s=1.0, backoff_max_s=8.0)
NOW = 1_000_000.0


def job(*, attempts: int = 0, keep_s: float = 0.0, lane: str | None = None) -> Job:
    return Job(
        job_id=7, place=7, partition=7, fence=1, priority=1, kind="test.noop", lane=lane, payload="{}",
        attempts=attempts, deaths=0, wait_s=0.0, keep_s=keep_s, trace_id="", age_s=0.0, claim=1,
    )  # fmt: skip


def ended(
    outcome: Any,
    *,
    attempts: int = 0,
    keep_s: float = 0.0,
    attempts_max: int = 3,
    jitter: float = 0.5,
    lane: str | None = None,
) -> JobEnd:
    return ending(
        job(attempts=attempts, keep_s=keep_s, lane=lane),
        outcome,
        SETTINGS,
        attempts_max=attempts_max,
        jitter=jitter,
        unix_now=NOW,
    )


def test_done_is_done_and_its_result_is_for_those_who_asked_to_keep_it() -> None:
    assert ended(Done({"made": 3})) == JobEnd(job(), "done", 0)
    assert ended(Done({"made": 3}), keep_s=9.0).result == '{"made":3}'
    assert ended(Done(), keep_s=9.0).result == "null"


def test_what_is_asked_for_next_is_checked_and_encoded() -> None:
    end = ended(Done(then=(Draft(kind="a", payload={"n": 1}), Draft(kind="b", payload=None))))
    assert (end.fate, [one.kind for one in end.then]) == ("done", ["a", "b"])
    assert [bytes(one.payload) for one in end.then] == [b'{"n":1}', b"null"]


@pytest.mark.parametrize(
    "then",
    [
        (Draft(kind="Two Words", payload=1),),
        (Draft(kind="a", payload=1), Draft(kind="a", payload=object())),
        (Draft(kind="a", payload="x" * 100),),
        (Draft(kind="a", payload=1, lane="\0"),),
        (Draft(kind="a", payload=1, run_at=math.nan),),
        (Draft(kind=7, payload=1),),  # type: ignore[arg-type]  # nothing checks what a handler builds
        (Draft(kind="a", payload=1, lane=7),),  # type: ignore[arg-type]
        ({"kind": "a"},),
        Draft(kind="a", payload=1),
        7,
    ],
)
def test_a_follow_up_that_can_never_be_written_buries_its_job(then: Any) -> None:
    """Law: it would hold up what others in its batch have done, again and again."""
    for keep_s in (0.0, 9.0):
        end = ended(Done(then=then), keep_s=keep_s)
        assert (end.fate, end.reason, end.then) == ("bury", "bad_follow_up", ())


def cycle() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


@pytest.mark.parametrize("result", [object(), {1j}, "\ud800", cycle(), {"\ud800": 1}, "x" * 100])
def test_a_result_that_can_never_be_written_buries_its_job_where_it_was_to_be_kept(result: Any) -> None:
    """Law: not another try, for its work is done."""
    end = ended(Done(result), keep_s=9.0)
    assert (end.fate, end.reason, end.result) == ("bury", "bad_result", None)
    assert ended(Done(result)).fate == "done"


def test_a_result_at_the_bound_is_kept_and_the_refusal_names_the_bound() -> None:
    assert ended(Done("x" * 62), keep_s=9.0).fate == "done"
    assert "at most 64 bytes (jobs.payload_bytes_max), got 65" in ended(Done("x" * 63), keep_s=9.0).detail


def test_a_retry_is_a_try_that_failed() -> None:
    end = ended(Retry("timeout", "nobody there", after_s=2.5), attempts=1)
    assert end == JobEnd(job(attempts=1), "retry", 2, "timeout", "nobody there", after_s=2.5)


@pytest.mark.parametrize(
    ("attempts", "jitter", "after_s"), [(0, 1.0, 1.0), (1, 1.0, 2.0), (2, 0.5, 2.0), (9, 1.0, 8.0), (9, 0.0, 0.0)]
)
def test_a_retry_that_names_no_time_backs_off_with_full_jitter(attempts: int, jitter: float, after_s: float) -> None:
    assert ended(Retry("x"), attempts=attempts, jitter=jitter, attempts_max=99).after_s == after_s


def test_a_long_pause_of_a_job_in_no_lane_is_spent_in_the_ledger() -> None:
    """Law: events for a receiver that is away for days must not fill a worker's memory; each is a try all the same."""
    end = ended(Retry("http_500", after_s=3_600.0), attempts=1)
    assert (end.fate, end.attempts, end.after_s) == ("snooze", 2, 3_600.0)
    assert ended(Retry("http_500", after_s=3_600.0), attempts=2).fate == "bury"
    assert ended(Retry("http_500", after_s=5.0)).fate == "retry"
    assert ended(Retry("http_500", after_s=3_600.0), lane="a").fate == "retry", "it would be overtaken in its lane"


def test_the_last_try_is_the_last_and_says_why_it_failed() -> None:
    assert ended(Retry("x"), attempts=1).fate == "retry"
    end = ended(Retry("timeout", "nobody there"), attempts=2)
    assert (end.fate, end.reason, end.attempts) == ("bury", "attempts_exhausted", 3)
    assert end.detail == "3 tries (jobs.attempts_max, or the kind's own), the last one: timeout. nobody there"


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_try_that_failed_without_a_reason_says_that(nothing: Any) -> None:
    end = ended(Retry(nothing, nothing), attempts=2)
    assert end.detail == "3 tries (jobs.attempts_max, or the kind's own), the last one: no reason given"
    assert ended(Retry("timeout"), attempts=2).detail.endswith("the last one: timeout")
    assert ended(Bury(nothing, nothing)) == JobEnd(job(), "bury", 0, "no reason given", "")


def test_what_does_not_count_is_never_the_last_one() -> None:
    """Law: that there was no room for it is not the job's fault."""
    end = ended(Retry("full", after_s=1.0, counted=False), attempts=9)
    assert (end.fate, end.attempts) == ("retry", 9)


def test_a_snooze_counts_nothing_and_lasts_until_the_time_it_names() -> None:
    end = ended(Snooze(NOW + 60, "not yet"), attempts=1)
    assert end == JobEnd(job(attempts=1), "snooze", 1, "not yet", after_s=60.0)
    assert ended(Snooze(NOW - 60)).after_s == 0


def test_what_is_buried_says_why() -> None:
    assert ended(Bury("no_use", "none")) == JobEnd(job(), "bury", 0, "no_use", "none")


@pytest.mark.parametrize("outcome", [Retry, Bury])
def test_words_that_cannot_be_kept_are_mended_and_long_ones_are_cut(outcome: Any) -> None:
    end = ended(outcome("a\0" + "r" * 999, "\ud800" + "d" * 9_999))
    assert end.reason.startswith("a\ufffdr")
    assert end.detail.startswith("\ufffdd")
    assert (len(end.reason), len(end.detail)) == (200, 2_000)


@pytest.mark.parametrize(
    "outcome",
    [
        Retry("x", after_s=math.nan),
        Retry("x", after_s="soon"),  # type: ignore[arg-type]  # nothing checks what a handler builds
        Snooze(math.nan),
        Snooze(datetime(2026, 1, 1, tzinfo=UTC)),  # type: ignore[arg-type]
        Snooze(None),  # type: ignore[arg-type]
    ],
)
def test_a_time_that_is_none_is_a_failed_try(outcome: JobOutcome) -> None:
    """Law: counted, so that it comes to an end; never "at once", for ever."""
    end = ended(outcome)
    assert (end.fate, end.reason, end.attempts) == ("retry", "bad_outcome", 1)
    assert ended(outcome, attempts=2).fate == "bury"


@given(
    st.builds(Retry, st.text(), st.text(), st.none() | st.floats(), st.booleans())
    | st.builds(Snooze, st.floats(), st.text())
    | st.builds(Bury, st.text(), st.text())
    | st.builds(Done, st.recursive(st.none() | st.text() | st.floats(), st.lists)),
    st.integers(0, 5),
    st.sampled_from([0.0, 9.0]),
)
def test_whatever_is_returned_can_be_written(outcome: JobOutcome, attempts: int, keep_s: float) -> None:
    end = ended(outcome, attempts=attempts, keep_s=keep_s)
    assert 0 <= end.after_s < 4e9
    for text in (end.reason, end.detail, end.result or ""):
        text.encode()
        assert "\0" not in text
    if end.result is not None:
        msgspec.json.decode(end.result)
