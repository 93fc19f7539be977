"""Drafts: what can never be written is refused where it is asked for, by name."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.errors import BadRequest, TooLarge
from gateway.domain.job import Draft
from gateway.domain.resilience.priority import Priority
from gateway.jobs.drafts import checked, draft, due_at
from gateway.jobs.kinds import OWN_KEYS

BYTES_MAX = 1_000


class Report(msgspec.Struct):
    account: str


def asked(kind: str = "test.noop", payload: Any = None, **how: Any) -> Draft:
    return draft(kind, payload, payload_bytes_max=BYTES_MAX, **how)


def refused(**how: Any) -> BadRequest:
    with pytest.raises(BadRequest) as error:
        asked(**how)
    return error.value


def test_a_draft_holds_what_was_asked_for_and_its_payload_encoded() -> None:
    made = asked(
        "report.make",
        Report("7"),
        lane="account:7",
        run_at=12.5,
        unique="report:7",
        priority=Priority.LOW,
        keep_s=60,
        trace_id="trace",
    )
    assert made == Draft(
        kind="report.make",
        payload=msgspec.Raw(b'{"account":"7"}'),
        lane="account:7",
        run_at=12.5,
        unique="report:7",
        priority=Priority.LOW,
        keep_s=60,
        trace_id="trace",
    )


def test_a_checked_draft_is_itself_when_it_is_checked_again() -> None:
    once = checked(Draft(kind="a", payload={"n": 1}, lane="l"), payload_bytes_max=BYTES_MAX)
    assert checked(once, payload_bytes_max=BYTES_MAX) == once


@pytest.mark.parametrize("kind", ["a", "reply.send", "a-b_c.9", "x" * 64])
def test_a_kind_is_a_word(kind: str) -> None:
    assert asked(kind).kind == kind


@pytest.mark.parametrize("kind", ["", "A", "1a", "a b", "a\n", ".a", "x" * 65, "a\0", "é"])
def test_a_kind_that_is_no_word_is_refused(kind: str) -> None:
    assert refused(kind=kind).reason == "bad_kind"


@pytest.mark.parametrize("field", ["lane", "unique", "trace_id"])
@pytest.mark.parametrize("text", ["x" * 257, "a\0b", "\ud800", "é" * 257])
def test_a_text_that_cannot_be_kept_is_refused_and_not_repeated(field: str, text: str) -> None:
    """Law: the refusal says nothing of what may be a person's."""
    error = refused(**{field: text})
    assert error.reason == f"bad_{field}"
    assert text not in str(error)


@pytest.mark.parametrize("field", ["lane", "unique"])
def test_an_empty_lane_or_key_is_refused(field: str) -> None:
    """Law: it would be one lane for all who forgot to name theirs."""
    assert refused(**{field: ""}).reason == f"bad_{field}"


@pytest.mark.parametrize("text", ["x" * 256, "Ünïcödé \U0001f600", "a b:c/d"])
def test_any_other_text_is_a_lane(text: str) -> None:
    assert asked(lane=text).lane == text


def test_a_payload_over_the_bound_is_refused_and_one_at_it_is_not() -> None:
    assert len(asked(payload="x" * (BYTES_MAX - 2)).payload) == BYTES_MAX
    with pytest.raises(TooLarge, match=r"at most 1000 bytes \(jobs.payload_bytes_max\), got 1001"):
        asked(payload="x" * (BYTES_MAX - 1))


def cycle() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


@pytest.mark.parametrize(
    "payload", [object(), {"a": {1j}}, "\ud800", cycle()], ids=["object", "set", "surrogate", "cycle"]
)
def test_a_payload_that_is_no_json_is_refused(payload: Any) -> None:
    assert refused(payload=payload).reason == "bad_payload"


@pytest.mark.parametrize("run_at", [math.nan, math.inf, 1e12])
def test_a_time_that_never_comes_is_refused(run_at: float) -> None:
    assert refused(run_at=run_at).reason == "bad_run_at"


def test_a_time_without_a_zone_is_refused_and_one_with_is_taken() -> None:
    """Law: nobody guesses whose midnight is meant."""
    assert refused(run_at=datetime(2026, 1, 1)).reason == "bad_run_at"  # noqa: DTZ001
    assert asked(run_at=datetime(1970, 1, 2, tzinfo=UTC)).run_at == 86_400


def test_a_time_before_all_times_is_long_past() -> None:
    assert asked(run_at=-1e300).run_at == asked(run_at=-(10**400)).run_at == 0


@pytest.mark.parametrize("keep_s", [-1, math.nan, math.inf, 91 * 86_400])
def test_a_result_is_kept_for_a_bounded_time(keep_s: float) -> None:
    assert refused(keep_s=keep_s).reason == "bad_keep_s"


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": 7},
        {"kind": ["a"]},
        {"lane": 7},
        {"unique": b"key"},
        {"trace_id": None},
        {"run_at": "tomorrow"},
        {"run_at": 10**400},
        {"run_at": 10**5_000},
        {"run_at": -math.inf},
        {"keep_s": "60"},
        {"keep_s": None},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_is_of_another_type_is_refused_by_name(wrong: dict[str, Any]) -> None:
    """Law: a BadRequest that names the field, and no error of our own code."""
    (name,) = wrong
    error = refused(**wrong)
    assert error.reason == f"bad_{name}"
    assert f"expected {'a kind' if name == 'kind' else name}" in str(error)
    assert len(str(error)) < 300


def test_the_bound_of_keep_s_is_told_in_seconds() -> None:
    assert "from 0 to 7776000 (90 days), got 7776001" in str(refused(keep_s=7_776_001))


class Measured(msgspec.Struct):
    value: float | None
    raw: msgspec.Raw = msgspec.Raw(b"null")


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("shape", [lambda n: n, lambda n: {"a": [1, (n,)]}, lambda n: [Measured(n)]])
def test_a_number_that_json_has_not_is_refused(number: float, shape: Any) -> None:
    """Trap: msgspec writes null for it."""
    error = refused(payload=shape(number))
    assert error.reason == "bad_payload"
    assert "NaN or an infinity" in str(error)


@pytest.mark.parametrize("payload", [None, {"a": [None, 1.5]}, Measured(None), "null", msgspec.Raw(b"null")], ids=repr)
def test_a_null_that_was_meant_is_written(payload: Any) -> None:
    assert b"null" in bytes(asked(payload=payload).payload)


@pytest.mark.parametrize("delay_s", ["5", -1, -0.001, math.nan, math.inf, 1e11, object()])
def test_a_delay_that_is_none_is_refused(delay_s: Any) -> None:
    with pytest.raises(BadRequest, match="expected delay_s as a number of seconds from 0") as error:
        due_at(None, delay_s, lambda: 100.0)
    assert error.value.reason == "bad_delay_s"


def test_a_priority_is_one_of_three_by_name_or_number() -> None:
    assert asked(priority=2).priority is Priority.LOW
    for priority in (3, -1, "high"):
        assert refused(priority=priority).reason == "bad_priority"


def test_a_delay_is_a_time_from_now_and_not_both() -> None:
    assert due_at(None, 5.0, lambda: 100.0) == 105.0
    assert due_at(7.0, None, lambda: 100.0) == 7.0
    with pytest.raises(BadRequest, match="got both"):
        due_at(7.0, 5.0, lambda: 100.0)


@given(st.text())
def test_whatever_is_taken_as_a_lane_can_be_kept(lane: str) -> None:
    try:
        kept = asked(lane=lane).lane
    except BadRequest:
        return
    assert kept is not None
    assert "\0" not in kept
    kept.encode()


@pytest.mark.parametrize(("prefix", "owner"), OWN_KEYS.items())
def test_nobodys_job_bears_a_key_of_the_platforms_own(prefix: str, owner: str) -> None:
    """Law: a reply whose carrier's key is taken would never be sent, and nobody told."""
    assert refused(unique=f"{prefix}7").reason == "own_key"
    assert asked(owner, unique=f"{prefix}7").unique == f"{prefix}7"
    assert asked(unique=prefix[:-1]).unique == prefix[:-1]
