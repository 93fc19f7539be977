"""``event`` and ``span``: what reaches a sink, and what an emitter is protected from."""

from __future__ import annotations

import contextlib
import re
import timeit
from collections.abc import Iterator
from typing import Any

import gevent
import pytest

from gateway import telemetry
from gateway.domain.errors import AssistantFailed
from gateway.telemetry.catalogue import CATALOGUE, Event
from gateway.telemetry.emit import Writer


class Recorder:
    """A sink that keeps what it is told, or raises what it was given."""

    def __init__(self, error: Exception | None = None) -> None:
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.error = error

    def writer(self, event: Event) -> Writer | None:
        if event.name == "batch.committed":
            return None

        def write(fields: dict[str, Any]) -> None:
            if self.error is not None:
                raise self.error
            self.seen.append((event.name, fields))

        return write


@pytest.fixture
def sink() -> Iterator[Recorder]:
    recorder = Recorder()
    telemetry.attach(recorder)
    yield recorder
    telemetry.detach(recorder)


def test_an_event_reaches_every_sink_once(sink: Recorder) -> None:
    second = Recorder()
    telemetry.attach(second)
    telemetry.event("turn.accepted", channel="slack", account="bartender")
    telemetry.detach(second)
    telemetry.event("turn.duplicate", channel="slack", account="bartender")

    accepted = ("turn.accepted", {"channel": "slack", "account": "bartender"})
    assert second.seen == [accepted]
    assert [name for name, _ in sink.seen] == ["turn.accepted", "turn.duplicate"]


def test_a_sink_that_answers_none_is_not_called(sink: Recorder) -> None:
    telemetry.event("batch.committed", kind="accept", rows=3, duration_s=0.1)

    assert sink.seen == []


def test_detaching_twice_or_what_never_listened_is_harmless(sink: Recorder) -> None:
    telemetry.detach(Recorder())
    telemetry.detach(sink)
    telemetry.detach(sink)
    telemetry.event("turn.accepted", channel="slack", account="bartender")

    assert sink.seen == []


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "ok"),
        (AssistantFailed("no", reason="not_json"), "not_json"),
        (ValueError("what a user wrote"), "ValueError"),
        (UnicodeDecodeError("utf-8", b"x", 0, 1, "invalid start byte"), "UnicodeDecodeError"),
        (gevent.GreenletExit(), "GreenletExit"),
    ],
)
def test_a_span_ends_in_one_event_however_its_block_ends(
    sink: Recorder, error: BaseException | None, outcome: str
) -> None:
    """BaseException as well: a killed greenlet is an outcome.  An error's text is never a field."""
    with contextlib.suppress(BaseException), telemetry.span("assistant.call", assistant="bartender"):
        if error is not None:
            raise error

    [(name, fields)] = sink.seen
    assert name == "assistant.call"
    assert fields.pop("duration_s") >= 0
    assert fields == {"assistant": "bartender", "outcome": outcome}


def test_a_span_does_not_swallow_what_its_block_raises() -> None:
    with pytest.raises(ValueError, match="mine"), telemetry.span("assistant.call", assistant="bartender"):
        raise ValueError("mine")


def test_a_span_carries_what_its_block_learns(sink: Recorder) -> None:
    with telemetry.span("assistant.call") as span:
        span.set(assistant="tasted")
        span.outcome = "refused"

    assert sink.seen[0][1]["assistant"] == "tasted"
    assert sink.seen[0][1]["outcome"] == "refused"


def test_a_sink_that_raises_is_counted_and_never_felt() -> None:
    broken = Recorder(OSError("disk full"))
    telemetry.attach(broken)
    before = telemetry.lost["turn.accepted: OSError"]
    try:
        telemetry.event("turn.accepted", channel="slack", account="bartender")
    finally:
        telemetry.detach(broken)

    assert telemetry.lost["turn.accepted: OSError"] == before + 1


def test_an_unknown_event_is_counted() -> None:
    before = telemetry.lost["turn.acepted: not in the catalogue"]
    telemetry.event("turn.acepted", channel="slack")

    assert telemetry.lost["turn.acepted: not in the catalogue"] == before + 1


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("turn.acepted", {}),
        ("turn.accepted", {"channel": "slack"}),
        ("turn.accepted", {"channel": "slack", "account": "bartender", "text": "hello"}),
    ],
    ids=["unknown name", "missing field", "undeclared field"],
)
def test_strict_raises_for_what_the_catalogue_does_not_say(name: str, fields: dict[str, Any]) -> None:
    with telemetry.strict(), pytest.raises((KeyError, ValueError)):
        telemetry.event(name, **fields)


def test_strict_lets_any_event_say_which_turn_is_meant() -> None:
    with telemetry.strict():
        telemetry.event("turn.accepted", channel="slack", account="bartender", turn_id=7, trace_id="0af7")


def test_an_event_that_nobody_hears_costs_less_than_two_microseconds() -> None:
    """Best of many short rounds: a neighbour on the machine can only make a round slower."""
    rounds = timeit.repeat(lambda: telemetry.event("outbox.claimed", rows=1), number=1_000, repeat=50)

    assert min(rounds) / 1_000 < 2e-6


def test_names_and_fields_of_the_catalogue_follow_one_form() -> None:
    for name, event in CATALOGUE.items():
        assert name == event.name
        assert re.fullmatch(r"[a-z_]+\.[a-z_]+", name), name
        assert re.fullmatch(r".+[^.]", event.meaning), name
        assert len(set(event.fields)) == len(event.fields), name
