"""A turn in plain words: what a terminal shows of messages and replies."""

from __future__ import annotations

from gateway.domain.capabilities import Capabilities
from gateway.domain.degrade import degrade
from gateway.domain.message import Message
from gateway.domain.reply import Reply, Text

__all__ = ["message_text", "reply_text"]

#: A surface that shows nothing but text of any length: everything else becomes its equivalent in words.
_TERMINAL = Capabilities(
    shows=frozenset({"text"}),
    answers_in_response=False,
    answer_by_s=0.0,
    turn_deadline_s=0.0,
    late="none",
    redelivery="gives_up",
    text_chars_max=1_000_000,
)


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
    parts, _ = degrade(reply, _TERMINAL)
    return "\n".join(part.text for part in parts if isinstance(part, Text))
