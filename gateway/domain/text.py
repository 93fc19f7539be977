"""Text at the borders: cleaned where it enters, cut where a platform takes less.

What a user can type must never be able to fail a store.  PostgreSQL cannot keep ``\\u0000`` in text or jsonb,
and a lone surrogate cannot be written as UTF-8.  Both are replaced by U+FFFD, the character that says "here
stood something", so a message that carries them is accepted and stays whole otherwise.
"""

from __future__ import annotations

import re

__all__ = ["clean", "cut_at", "repair_surrogates", "shorten", "split"]

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
#: In JSON text: an escape that is no lone surrogate (kept: group 1), or one that is.
_ESCAPES = re.compile(
    rb"(\\(?:[^u]|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u(?![dD][89a-fA-F])))"
    rb"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)
#: Where a text is best cut, best first.
_BREAKS = ("\n\n", "\n", " ")


def clean(text: str) -> str:
    """Return *text* with every character that a store would refuse replaced by U+FFFD."""
    # isascii() is a flag test, and most messages are ASCII without NUL: only the rest need the expression.
    if text.isascii() and "\x00" not in text:
        return text
    return _UNSTORABLE.sub("\ufffd", text)


def shorten(text: str, chars_max: int) -> str:
    """Return *text* within *chars_max* characters, with an ellipsis where it was cut."""
    return text if len(text) <= chars_max else text[: chars_max - 1].rstrip() + "…"


def repair_surrogates(json_text: bytes) -> bytes:
    """Return *json_text* with every escaped lone surrogate (``\\ud800``) replaced by an escaped U+FFFD.

    JavaScript writes them whenever it cuts a string inside an emoji; a strict decoder then refuses it all.
    """
    return _ESCAPES.sub(lambda match: match[1] or rb"\ufffd", json_text)


def split(text: str, chars_max: int) -> list[str]:
    """Return *text* in pieces of at most *chars_max* characters, cut between paragraphs, lines or words.

    A word longer than a piece is cut as well.  Only white space at the cuts is lost, and no piece is blank.
    """
    pieces = []
    start, end = 0, len(text)
    while end - start > chars_max:
        cut = cut_at(text, start, start + chars_max)
        pieces.append(text[start:cut].rstrip())
        start = cut
        while start < end and text[start].isspace():
            start += 1
    pieces.append(text[start:])
    return [piece for piece in pieces if piece.strip()]


def cut_at(text: str, start: int, limit: int) -> int:
    """Return where a piece from *start* on, which may reach to *limit*, ends best: between paragraphs, lines or words.

    In the later half, or pieces would become crumbs.
    """
    for mark in _BREAKS:
        at = text.rfind(mark, start + (limit - start) // 2, limit + 1)
        if at > start:
            return at
    return limit
