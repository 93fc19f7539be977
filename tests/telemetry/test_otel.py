"""The OpenTelemetry sink: what leaves, what happens when nobody takes it, and what it costs who does not want it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import telemetry
from gateway.settings.telemetry import TelemetrySettings
from gateway.telemetry.catalogue import CATALOGUE, Event
from gateway.telemetry.emit import Writer
from gateway.telemetry.otel import SPANS_MAX, OtelSink
from gateway.telemetry.tracing import Tracing
from tests.support.collector import Collector
from tests.support.stand_in import Hold, status
from tests.support.waiting import GUARD_S, until

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
ROOT = Path(__file__).parents[2]


class Lost:
    """Hears which spans were lost."""

    def __init__(self) -> None:
        self.told: dict[str, int] = {}

    def writer(self, event: Event) -> Writer | None:
        return self._write if event.name == "spans.lost" else None

    def _write(self, fields: dict[str, Any]) -> None:
        self.told[fields["reason"]] = self.told.get(fields["reason"], 0) + fields["spans"]


@pytest.fixture
def lost() -> Iterator[Lost]:
    sink = Lost()
    telemetry.attach(sink)
    yield sink
    telemetry.detach(sink)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


@pytest.fixture
def tracing(collector: Collector) -> Iterator[Tracing]:
    tracing = Tracing(TelemetrySettings(otlp_endpoint=collector.origin), "tested")
    tracing.start()
    yield tracing
    tracing.stop(time.monotonic())


def settle(turn_id: int = 1, *, trace_id: str = TRACE_ID, reason: str = "") -> None:
    telemetry.event(
        "turn.settled",
        channel="slack",
        account="shop",
        state="failed" if reason else "answered",
        reason=reason,
        duration_s=0.25,
        turn_id=turn_id,
        trace_id=trace_id,
    )


def test_the_end_of_the_process_takes_its_last_spans_along(collector: Collector, tracing: Tracing) -> None:
    settle(7, reason="timeout")
    tracing.stop(time.monotonic() + GUARD_S)

    [span] = collector.spans()
    assert (span.service, span.name, span.kind, span.trace_id) == ("tested", "turn", "internal", TRACE_ID)
    assert span.failed
    assert span.attributes == {
        "switchboard.channel": "slack",
        "switchboard.account": "shop",
        "switchboard.turn.id": 7,
        "switchboard.turn.state": "failed",
        "error.type": "timeout",
    }
    assert span.ended_ns - span.started_ns == 250_000_000
    settle(8)
    assert not telemetry.heard("platform.send")


def test_a_turn_without_a_trace_is_none(collector: Collector, tracing: Tracing) -> None:
    """An erased user's turns have lost theirs."""
    for trace_id in ("", "0" * 32, "words"):
        settle(trace_id=trace_id)
    settle(9)
    tracing.stop(time.monotonic() + GUARD_S)

    assert [span.attributes["switchboard.turn.id"] for span in collector.spans()] == [9]


def test_a_collector_that_is_silent_holds_nobody_up(collector: Collector, tracing: Tracing, lost: Lost) -> None:
    """Neither who tells an event, nor the end of the process; and what waits for it is bounded."""
    silent = Hold(status("200 OK"))
    collector.usually(silent)
    settle()
    silent.wait_reached()
    for turn_id in range(SPANS_MAX + 5):
        settle(turn_id)
    begun = time.monotonic()
    tracing.stop(begun)

    assert time.monotonic() - begun < GUARD_S / 6
    silent.released.set()
    # One was under way; five found no place, and the others were still waiting.
    assert lost.told == {"cut_off": SPANS_MAX + 1, "queue_full": 5}


def test_what_a_collector_refuses_is_told_and_not_repeated(
    collector: Collector, tracing: Tracing, lost: Lost
) -> None:
    collector.usually(status("400 Bad Request"))
    settle()
    collector.wait_for_spans(1)
    collector.usually(status("200 OK"))
    settle(2)
    tracing.stop(time.monotonic() + GUARD_S)

    assert lost.told == {"refused": 1}
    assert [span.attributes["switchboard.turn.id"] for span in collector.spans()] == [1, 2]


def test_what_finds_no_place_is_counted(collector: Collector, lost: Lost) -> None:
    sink = OtelSink(collector.origin, "tested")
    write = sink.writer(CATALOGUE["turn.settled"])
    assert write is not None
    fields = {"trace_id": "", "duration_s": 0.0, "reason": ""}
    for _ in range(SPANS_MAX + 5):
        write(fields)
    sink.start()
    sink.stop(time.monotonic() + GUARD_S)

    assert lost.told == {"queue_full": 5}


def test_a_span_that_cannot_be_made_does_not_end_the_sending(
    collector: Collector, tracing: Tracing, lost: Lost
) -> None:
    telemetry.event("turn.settled", trace_id=TRACE_ID)
    until("the loss told", lambda: lost.told)
    settle(3)
    tracing.stop(time.monotonic() + GUARD_S)

    assert lost.told == {"KeyError": 1}
    assert len(collector.spans()) == 1


_UNWANTED = """
import sys
from gevent import monkey
monkey.patch_all()
{before}
# redis-py imports OpenTelemetry's metrics wherever they are installed: that is none of ours.
import redis
theirs = set(sys.modules)
import gateway.app, workers.worker
from gateway import telemetry
from gateway.settings.telemetry import TelemetrySettings
from gateway.telemetry.tracing import Tracing

class Tells:
    def writer(self, event):
        return (lambda fields: print(fields["reason"])) if event.name == "tracing.unavailable" else None

telemetry.attach(Tells())
tracing = Tracing(TelemetrySettings(otlp_endpoint={endpoint!r}), "tested")
tracing.start()
ours = {{name.partition(".")[0] for name in set(sys.modules) - theirs}}
print(ours & {{"opentelemetry", "requests", "google"}}, "gateway.telemetry.otel" in sys.modules)
print(telemetry.heard("job.run"), telemetry.heard("delivery.taken"))
tracing.stop(0.0)
"""


def run(before: str, endpoint: str) -> list[str]:
    program = _UNWANTED.format(before=before, endpoint=endpoint)
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=GUARD_S
    )
    return ended.stdout.splitlines()


def test_who_wants_no_traces_imports_nothing_and_pays_nothing() -> None:
    assert run("", "") == ["set() False", "False False"]


def test_without_the_extra_a_process_says_so_and_goes_on() -> None:
    """The variable of the setting is one that platforms set for everybody."""
    absent = 'sys.modules["opentelemetry"] = None'

    assert run(absent, "http://127.0.0.1:4318") == ["not_installed", "set() False", "False False"]
