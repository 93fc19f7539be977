"""Tracing: where OpenTelemetry spans are sent, if anywhere."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from gateway.settings.problems import Problems

__all__ = ["TelemetrySettings", "note_telemetry_problems"]


class TelemetrySettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[telemetry]``"""

    #: Root of an OpenTelemetry collector's OTLP/HTTP receiver, such as http://127.0.0.1:4318; empty: no spans are made.
    #: Needs `pip install -e '.[otel]'`.  What a collector asks of its callers (OTEL_EXPORTER_OTLP_HEADERS,
    #: OTEL_EXPORTER_OTLP_CERTIFICATE and so on), OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES are read by
    #: OpenTelemetry itself.
    otlp_endpoint: str = ""


def note_telemetry_problems(settings: TelemetrySettings, problems: Problems) -> None:
    """Note an address that nothing can be sent to."""
    if not settings.otlp_endpoint:
        return
    try:
        parts = urlsplit(settings.otlp_endpoint)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        # Not shown: an address may hold a password.
        problems.add("telemetry.otlp_endpoint", "expected an address that begins with http:// or https:// (not shown)")
