"""A reply as Slack messages: degraded, drawn as blocks, packed into as few messages as hold them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any

import msgspec

from gateway.channels.base import Rendered
from gateway.channels.slack import limits
from gateway.channels.slack.blocks import Block, blocks_of
from gateway.channels.slack.mrkdwn import escape
from gateway.channels.slack.surfaces import COMMAND, MESSAGES_MAX, SURFACES
from gateway.domain.degrade import degrade
from gateway.domain.message import Address, Surface
from gateway.domain.reply import Reply
from gateway.domain.text import split

__all__ = ["POST_MESSAGE", "RESPONSE_URL", "render"]

#: How a payload leaves: ``via`` in the payload.
POST_MESSAGE = "chat.postMessage"
RESPONSE_URL = "response_url"

_REST: Block = {
    "type": "context",
    "elements": [{"type": "plain_text", "text": "… the rest of this answer is too long for Slack."}],
}


def render(reply: Reply, surface: Surface, address: Address) -> Rendered:
    """Return *reply* as payloads: ``via``, ``body``, and ``url`` where an address came with the delivery."""
    parts, degraded = degrade(reply, SURFACES[surface])
    numbers = count(1)
    messages = list(_pack(block for part in parts for block in blocks_of(part, numbers)))
    if len(messages) > MESSAGES_MAX:
        lost = sum(map(len, messages[MESSAGES_MAX:])) + 1
        messages = [*messages[: MESSAGES_MAX - 1], [*messages[MESSAGES_MAX - 1][:-1], _REST]]
        degraded = (*degraded, f"reply: {lost} blocks beyond {MESSAGES_MAX} messages not shown")
    payloads = tuple(_payload(blocks, surface, address) for blocks in messages)
    return Rendered(payloads, degraded)


def _pack(blocks: Iterable[Block]) -> Iterator[list[Block]]:
    message: list[Block] = []
    message_bytes = 0
    for block in blocks:
        block_bytes = len(msgspec.json.encode(block))
        full = len(message) >= limits.BLOCKS_MAX or message_bytes + block_bytes > limits.BLOCKS_BYTES_MAX
        if message and full:
            yield message
            message, message_bytes = [], 0
        message.append(block)
        message_bytes += block_bytes
    if message:
        yield message


def _payload(blocks: list[Block], surface: Surface, address: Address) -> dict[str, Any]:
    body: dict[str, Any] = {"text": _fallback(blocks), "blocks": blocks}
    if "thread_ts" in address:
        body["thread_ts"] = address["thread_ts"]
    if "response_url" not in address:
        body["channel"] = address["channel"]
        return {"via": POST_MESSAGE, "body": body}
    body["response_type"] = address.get("visibility", "ephemeral")
    if surface != COMMAND:
        # Slack's default would put the answer in place of the message with the button.
        body["replace_original"] = False
    return {"via": RESPONSE_URL, "url": address["response_url"], "body": body}


def _fallback(blocks: list[Block]) -> str:
    """Return the words of *blocks* for notifications and screen readers, escaped: markup counts here."""
    words = [word for block in blocks for word in _words(block)]
    if not words:
        words = [
            escape(control["text"]["text"])
            for block in blocks
            for control in block.get("elements", ())
            if control["type"] == "button"
        ]
    text = "\n".join(words)
    if len(text) <= limits.FALLBACK_CHARS_MAX:
        return text
    return split(text, limits.FALLBACK_CHARS_MAX - 1)[0] + "…"


def _words(block: Block) -> Iterator[str]:
    match block:
        case {"type": "section", "text": {"type": "mrkdwn", "text": text}}:
            yield text
        case {"type": "section" | "header", "text": {"text": text}}:
            yield escape(text)
        case {"type": "context", "elements": elements}:
            yield from (escape(element["text"]) for element in elements)
        case {"type": "image", "alt_text": text}:
            yield escape(text)
