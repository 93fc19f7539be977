"""What the page sends: ``{"id", "text"}`` or ``{"id", "tap": {"name", "value", "label"}}``, and maybe
``"chat"``.

Unlike a platform, this caller is a program that reads our answer, so a bad body is a 400 with a reason and
is kept nowhere.
"""

from __future__ import annotations

import re
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.channels.base import Messages
from gateway.channels.decoding import decode_json
from gateway.channels.webchat.cookie import visitor
from gateway.channels.webchat.surfaces import MESSAGE, TEXT_CHARS_MAX, WAIT, WAIT_S_MAX
from gateway.domain.errors import BadRequest, NotUnderstood, TooLarge
from gateway.domain.http import Request
from gateway.domain.message import Inbound, Message, Sender
from gateway.domain.text import clean
from gateway.settings.accounts import WebchatAccount

__all__ = ["ChatName", "parse", "wait_s"]

MessageId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{8,64}\Z")]
ChatName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}\Z")]

#: RFC 7240, section 2 and 4.3: preferences are separated by commas, a value may be quoted.
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,6})\"?\s*(?=[,;]|$)", re.IGNORECASE)
_LOCALE = re.compile(r"\s*([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3})\s*(?:[,;]|$)")


class Tap(msgspec.Struct):
    """A control that was used."""

    name: Annotated[str, Meta(max_length=255)] = ""
    value: Annotated[str, Meta(max_length=2_000)] = ""
    label: Annotated[str, Meta(max_length=500)] = ""


class Body(msgspec.Struct):
    """One message of the page.  ``id`` is the page's own: sent again, it is the same message."""

    id: MessageId
    text: str | None = None
    tap: Tap | None = None
    chat: ChatName = "main"


_BODY = msgspec.json.Decoder(Body)


def parse(request: Request, account: WebchatAccount, now_s: float) -> Messages:
    """Return the one message of the request, or raise BadRequest."""
    visitor_id = visitor(request, account, now_s)
    try:
        body = decode_json(_BODY, request.body)
    except NotUnderstood as error:
        raise BadRequest(str(error), reason=error.reason) from None
    locale = _LOCALE.match(request.header("accept-language"))
    sender = Sender(key=visitor_id, locale=locale[1] if locale else "")
    patience_s = wait_s(request.header("prefer"))
    inbound = Inbound(
        conversation_key=f"{visitor_id}:{body.chat}",
        dedupe_keys=(f"{visitor_id}:{body.id}",),
        sender=sender,
        message=_message(body, sender.locale),
        surface=WAIT if patience_s else MESSAGE,
        address={"visitor": visitor_id, "chat": body.chat, "id": body.id},
        answer_by_s=patience_s or None,
    )
    return Messages((inbound,))


def wait_s(prefer: str) -> float:
    """Return the seconds that a ``Prefer`` header asks us to hold the response, 0 if it does not."""
    wait = _WAIT.search(prefer)
    return min(float(wait[1]), WAIT_S_MAX) if wait else 0.0


def _message(body: Body, locale: str) -> Message:
    if (body.text is None) == (body.tap is None):
        raise BadRequest('expected either "text" or "tap"', reason="wrong_schema")
    if body.tap is not None:
        tap = body.tap
        return Message(
            kind="tap", name=clean(tap.name), value=clean(tap.value), text=clean(tap.label), locale=locale
        )
    text = clean(body.text or "")
    if len(text) > TEXT_CHARS_MAX:
        raise TooLarge(
            f"expected at most {TEXT_CHARS_MAX:,} characters of text, got {len(text):,}",
            reason="text_too_long",
        )
    if not text.strip():
        raise BadRequest("the text is empty", reason="empty")
    return Message(kind="text", text=text, locale=locale)
