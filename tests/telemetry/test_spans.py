"""The table of spans against the catalogue, and the ids that every process works out alike."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.telemetry.catalogue import CATALOGUE, COMMON_FIELDS
from gateway.telemetry.spans import SHAPES, failure, is_trace_id, span_id

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
FIELDS = {
    "channel": "slack",
    "account": "shop",
    "assistant": "bartender",
    "kind": "reply.send",
    "turn_id": 7,
    "job_id": 8,
    "place": 9,
    "attempt": 1,
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_span_takes_only_fields_that_its_event_has(name: str) -> None:
    allowed = {*CATALOGUE[name].fields, *COMMON_FIELDS}

    assert set(SHAPES[name].attributes) <= allowed
    assert {SHAPES[name].ending, "duration_s"} <= set(CATALOGUE[name].fields)
    # The one common field that is a text of ours stays in the log.
    assert "detail" not in SHAPES[name].attributes


def test_every_parent_and_link_is_a_span_of_the_table() -> None:
    made = {shape.about(FIELDS) for shape in SHAPES.values()}
    named = {shape.parent(FIELDS) for shape in SHAPES.values()} | {shape.link(FIELDS) for shape in SHAPES.values()}

    assert len(made) == len(SHAPES)
    assert named - {""} <= made


def test_a_message_sent_without_a_turn_is_linked_to_none() -> None:
    assert SHAPES["platform.send"].link({**FIELDS, "turn_id": None}) == ""


@given(st.text(), st.text())
def test_an_id_is_of_its_trace_and_of_what_it_is_about(one: str, other: str) -> None:
    ids = {span_id(TRACE_ID, one), span_id(TRACE_ID, other), span_id("f" * 32, one)}

    assert all(0 < each < 2**64 for each in ids)
    assert len(ids) == len({(TRACE_ID, one), (TRACE_ID, other), ("f" * 32, one)})


def test_another_process_works_out_the_same_id() -> None:
    program = f"from gateway.telemetry.spans import span_id; print(span_id({TRACE_ID!r}, 'turn 7'))"
    there = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert int(there) == span_id(TRACE_ID, "turn 7")


@pytest.mark.parametrize("value", ["", None, "0" * 32, "A" * 32, "a" * 31, "a" * 33, 7])
def test_what_names_no_trace(value: object) -> None:
    assert not is_trace_id(value)


@pytest.mark.parametrize(
    ("name", "ending", "expected"),
    [
        ("delivery.taken", 200, ""),
        ("delivery.taken", 429, ""),
        ("delivery.taken", 503, "503"),
        ("turn.settled", "", ""),
        ("turn.settled", "timeout", "timeout"),
        ("assistant.call", "ok", ""),
        ("assistant.call", "GreenletExit", "GreenletExit"),
        ("job.run", "snooze", ""),
        ("job.run", "bury", "bury"),
        ("platform.send", "ratelimited", "ratelimited"),
    ],
)
def test_what_counts_as_failed(name: str, ending: object, expected: str) -> None:
    shape = SHAPES[name]

    assert failure(shape, {shape.ending: ending}) == expected
