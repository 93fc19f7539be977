"""``/api/v1/conversations/<id>/messages``: messages that answer nothing, now or later.

| request                                     | answer                                                              |
|---------------------------------------------|---------------------------------------------------------------------|
| `POST /conversations/<id>/messages`         | 202 and the job that writes it; 404 where nobody has spoken         |
| `DELETE /conversations/<id>/messages/<key>` | 204: it was taken back; 404 where none waits under this key         |

The body of POST is ``{"parts": [...]}``, as in an assistant's reply, with ``"delay_s"`` seconds or ``"at"`` (Unix
seconds, or a time with a zone) for one that is to come later, and ``"key"``, or the header ``Idempotency-Key``, under
which it is written once however often it is asked for, within seven days of its writing.  ``fresh`` is false where it
waits already, and where it was written already: then ``job_id`` is null.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, get_args

import flask
import msgspec
from msgspec import Meta

from gateway.assistants.decode import decode_json, place
from gateway.domain.errors import AssistantFailed, BadRequest, NotFound
from gateway.domain.reply import PARTS_MAX, TIMER_S_MAX, Part, Reply, Speech, Text
from gateway.jobs.pushes import Pushes
from gateway.settings.secret import Secret
from gateway.web.api.bearer import bearer_guard
from gateway.web.api.problem import refuse_with_problems

__all__ = ["message_pages"]

_BODY_BYTES_MAX = 262_144
_ID_MAX = 2**63 - 1
#: Seconds by which a time may be past: clocks differ, and requests take a while.
_PAST_S_MAX = 60.0
#: 9999-12-31 as Unix seconds.
_AT_MAX = 253_402_214_400.0
#: Characters of an error that may quote what it found.
_WORDS_CHARS_MAX = 400
_PART_TYPES = [str(part.__struct_config__.tag) for part in get_args(Part)]


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of POST."""

    parts: Annotated[tuple[Part, ...], Meta(min_length=1, max_length=PARTS_MAX)]
    locale: Annotated[str, Meta(max_length=35)] = ""
    key: str = ""
    delay_s: Annotated[float, Meta(ge=0, le=TIMER_S_MAX)] | None = None
    at: float | datetime | None = None


class Asked(msgspec.Struct, frozen=True):
    """The answer to POST."""

    #: None: it was written already.
    job_id: int | None
    fresh: bool


_decoder = msgspec.json.Decoder(Wanted)


def message_pages(pushes: Pushes, tokens: Sequence[Secret]) -> flask.Blueprint:
    """Return the routes."""
    pages = flask.Blueprint("api_messages", __name__, url_prefix="/api/v1/conversations/<int:conversation_id>/messages")
    pages.before_request(bearer_guard(tokens))
    refuse_with_problems(pages)
    views = _Messages(pushes)
    pages.add_url_rule("", "post", views.post, methods=["POST"])
    pages.add_url_rule("/<path:key>", "delete", views.delete, methods=["DELETE"])
    return pages


class _Messages:
    """The views."""

    def __init__(self, pushes: Pushes) -> None:
        self._pushes = pushes

    def post(self, conversation_id: int) -> flask.Response:
        """Ask for a message."""
        wanted = _wanted()
        _check_texts(wanted.parts)
        key = wanted.key or flask.request.headers.get("Idempotency-Key", "")
        enqueued = self._pushes.push(
            _id(conversation_id), Reply(wanted.parts, locale=wanted.locale), key=key, run_at=_at(wanted, time.time())
        )
        asked = Asked(None, fresh=False) if enqueued is None else Asked(enqueued.job_id, enqueued.fresh)
        return flask.Response(
            msgspec.json.encode(asked),
            202,
            content_type="application/json",
            headers={"Cache-Control": "no-store"},
        )

    def delete(self, conversation_id: int, key: str) -> flask.Response:
        """Take one back."""
        self._pushes.cancel(_id(conversation_id), key)
        return flask.Response(status=204)


def _wanted() -> Wanted:
    flask.request.max_content_length = _BODY_BYTES_MAX
    try:
        return decode_json(flask.request.get_data(), _decoder, "message", explained=_explained)
    except AssistantFailed as error:
        # The words are those of a reply, which a message is; who wrote it is the caller here.
        raise BadRequest(str(error), reason="bad_body") from None


def _explained(error: msgspec.ValidationError) -> str:
    """Say what was found as well, unlike of a reply: who is told has written it."""
    what, path = place(error)
    if "unknown field" in what:
        what = f"{what}; expected only {', '.join(Wanted.__struct_fields__)}"
    elif path.endswith(".type") or what.endswith("`type`"):
        what = f"{what}; expected a type of {', '.join(_PART_TYPES)}"
    return what[:_WORDS_CHARS_MAX] + ("" if path == "$" else f" at {path}")


def _check_texts(parts: Sequence[Part]) -> None:
    for number, part in enumerate(parts):
        if isinstance(part, Text | Speech) and not part.text.strip():
            raise BadRequest(f"expected a text that says something at $.parts[{number}].text", reason="bad_body")


def _at(wanted: Wanted, now: float) -> float | None:
    if wanted.delay_s is not None:
        if wanted.at is not None:
            raise BadRequest("expected delay_s or at, got both", reason="bad_body")
        return now + wanted.delay_s
    at = wanted.at
    if isinstance(at, datetime):
        if at.tzinfo is None:
            raise BadRequest(
                f"expected at with a time zone, such as {at.isoformat()}Z or {at.isoformat()}+01:00", reason="bad_at"
            )
        at = at.timestamp()
    # What is long past is a mistake in the unit or the zone, and a message cannot be taken back once it is shown.
    if at is not None and not now - _PAST_S_MAX <= at <= _AT_MAX:
        raise BadRequest(
            "expected at as a time with a zone, or in Unix seconds, that is not more than a minute past and before the "
            f"year 10000, got {at:.0f} where it is {now:.0f} now; without at it is sent at once",
            reason="bad_at",
        )
    return at


def _id(conversation_id: int) -> int:
    if conversation_id > _ID_MAX:
        raise NotFound("there is no conversation of such a number", reason="no_such_conversation")
    return conversation_id
