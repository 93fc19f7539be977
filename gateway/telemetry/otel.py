"""The OpenTelemetry sink: events that are spans, sent to a collector by OTLP over HTTP.

    event ─▶ queue (bounded; a call site only appends) ─▶ a greenlet makes spans of them ─▶ the exporter's POST

Rules:

- Nothing waits for the collector: what finds the queue full is dropped and counted (``spans.lost``).
- What leaves is what :mod:`gateway.telemetry.spans` names, which are names, ids and short words; never content.
- The end of the process takes what there is to the collector, within its deadline; the rest is told as lost.

This module alone imports OpenTelemetry, and only :mod:`gateway.telemetry.tracing` imports this one.  OpenTelemetry's
tracer is not used, because a span here is known only when it has ended and has an id that others can work out; nor its
batch processor, whose stop has no bound: it waits for its exporter for as long as that takes.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import gevent
from gevent.event import Event as Signal
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from gateway import telemetry
from gateway.telemetry.catalogue import Event
from gateway.telemetry.emit import Writer
from gateway.telemetry.spans import SHAPES, Shape, failure, is_trace_id, span_id

__all__ = ["SPANS_MAX", "OtelSink"]

#: Spans that wait to be sent.
SPANS_MAX = 8_192
#: Spans of one POST: making them holds the event loop for so long, and a POST lets others run.
_BATCH_SPANS = 128
#: Seconds between two looks at the queue.
_EVERY_S = 0.5
#: Seconds that one batch may take with the exporter's own repeats.
_EXPORT_S = 5.0
#: Seconds that the last spans get even if the process is late.
_LAST_S = 0.5

_KINDS = {
    "server": SpanKind.SERVER,
    "internal": SpanKind.INTERNAL,
    "client": SpanKind.CLIENT,
    "consumer": SpanKind.CONSUMER,
}


class OtelSink:
    """Takes events to one collector.  To be attached, started, and stopped once."""

    def __init__(self, endpoint: str, service: str) -> None:
        # It repeats what fails by itself, and tells of each; what is lost in the end is told by us.
        logging.getLogger("opentelemetry").setLevel(logging.ERROR)
        self._exporter: SpanExporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=_EXPORT_S)
        self._resource = _resource(service)
        self._scope = InstrumentationScope("switchboard", version("switchboard"))
        #: Event, fields, and Unix nanoseconds of the end.
        self._queue: deque[tuple[Shape, dict[str, Any], int]] = deque()
        self._dropped = 0
        self._ending = Signal()
        self._greenlet = gevent.Greenlet(self._export_forever)

    def writer(self, event: Event) -> Writer | None:
        """Return what queues the event, if it is a span."""
        shape = SHAPES.get(event.name)
        if shape is None:
            return None
        queue = self._queue

        def write(fields: dict[str, Any]) -> None:
            if len(queue) >= SPANS_MAX:
                self._dropped += 1
            else:
                queue.append((shape, fields, time.time_ns()))

        return write

    def start(self) -> None:
        """Export from now on."""
        self._greenlet.start()

    def stop(self, deadline: float) -> None:
        """Send what is queued by *deadline* (monotonic seconds), or not at all."""
        self._ending.set()
        self._greenlet.join(min(_EXPORT_S, max(_LAST_S, deadline - time.monotonic())))
        self._greenlet.kill()
        self._exporter.shutdown()
        self._tell_dropped()
        if self._queue:
            telemetry.event("spans.lost", reason="cut_off", spans=len(self._queue))
            self._queue.clear()

    def _export_forever(self) -> None:
        while not self._ending.wait(_EVERY_S):
            self._export_all()
        self._export_all()

    def _export_all(self) -> None:
        # No more than there is now: whoever adds faster than this sends must not keep the last look from ending.
        for _ in range(-(-len(self._queue) // _BATCH_SPANS)):
            self._export([self._queue.popleft() for _ in range(min(_BATCH_SPANS, len(self._queue)))])
        self._tell_dropped()

    def _tell_dropped(self) -> None:
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            telemetry.event("spans.lost", reason="queue_full", spans=dropped)

    def _export(self, batch: Sequence[tuple[Shape, dict[str, Any], int]]) -> None:
        taken = False
        try:
            spans = [self._span(*each) for each in batch if is_trace_id(each[1].get("trace_id"))]
            taken = not spans or self._exporter.export(spans) is SpanExportResult.SUCCESS
        except gevent.GreenletExit:
            telemetry.event("spans.lost", reason="cut_off", spans=len(batch))
            raise
        except Exception as error:
            # A library's fault with one batch must not end the sending of all others.
            telemetry.event("spans.lost", reason=type(error).__name__, spans=len(batch))
            return
        if not taken:
            telemetry.event("spans.lost", reason="refused", spans=len(batch))

    def _span(self, shape: Shape, fields: Mapping[str, Any], ended_ns: int) -> ReadableSpan:
        trace_id = fields["trace_id"]
        drawn = fields.get("span_id")
        own = int(drawn, 16) if drawn else span_id(trace_id, shape.about(fields))
        parent, link, error = shape.parent(fields), shape.link(fields), failure(shape, fields)
        attributes = {
            **shape.fixed,
            **{name: fields[field] for field, name in shape.attributes.items() if fields.get(field) is not None},
            **({"error.type": error} if error else {}),
        }
        return ReadableSpan(
            name=shape.name(fields),
            context=_context(trace_id, own),
            parent=_context(trace_id, span_id(trace_id, parent)) if parent else None,
            resource=self._resource,
            attributes=attributes,
            links=[Link(_context(trace_id, span_id(trace_id, link)))] if link else (),
            kind=_KINDS[shape.kind],
            status=Status(StatusCode.ERROR) if error else Status(),
            start_time=ended_ns - int(fields["duration_s"] * 1e9),
            end_time=ended_ns,
            instrumentation_scope=self._scope,
        )


def _context(trace_id: str, own: int) -> SpanContext:
    # Remote: most parents ended in another process, and nobody here can tell.
    return SpanContext(int(trace_id, 16), own, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _resource(service: str) -> Resource:
    ours = Resource.create({"service.name": service, "service.version": version("switchboard")})
    # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say is the operator's word, so it comes last.
    return ours.merge(OTELResourceDetector().detect())
