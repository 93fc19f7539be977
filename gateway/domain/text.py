"""Cleaning of text where it enters: what a user can type must never be able to fail a store.

PostgreSQL cannot keep ``\\u0000`` in text or jsonb, and a lone surrogate cannot be written as UTF-8.  Both are replaced
by U+FFFD, the character that says "something stood here", so a message that carries them is accepted and stays whole
otherwise.
"""

from __future__ import annotations

import re

__all__ = ["clean", "shorten"]

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def clean(text: str) -> str:
    """Return *text* with every character that a store would refuse replaced by U+FFFD."""
    # isascii() is a flag test, and most messages are ASCII without NUL: the expression runs for the rest only.
    if text.isascii() and "\x00" not in text:
        return text
    return _UNSTORABLE.sub("\ufffd", text)


def shorten(text: str, chars_max: int) -> str:
    """Return *text* within *chars_max* characters, with an ellipsis where it was cut."""
    return text if len(text) <= chars_max else text[: chars_max - 1].rstrip() + "…"
