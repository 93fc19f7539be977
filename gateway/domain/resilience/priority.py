"""How much a call matters when not all can be made: a lower number is served first and shed last."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["Priority"]


class Priority(IntEnum):
    """The class of a call."""

    #: Somebody waits and has waited already: what must get through while anything does.
    HIGH = 0
    #: A turn.
    NORMAL = 1
    #: What can come later or not at all: looks ahead, sweeps, second tries that nobody waits for.
    LOW = 2
