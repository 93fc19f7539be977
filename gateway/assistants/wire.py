"""The request side of the wire format: one turn as the JSON and the headers that an assistant receives.

The structs here are the published schema (:mod:`gateway.assistants.schema`); the README beside this file
tells assistant authors what each field means.  Ids are strings, because they outgrow what a JavaScript number
can hold.

Pure: times and the span id are arguments.
"""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.domain.capabilities import Capabilities, Late
from gateway.domain.message import Message
from gateway.domain.turn import LaneKey, Turn

__all__ = [
    "ConversationView",
    "SurfaceView",
    "TurnRequest",
    "UserView",
    "call_headers",
    "encode",
    "message_id",
]


class ConversationView(msgspec.Struct, frozen=True):
    """The conversation of the turn.  ``state`` is what the last reply left in it."""

    id: str
    channel: str
    account: str
    state: dict[str, Any] | None


class UserView(msgspec.Struct, frozen=True):
    """Who speaks.  ``memory`` is what replies to this user left, in any conversation."""

    id: str
    name: str
    locale: str
    memory: dict[str, Any] | None


class SurfaceView(msgspec.Struct, frozen=True):
    """What the user will see it on.  A reply may hold more: it is degraded to the best equivalent."""

    name: str
    shows: tuple[str, ...]
    text_chars_max: int
    buttons_max: int
    markdown: bool
    typing: bool
    streams: bool
    #: Whether what nobody has just asked for reaches the user by itself: a late reply, a timer.  Elsewhere it waits for
    #: the user's next message at best.
    pushes: bool


class TurnRequest(msgspec.Struct, frozen=True):
    """One turn to be answered."""

    turn_id: str
    #: Raised whenever the conversation changes hands: a call with a lower fence than one seen before is void.
    fence: int
    #: The turn's place in its conversation, from 1, without gaps.
    sequence: int
    #: From 1; above 1, a gateway process died while it ran this turn.
    attempt: int
    #: Milliseconds from now until nobody wants the answer any more.
    deadline_ms: int
    conversation: ConversationView
    user: UserView
    message: Message
    surface: SurfaceView


#: Says how many milliseconds were left when an attempt was sent.
DEADLINE_HEADER = "switchboard-deadline-ms"

#: Ways of a late reply that need nothing of its user.
_BY_ITSELF: frozenset[Late] = frozenset({"push", "deferred", "stream"})

_encoder = msgspec.json.Encoder()


def encode(turn: Turn, lane_key: LaneKey, capabilities: Capabilities, *, deadline_ms: int) -> bytes:
    """Return the body of the call for *turn*."""
    return _encoder.encode(
        TurnRequest(
            turn_id=str(turn.turn_id),
            fence=lane_key.fence,
            sequence=turn.seq,
            attempt=_attempt(turn),
            deadline_ms=deadline_ms,
            conversation=ConversationView(
                id=str(lane_key.conversation_id), channel=turn.channel, account=turn.account, state=turn.state
            ),
            user=UserView(
                id=str(turn.user_id),
                name=turn.sender.name,
                # What this message was said in outweighs what the platform keeps in the profile.
                locale=turn.message.locale or turn.sender.locale,
                memory=turn.memory,
            ),
            message=turn.message,
            surface=_surface(turn.surface, capabilities),
        )
    )


def message_id(turn: Turn) -> str:
    """Return the ``webhook-id`` of a call: a new one each time a turn is started anew.

    The bytes of a second attempt differ (fence, attempt, deadline), and a receiver that refuses ids it has
    seen must not refuse that attempt.  The turn itself is named by ``idempotency-key``, which never changes.
    """
    return f"turn_{turn.turn_id}_{_attempt(turn)}"


def call_headers(
    turn: Turn, lane_key: LaneKey, *, span_id: str
) -> tuple[tuple[str, str], ...]:
    """Return all headers of a call but its signature and ``DEADLINE_HEADER``, which each attempt has its own of.

    *span_id*: 16 lower-case hexadecimal digits, not all zero.
    https://www.w3.org/TR/trace-context/#traceparent-header
    """
    return (
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("idempotency-key", f"turn-{turn.turn_id}"),
        ("traceparent", f"00-{turn.trace_id}-{span_id}-01"),
        ("switchboard-turn", str(turn.turn_id)),
        ("switchboard-fence", str(lane_key.fence)),
    )


def _attempt(turn: Turn) -> int:
    return turn.deaths + 1


def _surface(name: str, capabilities: Capabilities) -> SurfaceView:
    return SurfaceView(
        name=name,
        shows=tuple(sorted(capabilities.shows)),
        text_chars_max=capabilities.text_chars_max,
        buttons_max=capabilities.buttons_max,
        markdown=capabilities.markdown,
        typing=capabilities.typing,
        streams=capabilities.streams,
        pushes=capabilities.late in _BY_ITSELF,
    )
