"""A draft: what an assistant shows of a reply while it is still making it.

Streams keep a position in the draft instead of a queue of their own.  So a slow reader costs no memory and
sees no holes (the pieces that it missed come as one), and a page that connects in the middle of an answer
sees it from the beginning.  A draft that is full stays as it is, because text with holes is worse than less
text: the settled reply, which always follows, is whole.

Pure: no wake-ups, no clock.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

import msgspec

__all__ = ["Draft", "Preview"]


class Preview(TypedDict):
    """``typing``: the assistant is at work.  ``delta``: the next piece of ``text``.  ``part``: a finished
    ``part``, which takes the place of the pieces since the one before it."""

    kind: Literal["typing", "delta", "part"]
    text: NotRequired[str]
    part: NotRequired[Any]


#: What a piece costs beside its text.
_OVERHEAD_BYTES = 64


class Draft:
    """The previews of one turn, in order, within *bytes_max*."""

    __slots__ = ("_bytes_left", "_pieces", "full", "seq")

    def __init__(self, seq: int, bytes_max: int) -> None:
        self.seq = seq
        self.full = False
        self._pieces: list[Preview] = []
        self._bytes_left = bytes_max

    def add(self, preview: Preview) -> None:
        """Append *preview*, or become full."""
        if self.full or (
            preview["kind"] == "typing" and self._pieces and self._pieces[-1]["kind"] == "typing"
        ):
            return
        self._bytes_left -= _size_bytes(preview) + _OVERHEAD_BYTES
        if self._bytes_left < 0:
            self.full = True
        else:
            self._pieces.append(preview)

    def since(self, position: int) -> tuple[list[Preview], int]:
        """Return what came behind *position*, neighbouring pieces of text as one, and the position behind
        it."""
        found: list[Preview] = []
        texts: list[str] = []
        for piece in self._pieces[position:]:
            if piece["kind"] == "delta":
                texts.append(piece["text"])
                continue
            _flush(texts, found)
            found.append(piece)
        _flush(texts, found)
        return found, len(self._pieces)


def _flush(texts: list[str], into: list[Preview]) -> None:
    if texts:
        into.append({"kind": "delta", "text": "".join(texts)})
        texts.clear()


def _size_bytes(preview: Preview) -> int:
    if preview["kind"] == "delta":
        text = preview["text"]
        return len(text) if text.isascii() else len(text.encode())
    return len(msgspec.json.encode(preview))
