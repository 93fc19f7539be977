"""A turn in plain words: what a terminal shows of messages and replies."""

from __future__ import annotations

from gateway.domain.degrade import in_words
from gateway.domain.message import Message
from gateway.domain.reply import Reply

__all__ = ["message_text", "reply_text"]


def message_text(message: Message) -> str:
    """Return *message* as one text: what was typed, or what was done in brackets."""
    words = [message.text] if message.text else []
    if message.kind not in {"text", "speech"}:
        done = " ".join(part for part in (message.kind, message.name, message.value) if part)
        words.insert(0, f"[{done}]")
    words += [f"[{one.kind} {one.name or one.url}]" for one in message.attachments]
    return " ".join(words)


def reply_text(reply: Reply) -> str:
    """Return *reply* as one text, a paragraph for each part."""
    return "\n".join(in_words(reply.parts))
