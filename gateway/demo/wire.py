"""What travels between the gateway and the sample assistants: a turn in, a reply out, and messages that come later.

The gateway publishes the schema at ``/api/v1/assistant.schema.json``.  This file is an assistant author's reading of
it, on purpose not an import of the gateway's: only what the samples use, unknown fields ignored.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

__all__ = [
    "Button",
    "Card",
    "Conversation",
    "Image",
    "Item",
    "List",
    "Message",
    "Part",
    "Reply",
    "Speech",
    "Suggestions",
    "Surface",
    "Text",
    "Timer",
    "TurnRequest",
    "User",
]


class Message(msgspec.Struct, frozen=True):
    """What somebody said or tapped."""

    kind: str
    text: str = ""
    name: str = ""
    value: str = ""


class Conversation(msgspec.Struct, frozen=True):
    """Where it was said, and the state that we returned last."""

    id: str
    state: dict[str, Any] | None = None
    channel: str = ""


class User(msgspec.Struct, frozen=True):
    """Who said it, and what we asked to be remembered."""

    id: str
    name: str = ""
    memory: dict[str, Any] | None = None


class Surface(msgspec.Struct, frozen=True):
    """What their platform can show, and whether something can come there that nobody has just asked for."""

    shows: frozenset[str] = frozenset({"text"})
    streams: bool = False
    pushes: bool = False

    @property
    def is_heard(self) -> bool:
        """Whether words are heard here, and not read as well."""
        return "speech" in self.shows and "text" not in self.shows


class TurnRequest(msgspec.Struct, frozen=True):
    """One turn to be answered within ``deadline_ms``."""

    turn_id: Annotated[str, Meta(min_length=1, max_length=100)]
    fence: int
    deadline_ms: int
    conversation: Conversation
    user: User
    message: Message
    surface: Surface = Surface()


class Text(msgspec.Struct, frozen=True, tag="text", omit_defaults=True):
    """A paragraph."""

    text: str


class Speech(msgspec.Struct, frozen=True, tag="speech", omit_defaults=True):
    """What a voice says in its place."""

    text: str


class Image(msgspec.Struct, frozen=True, tag="image", omit_defaults=True):
    """A picture, and what is said of it to those who cannot see it."""

    url: str
    alt: str


class Button(msgspec.Struct, frozen=True):
    """A control; its ``value`` comes back as a tap."""

    label: Annotated[str, Meta(min_length=1, max_length=75)]
    value: str


class Card(msgspec.Struct, frozen=True, tag="card", omit_defaults=True):
    """One thing with a title: a drink, a recipe, a step of it."""

    title: str
    text: str = ""
    subtitle: str = ""
    image: Image | UnsetType = UNSET
    buttons: tuple[Button, ...] = ()


class Item(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of a list, to be chosen."""

    title: str
    text: str = ""
    value: str = ""


class List(msgspec.Struct, frozen=True, tag="list", omit_defaults=True):
    """Several of them, in order."""

    items: tuple[Item, ...]
    title: str = ""
    numbered: bool = False


class Suggestions(msgspec.Struct, frozen=True, tag="suggestions", omit_defaults=True):
    """What might be said next."""

    texts: tuple[str, ...]


Part = Text | Speech | Card | List | Suggestions


class Timer(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message that comes by itself ``after_s`` seconds from now.  One of the same name takes its place; one without
    seconds only stops it.
    """

    name: str
    after_s: float | None = None
    parts: tuple[Part, ...] = ()


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """The whole answer.  ``state`` and ``memory`` replace what is stored; null clears it, absent leaves it."""

    parts: tuple[Part, ...]
    state: dict[str, Any] | UnsetType | None = UNSET
    memory: dict[str, Any] | UnsetType | None = UNSET
    end: bool = False
    locale: str = "en"
    timers: tuple[Timer, ...] = ()
