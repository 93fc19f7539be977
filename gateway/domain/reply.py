"""What an assistant says: ordered parts, and what it wants remembered.

The same structs are the published wire schema (``/api/v1/assistant.schema.json``), so a field added here is a promise
to assistant authors.  Every part can be shown somewhere and degrades somewhere else: :mod:`gateway.domain.degrade`
says how.  Lengths are bounded here once; a platform's tighter bounds live in its capability table.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

__all__ = [
    "PARTS_MAX",
    "Audio",
    "Button",
    "Buttons",
    "Card",
    "File",
    "Image",
    "Item",
    "List",
    "Part",
    "Reply",
    "Speech",
    "Suggestions",
    "Text",
    "Timer",
    "Url",
]

#: Parts of one reply.
PARTS_MAX = 50
TEXT_CHARS_MAX = 40_000
#: Timers that one reply sets or stops.
TIMERS_MAX = 20
#: Seconds after which a timer is due at the latest: 31 days.
TIMER_S_MAX = 2_678_400

ShortText = Annotated[str, Meta(max_length=500)]
LongText = Annotated[str, Meta(max_length=TEXT_CHARS_MAX)]
#: Only web addresses leave the gateway: a ``javascript:`` or ``file:`` link must not reach a user.  The end is
#: said twice because Python's ``$`` also matches before a last line end, and JSON Schema has no ``\Z``.
Url = Annotated[str, Meta(max_length=2_048, pattern=r"^https?://[^\s<>\"']+$(?![\s\S])")]


class Text(msgspec.Struct, frozen=True, tag="text", omit_defaults=True):
    """A paragraph.  ``markdown``: whether ``*``, ``_`` and links in it mean something."""

    text: LongText
    markdown: bool = False


class Speech(msgspec.Struct, frozen=True, tag="speech", omit_defaults=True):
    """What a voice says: plain ``text``, and ``ssml`` (a whole ``<speak>`` element) for a better voice."""

    text: LongText
    ssml: LongText = ""


class Image(msgspec.Struct, frozen=True, tag="image", omit_defaults=True):
    """A picture.  ``alt`` is what those who cannot see it get: never empty."""

    url: Url
    alt: Annotated[str, Meta(min_length=1, max_length=500)]
    title: ShortText = ""


class Audio(msgspec.Struct, frozen=True, tag="audio", omit_defaults=True):
    """A sound to play, with what it says or is for those who cannot hear it."""

    url: Url
    transcript: Annotated[str, Meta(min_length=1, max_length=TEXT_CHARS_MAX)]
    title: ShortText = ""


class File(msgspec.Struct, frozen=True, tag="file", omit_defaults=True):
    """A document to download."""

    url: Url
    name: Annotated[str, Meta(min_length=1, max_length=500)]
    media_type: ShortText = ""


class Button(msgspec.Struct, frozen=True, omit_defaults=True):
    """A control: it sends ``value`` back as a tap, or opens ``url``."""

    label: Annotated[str, Meta(min_length=1, max_length=75)]
    value: Annotated[str, Meta(max_length=2_000)] = ""
    url: Url | UnsetType = UNSET


class Buttons(msgspec.Struct, frozen=True, tag="buttons", omit_defaults=True):
    """A question with controls under it."""

    text: LongText
    buttons: Annotated[tuple[Button, ...], Meta(min_length=1, max_length=25)]


class Card(msgspec.Struct, frozen=True, tag="card", omit_defaults=True):
    """A titled box: text, maybe a picture, maybe controls."""

    title: Annotated[str, Meta(min_length=1, max_length=500)]
    text: LongText = ""
    subtitle: ShortText = ""
    image: Image | UnsetType = UNSET
    buttons: Annotated[tuple[Button, ...], Meta(max_length=25)] = ()


class Item(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of a list; with a ``value`` it can be chosen."""

    title: Annotated[str, Meta(min_length=1, max_length=500)]
    text: ShortText = ""
    value: Annotated[str, Meta(max_length=2_000)] = ""
    image: Image | UnsetType = UNSET


class List(msgspec.Struct, frozen=True, tag="list", omit_defaults=True):
    """Several things of one kind, in order."""

    items: Annotated[tuple[Item, ...], Meta(min_length=1, max_length=100)]
    title: ShortText = ""
    numbered: bool = False


class Suggestions(msgspec.Struct, frozen=True, tag="suggestions", omit_defaults=True):
    """What the user might say next; a chosen one comes back as a text message."""

    texts: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=75)], ...], Meta(min_length=1, max_length=13)
    ]


Part = Text | Speech | Image | Audio | File | Card | List | Buttons | Suggestions


class Timer(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message that comes later by itself: ``parts``, ``after_s`` seconds after the reply.

    In a conversation there is one timer of a ``name``: a later one takes its place, and one without ``after_s`` only
    stops it.
    """

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    after_s: Annotated[float, Meta(ge=0, le=TIMER_S_MAX)] | None = None
    parts: Annotated[tuple[Part, ...], Meta(max_length=PARTS_MAX)] = ()


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """A whole answer.

    ``state`` belongs to the conversation and ``memory`` to the user: absent leaves what is stored, ``null`` clears it,
    an object replaces it.  ``end`` closes the conversation's session where the channel has one.
    """

    parts: Annotated[tuple[Part, ...], Meta(max_length=PARTS_MAX)] = ()
    state: dict[str, Any] | UnsetType | None = UNSET
    memory: dict[str, Any] | UnsetType | None = UNSET
    end: bool = False
    locale: Annotated[str, Meta(max_length=35)] = ""
    timers: Annotated[tuple[Timer, ...], Meta(max_length=TIMERS_MAX)] = ()
