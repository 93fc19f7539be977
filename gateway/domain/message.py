"""What a user said, in one form for all platforms.

A channel's ``parse`` makes these; nothing behind it knows which platform spoke.  Text is cleaned where it enters
(:mod:`gateway.domain.text`), so that one user's ``\\u0000`` cannot fail a whole batch of strangers in the ledger.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Address", "Attachment", "Inbound", "Message", "MessageKind", "Sender", "Surface"]

MessageKind = Literal["text", "speech", "attachment", "tap", "command", "event"]

#: How a delivery of a channel wants to be answered, by the name under which the channel declares its capabilities
#: (Slack: ``event``, ``command``, ``interaction``; web chat: ``message``).
Surface = str

#: Where a reply goes, in the channel's own words (Slack: channel, thread_ts, response_url ...).  Opaque elsewhere.
Address = dict[str, str]


class Attachment(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file that came with a message.  ``url`` is the platform's; it may need the account's token to be read."""

    kind: Literal["image", "audio", "video", "file", "location", "contact"]
    url: str = ""
    media_type: str = ""
    name: str = ""
    size_bytes: int | None = None
    latitude: float | None = None
    longitude: float | None = None


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that a user said or did.

    ``text``: what was typed, or recognised from speech.  ``name``: the command (``/drink``), the tapped control, the
    intent or the event (``session_started``).  ``value``: what the tapped control stands for.  ``arguments``: slots of
    an intent, fields of a form.  ``confidence``: of speech recognition, 0 to 1.
    """

    kind: MessageKind
    text: str = ""
    name: str = ""
    value: str = ""
    arguments: dict[str, str] = {}
    attachments: tuple[Attachment, ...] = ()
    locale: str = ""
    confidence: float | None = None
    #: Unix seconds on the platform's clock, where it says.
    sent_at: float | None = None


class Sender(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who said it: ``key`` is the platform's own id, unique within (channel, account)."""

    key: str
    name: str = ""
    locale: str = ""


class Inbound(msgspec.Struct, frozen=True):
    """A message with all that intake needs to place it.

    ``dedupe_keys``: any one of them seen before means that the message is a repeat.  Never empty.
    ``conversation_key``: the channel's own key; equal keys are one lane.
    """

    conversation_key: str
    dedupe_keys: tuple[str, ...]
    sender: Sender
    message: Message
    surface: Surface
    address: Address
    #: Seconds for which this caller wants the response held, where it said so; never more than the surface
    #: allows.
    answer_by_s: float | None = None
    #: What is of use while the delivery is being answered and is kept nowhere: a token that dies within the hour.
    passing: dict[str, str] = {}
