"""What Alexa sends, as far as we read it; unknown fields are skipped.

https://developer.amazon.com/docs/alexa/custom-skills/request-and-response-json-reference.html
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, field

__all__ = ["ENVELOPE", "Application", "Envelope", "Intent", "Slot"]

#: Amazon's ids have up to 255 characters; one is part of a key that an index must be able to hold.
Id = Annotated[str, Meta(max_length=512)]
Name = Annotated[str, Meta(max_length=512)]


class Application(msgspec.Struct, rename="camel"):
    """A skill."""

    application_id: str


class ResolvedName(msgspec.Struct):
    """The word of the skill's own model for what was said."""

    name: str = ""


class Resolved(msgspec.Struct):
    """One of the values that were found."""

    value: ResolvedName = field(default_factory=ResolvedName)


class ResolutionStatus(msgspec.Struct):
    """Whether any was."""

    code: str = ""


class Resolution(msgspec.Struct):
    """What one list of values says to what was said."""

    status: ResolutionStatus = field(default_factory=ResolutionStatus)
    values: list[Resolved] = []


class Resolutions(msgspec.Struct, rename="camel"):
    """What all of them say."""

    resolutions_per_authority: list[Resolution] = []


class SlotValue(msgspec.Struct):
    """What fills a slot: one value, or a list of them (``values``)."""

    value: str | None = None
    resolutions: Resolutions | None = None
    values: list[SlotValue] | None = None


class Slot(msgspec.Struct, rename="camel"):
    """A part of an utterance."""

    value: str | None = None
    resolutions: Resolutions | None = None
    slot_value: SlotValue | None = None


class Intent(msgspec.Struct):
    """What Alexa understood."""

    name: Name
    slots: dict[str, Slot] | None = None


class User(msgspec.Struct, rename="camel"):
    """Whose Amazon account it is."""

    user_id: Id


class Device(msgspec.Struct, rename="camel"):
    """What is spoken to."""

    device_id: Id = ""


class System(msgspec.Struct, rename="camel"):
    """Who and what, and how to say something meanwhile."""

    user: User | None = None
    device: Device | None = None
    api_endpoint: str = ""
    api_access_token: str = ""


class Context(msgspec.Struct):
    """The state of the device."""

    system: System = field(default_factory=System, name="System")


class Session(msgspec.Struct, rename="camel"):
    """From the launch to the end."""

    session_id: str = ""
    user: User | None = None


class Request(msgspec.Struct, rename="camel"):
    """What happened."""

    type: str
    request_id: Id
    timestamp: str
    locale: str | None = None
    intent: Intent | None = None
    #: Why a session has ended.
    reason: str | None = None


class Envelope(msgspec.Struct):
    """One call."""

    request: Request
    session: Session | None = None
    context: Context = field(default_factory=Context)


ENVELOPE = msgspec.json.Decoder(Envelope)
