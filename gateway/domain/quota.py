"""What a platform counts of what is sent to it, and how much each sort of it matters when not all can go.  Pure."""

from __future__ import annotations

from enum import IntEnum

import msgspec

__all__ = ["Scope", "Urgency"]


class Scope(msgspec.Struct, frozen=True):
    """Something of which a platform takes only so much: posts to one channel, calls of one app.

    ``name`` is the same for all of a sort; ``key`` says which one of them, within the account.
    """

    name: str
    key: str
    #: What it takes in the long run.
    rate_per_s: float
    #: What it takes at once after a pause.
    burst: float


class Urgency(IntEnum):
    """How much it matters that it is sent: a lower number goes first."""

    #: A message: nobody sends it again.
    FINAL = 0
    #: A piece of one that is still being made: the next piece says it all.
    EDIT = 1
    #: A sign of life.
    TYPING = 2

    @property
    def reserve(self) -> float:
        """The share of a burst that it leaves for what is more urgent."""
        return (0.0, 0.5, 0.75)[self]
