"""Tracing, where it is wanted: attaches the OpenTelemetry sink, or costs nothing.

Without ``telemetry.otlp_endpoint`` nothing of OpenTelemetry is imported.  With it, but without the extra ``otel``, the
process says so and goes on: the variable of that setting is one that platforms set for everybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway import telemetry
from gateway.settings.telemetry import TelemetrySettings

if TYPE_CHECKING:
    from gateway.telemetry.otel import OtelSink

__all__ = ["Tracing"]


class Tracing:
    """One process's spans.  *service*: what the process is called in them, unless OTEL_SERVICE_NAME says otherwise."""

    def __init__(self, settings: TelemetrySettings, service: str) -> None:
        self._endpoint = settings.otlp_endpoint
        self._service = service
        self._sink: OtelSink | None = None

    def start(self) -> None:
        """Make spans from now on, if that is wanted."""
        if not self._endpoint or self._sink is not None:
            return
        try:
            from gateway.telemetry.otel import OtelSink
        except ImportError:
            telemetry.event("tracing.unavailable", reason="not_installed")
            return
        self._sink = OtelSink(self._endpoint, self._service)
        telemetry.attach(self._sink)
        self._sink.start()

    def stop(self, deadline: float) -> None:
        """Send what there is by *deadline* (monotonic seconds).  Safe twice, and if never started."""
        if self._sink is not None:
            sink, self._sink = self._sink, None
            telemetry.detach(sink)
            sink.stop(deadline)
