"""One trace from the platform's call to the send of the reply, as a collector receives it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.collector import Collector
from tests.support.slack_platform import too_many
from tests.support.stack import Stack, running_stack, word
from tests.support.stand_in import status
from tests.support.stores import Migrated, Stores


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


@pytest.fixture(scope="module")
def _traced_stack(stores: Stores, migrated: Migrated, collector: Collector) -> Iterator[Stack]:
    settings = {"telemetry.otlp_endpoint": collector.origin}
    with migrated() as url, running_stack(url, stores.redis.url, settings=settings) as stack:
        yield stack


@pytest.fixture
def stack(_traced_stack: Stack) -> Iterator[Stack]:
    yield _traced_stack
    print(_traced_stack.logs())


def test_a_message_is_one_trace_from_the_platforms_call_to_the_send(stack: Stack, collector: Collector) -> None:
    said = word()
    # Whoever can call could else write into others' traces, or have its own in one with them.
    strangers = "0af7651916cd43dd8448eb211c80319c"
    stack.slack.event(said, channel="T1").send(stack.port, {"traceparent": f"00-{strangers}-b7ad6b7169203331-01"})
    [row] = stack.ledger.wait_outbox(said, "sent")
    [turn] = stack.ledger.turns(said)
    [asked] = stack.assistant.about(said)
    trace_id = turn["trace_id"]
    assert trace_id != strangers

    spans = collector.wait_for_spans(4, lambda span: span.trace_id == trace_id)

    by_name = {span.name: span for span in spans}
    delivery = by_name["POST /hooks/<channel>/<account>"]
    told, ask, send = by_name["turn"], by_name["ask patient"], by_name["send slack"]
    assert len(spans) == len(by_name) == 4
    assert {span.service for span in spans} == {"switchboard-gateway"}
    assert [span.kind for span in (delivery, told, ask, send)] == ["server", "internal", "client", "client"]
    assert [span.parent for span in (delivery, told, ask, send)] == [
        "", delivery.span_id, told.span_id, told.span_id,
    ]  # fmt: skip
    assert send.links == ()
    # What the assistant does with it hangs below the call that asked for it.
    assert asked.headers["traceparent"] == f"00-{trace_id}-{ask.span_id}-01"
    assert delivery.attributes["http.response.status_code"] == 200
    assert send.attributes["switchboard.outbox.id"] == row["id"]
    assert told.attributes["switchboard.turn.id"] == turn["id"]
    assert not any(span.failed for span in spans)
    assert all(span.started_ns <= span.ended_ns for span in spans)
    # What was said stays here.
    assert not any(said.encode() in call.body for call in collector.calls)


def test_what_a_worker_sends_hangs_at_its_job(stack: Stack, collector: Collector) -> None:
    said = word()
    stack.slack.will(said, too_many(0))
    stack.slack.event(said, channel="T3").send(stack.port)
    stack.ledger.wait_outbox(said, "sent")
    trace_id = stack.ledger.turns(said)[0]["trace_id"]

    [send] = collector.wait_for_spans(
        1, lambda span: (span.trace_id, span.name, span.service) == (trace_id, "send slack", "switchboard-worker")
    )
    [job] = collector.wait_for_spans(1, lambda span: span.span_id == send.parent)
    [told] = collector.wait_for_spans(1, lambda span: (span.trace_id, span.name) == (trace_id, "turn"))
    [delivery] = collector.wait_for_spans(1, lambda span: span.trace_id == trace_id and span.kind == "server")
    assert send.links == (told.span_id,)
    assert (job.name, job.kind, job.parent) == ("process reply.send", "consumer", delivery.span_id)
    assert job.started_ns <= send.started_ns <= send.ended_ns <= job.ended_ns


def test_what_failed_says_so(stack: Stack, collector: Collector) -> None:
    said = word()
    stack.slack.will(said, status("200 OK", b'{"ok": false, "error": "channel_not_found"}'))
    stack.slack.event(said, channel="T2").send(stack.port)
    stack.ledger.wait_outbox(said, "not_sent")
    [turn] = stack.ledger.turns(said)

    [send] = collector.wait_for_spans(
        1, lambda span: span.trace_id == turn["trace_id"] and span.name == "send slack"
    )

    assert send.failed
    assert send.attributes["error.type"] == "channel_not_found"
