"""``/api/v1/conversations/<id>/messages``: messages that answer nothing, now or later.

What is written under a key is written once however often it is asked for, within seven days of its writing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.domain.errors import BadRequest
from gateway.domain.reply import PARTS_MAX, TIMER_S_MAX, Part, Reply, Speech, Text
from gateway.jobs.pushes import KEY_CHARS_MAX, Pushes
from gateway.web.api.fields import Time
from gateway.web.api.operation import operation

__all__ = ["Messages"]

_BODY_BYTES_MAX = 262_144
#: Seconds by which a time may be past: clocks differ, and requests take a while.
_PAST_S_MAX = 60.0
#: 9999-12-31 as Unix seconds.
_AT_MAX = 253_402_214_400.0

_Key = Annotated[str, Meta(max_length=KEY_CHARS_MAX, description="The message is written once under this key.")]


class NewMessage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A message, and when it is to come: `delay_s` from now, or `at` (Unix seconds, or a time with a zone)."""

    parts: Annotated[tuple[Part, ...], Meta(min_length=1, max_length=PARTS_MAX)]
    locale: Annotated[str, Meta(max_length=35)] = ""
    key: _Key = ""
    delay_s: Annotated[float, Meta(ge=0, le=TIMER_S_MAX)] | None = None
    at: float | Time | None = None


class MessageHeaders(msgspec.Struct, frozen=True):
    """The key, where the body has none."""

    key: _Key = msgspec.field(name="Idempotency-Key", default="")


class AskedMessage(msgspec.Struct, frozen=True):
    """The job that writes it."""

    #: None: it was written already.
    job_id: int | None
    #: False where it waits already, and where it was written already.
    fresh: bool


class Messages:
    """The operations."""

    def __init__(self, pushes: Pushes, *, wall_clock: Callable[[], float] = time.time) -> None:
        self._pushes = pushes
        self._wall_clock = wall_clock

    @operation(
        "POST",
        "/conversations/{conversation_id}/messages",
        scope="messages:write",
        status=202,
        body_bytes_max=_BODY_BYTES_MAX,
        repairs=True,
        logged=False,
    )
    def post(self, conversation_id: int, headers: MessageHeaders, body: NewMessage) -> AskedMessage:
        """Ask for a message that answers nothing, now or later.

        A job writes it, when no turn of the conversation waits or runs.
        """
        _check_texts(body.parts)
        enqueued = self._pushes.push(
            conversation_id,
            Reply(body.parts, locale=body.locale),
            key=body.key or headers.key,
            run_at=_at(body, self._wall_clock()),
        )
        return AskedMessage(None, fresh=False) if enqueued is None else AskedMessage(enqueued.job_id, enqueued.fresh)

    @operation("DELETE", "/conversations/{conversation_id}/messages/{key}", scope="messages:write")
    def delete(self, conversation_id: int, key: str) -> None:
        """Take a message back that waits under this key."""
        self._pushes.cancel(conversation_id, key)


def _check_texts(parts: Sequence[Part]) -> None:
    for number, part in enumerate(parts):
        if isinstance(part, Text | Speech) and not part.text.strip():
            raise BadRequest(f"expected a text that says something at $.parts[{number}].text", reason="bad_body")


def _at(wanted: NewMessage, now: float) -> float | None:
    if wanted.delay_s is not None:
        if wanted.at is not None:
            raise BadRequest("expected delay_s or at, got both", reason="bad_body")
        return now + wanted.delay_s
    at = wanted.at.timestamp() if isinstance(wanted.at, datetime) else wanted.at
    # What is long past is a mistake in the unit or the zone, and a message cannot be taken back once it is shown.
    if at is not None and not now - _PAST_S_MAX <= at <= _AT_MAX:
        raise BadRequest(
            "expected at as a time with a zone, or in Unix seconds, that is not more than a minute past and before the "
            f"year 10000, got {at:.0f} where it is {now:.0f} now; without at it is sent at once",
            reason="bad_at",
        )
    return at
