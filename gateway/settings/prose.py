"""A setting that is a longer text: written where it is set, or kept in a file of its own."""

from __future__ import annotations

__all__ = ["Prose"]


class Prose(str):
    """A text.  In the settings, ``file:PATH`` stands for what that file holds, seen from SWITCHBOARD_HOME."""

    __slots__ = ()
