"""A reply as calls of the Bot API: degraded, drafted, cut to what one message holds.

A payload is ``method`` and ``body``, and where Telegram may refuse what is in it although the words are good (a picture
or an address that it cannot reach), ``instead``: the same call without that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from gateway.channels.base import Rendered
from gateway.channels.telegram import keyboard, limits
from gateway.channels.telegram.drafts import Draft, Drafts
from gateway.channels.telegram.keyboard import Key
from gateway.channels.telegram.rich import Rich, join, units
from gateway.channels.telegram.surfaces import MESSAGES_MAX, SURFACES
from gateway.domain.degrade import degrade
from gateway.domain.message import Address, Surface
from gateway.domain.reply import Reply

__all__ = ["SEND_MESSAGE", "SEND_PHOTO", "render"]

#: How a payload leaves: ``method`` in the payload.
SEND_MESSAGE = "sendMessage"
SEND_PHOTO = "sendPhoto"

_REST = Rich("… the rest of this answer is too long for Telegram.")


def render(reply: Reply, surface: Surface, address: Address) -> Rendered:
    """Return *reply* as payloads."""
    parts, degraded = degrade(reply, SURFACES[surface])
    drafts = Drafts()
    for part in parts:
        drafts.add(part)
    messages = [piece for draft in drafts.messages for piece in _within(draft)]
    lines = [*degraded, *drafts.degraded]
    if len(messages) > MESSAGES_MAX:
        lines.append(f"reply: {len(messages) - MESSAGES_MAX + 1} messages beyond {MESSAGES_MAX} not shown")
        rest = Draft(_REST)
        # What the user can do next mostly stands at the end.
        rest.rows = messages[-1].rows
        messages = [*messages[: MESSAGES_MAX - 1], rest]
    # The first one is shown as the answer to its question; those behind it follow by themselves.
    behind = {name: value for name, value in address.items() if name != "reply_to"}
    payloads = (_payload(message, behind if at else address) for at, message in enumerate(messages))
    return Rendered(tuple(payloads), tuple(lines))


def _within(draft: Draft) -> Iterator[Draft]:
    """Yield *draft* as messages that Telegram takes; the keyboard goes under the last."""
    if not draft.photo:
        pieces = [Draft(piece) for piece in draft.text.pieces(limits.TEXT_UNITS_MAX)]
    elif units(draft.text.text) <= limits.CAPTION_UNITS_MAX:
        pieces = [Draft(draft.text, draft.photo)]
    else:
        pieces = [Draft(Rich(""), draft.photo)]
        pieces += (Draft(piece) for piece in draft.text.pieces(limits.TEXT_UNITS_MAX))
    if pieces:
        pieces[-1].rows = draft.rows
    yield from pieces


def _payload(draft: Draft, address: Address) -> dict[str, Any]:
    payload = _call(draft.text, draft.photo, draft.rows, address)
    links = [key for key in draft.keys if key.url]
    if draft.photo or links:
        lines = [
            draft.text,
            Rich.plain(draft.photo),
            *(Rich.plain(f"{key.label}: {key.url}") for key in links),
        ]
        words = join((line for line in lines if line), "\n")
        if units(words.text) <= limits.TEXT_UNITS_MAX:
            payload["instead"] = _call(words, "", list(_without_links(draft.rows)), address)
    return payload


def _call(text: Rich, photo: str, rows: Iterable[tuple[Key, ...]], address: Address) -> dict[str, Any]:
    body: dict[str, Any] = {"chat_id": int(address["chat_id"])}
    if "thread_id" in address:
        body["message_thread_id"] = int(address["thread_id"])
    if "reply_to" in address:
        # The answer goes out even if the question was deleted meanwhile.
        body["reply_parameters"] = {
            "message_id": int(address["reply_to"]),
            "allow_sending_without_reply": True,
        }
    if photo:
        body["photo"] = photo
        body |= text.body("caption", "caption_entities") if text else {}
    else:
        body |= text.body()
    if rows := list(rows):
        body["reply_markup"] = keyboard.markup(rows)
    return {"method": SEND_PHOTO if photo else SEND_MESSAGE, "body": body}


def _without_links(rows: Iterable[tuple[Key, ...]]) -> Iterator[tuple[Key, ...]]:
    for row in rows:
        if left := tuple(key for key in row if not key.url):
            yield left
