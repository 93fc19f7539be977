"""Which events are spans, and how they hang together: the tree of a trace, as one table.

    delivery.taken               a platform's call              server    any gateway
    ├─ turn.settled              a message, commit to settle    internal  whoever owned the lane
    │  ├─ assistant.call         its question to the assistant  client    the same process
    │  └─ platform.send          the platform's send API        client    the same process, if it had room
    └─ job.run                   a reply's job, or a webhook's  consumer  any worker
       └─ platform.send          the platform's send API        client    the same worker; linked to its turn

Only the trace id travels, in the ledger.  A span's id follows from it and from what the span is about, so each process
knows its parent's without having been told.  The one id that is drawn is an assistant call's, which its ``traceparent``
header names: a turn that runs again asks again.

A job that runs again is another place of its lane, so another span.  A delivery that comes again begins a trace of its
own: its messages are in the ledger, under the first one's.  What begins without a delivery (a dead letter that is
retried, a message asked for by the API) has a trace whose first span was never made.  A caller's own ``traceparent`` is
not followed: anybody who can call could write into the traces of others.

Nothing here is OpenTelemetry's, so nothing of it is needed to import this.  Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any, Literal

import msgspec

__all__ = ["SHAPES", "Shape", "failure", "is_trace_id", "span_id"]

Kind = Literal["server", "internal", "client", "consumer"]
Fields = Mapping[str, Any]
_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")


class Shape(msgspec.Struct, frozen=True):
    """How an event becomes a span."""

    kind: Kind
    #: Low-cardinality, as OpenTelemetry wants it: names of the configuration at most.
    name: Callable[[Fields], str]
    #: What the span is about, unique in its trace.
    about: Callable[[Fields], str]
    #: What its parent is about; empty: it is the first.
    parent: Callable[[Fields], str]
    #: Attributes by field.  A field that is not here does not leave the process.
    attributes: Mapping[str, str]
    #: The field that says how it ended, and the words that mean well.
    ending: str = "outcome"
    well: frozenset[str] = frozenset({"ok"})
    #: Attributes that are always the same.
    fixed: Mapping[str, str] = {}
    #: What a linked span is about; empty: none.
    link: Callable[[Fields], str] = lambda _: ""


def _turn(fields: Fields) -> str:
    # A message that was sent without a turn hangs at the delivery.
    return f"turn {fields['turn_id']}" if fields.get("turn_id") else _DELIVERY


def _job(fields: Fields) -> str:
    return f"job {fields['job_id']} {fields['place']}"


def _sender(fields: Fields) -> str:
    # A gateway sends what it settled; anything else is a job's.
    return _job(fields) if fields["job_id"] else _turn(fields)


def _sent(fields: Fields) -> str:
    return f"send of {_job(fields)}" if fields["job_id"] else f"send of row {fields['outbox_id']}"


_DELIVERY = "delivery"
_ACCOUNT = {"channel": "switchboard.channel", "account": "switchboard.account"}
_HOOKS = "/hooks/<channel>/<account>"

#: By event.  Names by OpenTelemetry's semantic conventions (HTTP, messaging) where they have one.
SHAPES: Mapping[str, Shape] = {
    "delivery.taken": Shape(
        kind="server",
        name=lambda _: f"POST {_HOOKS}",
        about=lambda _: _DELIVERY,
        parent=lambda _: "",
        attributes={**_ACCOUNT, "outcome": "http.response.status_code"},
        fixed={"http.request.method": "POST", "http.route": _HOOKS},
    ),
    "turn.settled": Shape(
        kind="internal",
        name=lambda _: "turn",
        about=_turn,
        parent=lambda _: _DELIVERY,
        attributes={**_ACCOUNT, "turn_id": "switchboard.turn.id", "state": "switchboard.turn.state"},
        ending="reason",
        well=frozenset({""}),
    ),
    "assistant.call": Shape(
        kind="client",
        name=lambda fields: f"ask {fields['assistant']}",
        about=lambda fields: f"assistant of {_turn(fields)}",
        parent=_turn,
        attributes={"assistant": "switchboard.assistant", "turn_id": "switchboard.turn.id"},
    ),
    "job.run": Shape(
        kind="consumer",
        name=lambda fields: f"process {fields['kind']}",
        about=_job,
        parent=lambda _: _DELIVERY,
        attributes={
            "kind": "messaging.destination.name",
            "job_id": "messaging.message.id",
            "attempt": "switchboard.attempt",
            "outcome": "switchboard.job.outcome",
        },
        # A try that is made again, or put off, is no fault of the job.
        well=frozenset({"done", "retry", "snooze"}),
        fixed={"messaging.system": "switchboard", "messaging.operation.type": "process"},
    ),
    "platform.send": Shape(
        kind="client",
        name=lambda fields: f"send {fields['channel']}",
        about=_sent,
        parent=_sender,
        attributes={**_ACCOUNT, "outbox_id": "switchboard.outbox.id", "attempt": "switchboard.attempt"},
        # To its turn, where that is not its parent.
        link=lambda fields: _turn(fields) if fields.get("turn_id") and fields["job_id"] else "",
    ),
}


def is_trace_id(value: object) -> bool:
    """Return whether *value* can name a trace; an erased user's turns have none any more."""
    return isinstance(value, str) and _TRACE_ID.fullmatch(value) is not None


def span_id(trace_id: str, about: str) -> int:
    """Return the id of the span of the trace that is about *about*: 64 bits, not all zero."""
    return int.from_bytes(blake2b(about.encode(), key=trace_id.encode(), digest_size=8).digest()) or 1


def failure(shape: Shape, fields: Fields) -> str:
    """Return the short stable word of what went wrong, or an empty text."""
    ending = fields[shape.ending]
    if isinstance(ending, int):
        # A status of ours below 500 is its caller's fault, and no error of a server's span.
        return str(ending) if ending >= 500 else ""
    return "" if ending in shape.well else str(ending)
