"""Telemetry: one line at the call site, one catalogue, sinks attached at boot.

    telemetry.event("turn.duplicate", channel="slack", account="bartender")

    with telemetry.span("assistant.call", assistant="bartender") as span:
        ...                                   # emitted at the end with duration_s and outcome

:mod:`gateway.telemetry.catalogue` lists every event with its fields and units; :mod:`gateway.telemetry.logs`
and :mod:`gateway.telemetry.metrics` are the sinks, and :mod:`gateway.telemetry.otel` where traces are wanted.  The
domain emits nothing.

Rules.  A field is a number, a name from the configuration, an id of the ledger or a short stable word: never
a body, a signature, a secret or what a user wrote; nor the text of an error, which may quote one: ``trace(error)``
says where it came from.  Emitting never raises and never waits for anything but the sink's own write.
Deliberately absent: sampling, buffering (but of spans on their way out), and any way for a sink to change what happens.
"""

from gateway.telemetry.crash import trace
from gateway.telemetry.emit import Sink, Span, attach, attached, detach, event, heard, lost, span, strict

__all__ = ["Sink", "Span", "attach", "attached", "detach", "event", "heard", "lost", "span", "strict", "trace"]
