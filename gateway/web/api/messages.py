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
from typing import Annotated

import flask
import msgspec
from msgspec import Meta

from gateway.assistants.decode import decode_json
from gateway.domain.errors import AssistantFailed, BadRequest, NotFound
from gateway.domain.reply import PARTS_MAX, TIMER_S_MAX, Part, Reply
from gateway.jobs.pushes import Pushes
from gateway.settings.secret import Secret
from gateway.web.api.bearer import bearer_guard
from gateway.web.api.problem import refuse_with_problems

__all__ = ["message_pages"]

_BODY_BYTES_MAX = 262_144
_ID_MAX = 2**63 - 1


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
        key = wanted.key or flask.request.headers.get("Idempotency-Key", "")
        enqueued = self._pushes.push(
            _id(conversation_id), Reply(wanted.parts, locale=wanted.locale), key=key, run_at=_at(wanted)
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
        return decode_json(flask.request.get_data(), _decoder, "message")
    except AssistantFailed as error:
        # The words are those of a reply, which a message is; who wrote it is the caller here.
        raise BadRequest(str(error), reason="bad_body") from None


def _at(wanted: Wanted) -> float | datetime | None:
    if wanted.delay_s is None:
        return wanted.at
    if wanted.at is not None:
        raise BadRequest("expected delay_s or at, got both", reason="bad_body")
    return time.time() + wanted.delay_s


def _id(conversation_id: int) -> int:
    if conversation_id > _ID_MAX:
        raise NotFound("there is no conversation of such a number", reason="no_such_conversation")
    return conversation_id
