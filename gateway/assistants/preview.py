"""Previews: what an assistant shows of a reply while it is still making it.

A preview is never the message: the settled reply is, and always follows (protocol.md, Settle).  A channel
that cannot show previews loses nothing by ignoring all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.domain.reply import TEXT_CHARS_MAX, Part

__all__ = ["Delta", "OnPreview", "PartPreview", "Preview", "Typing", "ignore_preview"]


class Typing(msgspec.Struct, frozen=True):
    """The assistant is at work."""


class Delta(msgspec.Struct, frozen=True):
    """The next piece of the text that is being written: append it to the pieces before."""

    text: Annotated[str, Meta(max_length=TEXT_CHARS_MAX)]


class PartPreview(msgspec.Struct, frozen=True):
    """A finished part, which takes the place of the pieces shown since the part before it."""

    part: Part


Preview = Typing | Delta | PartPreview

#: Called in the greenlet of the call, once for every preview, in order.  It must neither block nor raise.
OnPreview = Callable[[Preview], None]


def ignore_preview(preview: Preview) -> None:
    """Take *preview* and do nothing: for channels that show nothing before the reply."""
