"""An OpenTelemetry collector's OTLP/HTTP receiver, read by OpenTelemetry's own messages.

https://opentelemetry.io/docs/specs/otlp/#otlphttp-request
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.support.stand_in import Call, StandIn
from tests.support.waiting import until

__all__ = ["Collector", "Exported"]


class Exported(msgspec.Struct, frozen=True):
    """One span as it came; ids are hexadecimal, an empty parent is none."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent: str
    started_ns: int
    ended_ns: int
    failed: bool
    links: tuple[str, ...]
    attributes: dict[str, Any]


class Collector(StandIn):
    """Takes all, unless told otherwise."""

    def __init__(self) -> None:
        super().__init__(_accept)

    def spans(self, *, of: Callable[[Exported], bool] = lambda span: True) -> list[Exported]:
        """Return the spans that came, in order."""
        return [span for call in list(self.calls) for span in _spans(call.body) if of(span)]

    def wait_for_spans(self, count: int, of: Callable[[Exported], bool] = lambda span: True) -> list[Exported]:
        """Return the spans once there are *count* of them."""
        return until(f"{count} spans; there are {self.spans()}", lambda: self._at_least(count, of))

    def _at_least(self, count: int, of: Callable[[Exported], bool]) -> list[Exported]:
        found = self.spans(of=of)
        return found if len(found) >= count else []


def _accept(call: Call) -> None:
    assert call.path == "/v1/traces"
    assert call.headers["content-type"] == "application/x-protobuf"
    call.answer(ExportTraceServiceResponse().SerializeToString(), media="application/x-protobuf")


def _spans(body: bytes) -> list[Exported]:
    return [
        _exported(_values(group.resource.attributes)["service.name"], span)
        for group in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def _exported(service: str, span: Span) -> Exported:
    return Exported(
        service=service,
        name=span.name,
        kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        started_ns=span.start_time_unix_nano,
        ended_ns=span.end_time_unix_nano,
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        links=tuple(link.span_id.hex() for link in span.links),
        attributes=_values(span.attributes),
    )


def _values(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
