"""The honest end of everything that is sent: sent, not_sent, or unknown.

``unknown`` means that bytes were on the wire and no answer settled what became of them.  It is never sent again in
silence.  ``retry`` is not an end: the platform said "not now", or nothing was ever written.
"""

from __future__ import annotations

import msgspec

__all__ = ["NotSent", "Outcome", "RetryLater", "Sent", "Unknown"]


class Sent(msgspec.Struct, frozen=True, tag="sent"):
    """The platform confirmed it.  ``platform_id`` is its name for the message, where it gives one."""

    platform_id: str = ""


class NotSent(msgspec.Struct, frozen=True, tag="not_sent"):
    """Refused for good (bad token, unknown channel, expired address): trying again will not help."""

    reason: str
    detail: str = ""


class RetryLater(msgspec.Struct, frozen=True, tag="retry"):
    """Certainly not sent, and worth another try; ``after_s`` is the platform's own word, where it gave one.

    ``limited``: the platform takes no more for now of what this was counted under, or of the scopes that
    ``limited_scopes`` names, where others may still have room.
    """

    reason: str
    detail: str = ""
    after_s: float | None = None
    limited: bool = False
    limited_scopes: tuple[str, ...] = ()


class Unknown(msgspec.Struct, frozen=True, tag="unknown"):
    """Written to the wire, never confirmed."""

    reason: str
    detail: str = ""


Outcome = Sent | NotSent | RetryLater | Unknown
