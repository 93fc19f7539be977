"""A reply as the JSON that the page draws: all parts as they are, in the words of the reply schema."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.channels.base import Rendered
from gateway.channels.webchat.surfaces import SURFACES
from gateway.domain.degrade import degrade
from gateway.domain.message import Address, Surface
from gateway.domain.reply import Reply

__all__ = ["render"]


def render(reply: Reply, surface: Surface, address: Address) -> Rendered:
    """Return *reply* as one payload: ``id`` of the message it answers, ``parts``, and ``end`` where it is."""
    parts, degraded = degrade(reply, SURFACES[surface])
    payload: dict[str, Any] = {"id": address.get("id", ""), "parts": msgspec.to_builtins(parts)}
    if reply.end:
        payload["end"] = True
    return Rendered((payload,), degraded)
