"""What lives in one gateway process, as ``tests/soak/observed.py`` counts it from inside."""

from __future__ import annotations

import msgspec

from tests.support.calling import call

__all__ = ["APPLICATION", "Census", "take_census"]

#: For gunicorn: the gateway with a window.
APPLICATION = "tests.soak.observed:app"


class Census(msgspec.Struct, frozen=True):
    """Greenlets that have a stack, open descriptors, memory, objects that the collector visits."""

    greenlets: int
    descriptors: int
    resident_bytes: int
    objects: int


def take_census(port: int) -> Census:
    """Return what lives in the gateway at *port* now; the one who counts is counted."""
    return msgspec.json.decode(call(port, "/census", method="GET").body, type=Census)
