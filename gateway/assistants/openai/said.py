"""What was said, in the words that a model reads.  Pure.

A model reads text alone: what a user did otherwise stands in brackets, what was shown otherwise as its best equivalent
in words, with its markdown.
"""

from __future__ import annotations

from gateway.domain.degrade import in_words
from gateway.domain.message import Message
from gateway.domain.reply import Part

__all__ = ["assistant_words", "user_words"]


def user_words(message: Message) -> str:
    """Return what a user said or did; empty where the words were removed."""
    match message.kind:
        case "tap":
            # What the control stands for; what was written on it, the model never said in that form.
            words = [message.text or message.value or message.name]
        case "command":
            words = [" ".join(part for part in (message.name, message.text) if part)]
        case "event":
            words = [f"[{message.name or 'event'}]", message.text]
        case _:
            words = [message.text]
    words += [f"[{one.kind}: {one.name}]" if one.name else f"[{one.kind}]" for one in message.attachments]
    return " ".join(word for word in words if word.strip())


def assistant_words(parts: tuple[Part, ...]) -> str:
    """Return what was answered; empty if it had no words."""
    return "\n\n".join(in_words(parts, markdown=True))
