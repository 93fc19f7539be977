"""The published schema of the wire format: JSON Schema 2020-12, made from the structs that are used for it.

Because there is no second source, what the gateway sends and accepts cannot drift from what it publishes.
What a schema cannot say (bytes of state, levels of nesting) is said in the settings and in the README beside
this file.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from gateway.assistants.decode import AssistantReply
from gateway.assistants.preview import Delta, Typing
from gateway.assistants.wire import TurnRequest
from gateway.domain.reply import Part

__all__ = ["assistant_schema"]

_REF = "#/$defs/{name}"


@cache
def assistant_schema() -> dict[str, Any]:
    """Return the schema: its root is a request or a reply, ``StreamEvents`` has the data of each event."""
    roots = (TurnRequest, AssistantReply, Typing, Delta, Part)
    (request, reply, typing, delta, part), definitions = msgspec.json.schema_components(
        roots, ref_template=_REF
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Switchboard assistant",
        "description": "The gateway POSTs a turn; the answer is a reply, or a stream of events.",
        "oneOf": [request, reply],
        "$defs": {
            **definitions,
            "StreamEvents": {
                "title": "StreamEvents",
                "description": "Data of each event of a text/event-stream answer, by the event's name.",
                "type": "object",
                "properties": {"typing": typing, "delta": delta, "part": part, "reply": reply},
            },
        },
    }
