"""A text with formatted stretches: joined and cut as a whole, and at last Telegram's ``text`` and ``entities``.

Formatting travels beside the text and not in it, so no character of an answer can be taken for markup, and nothing has
to be escaped.  Here offsets count characters; Telegram's count UTF-16 code units, and so do its bounds.
https://core.telegram.org/bots/api#messageentity
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from gateway.channels.telegram.limits import ENTITIES_MAX
from gateway.domain.text import clean, cut_at

__all__ = ["EMPTY", "Rich", "Span", "between", "encode", "join", "units"]


class Span(msgspec.Struct, frozen=True):
    """Characters from *start* to before *end* that are formatted."""

    start: int
    end: int
    kind: str
    #: A link's address, a code's language.
    detail: str = ""

    def moved(self, by: int) -> Span:
        """Return it, so many characters further on."""
        return Span(self.start + by, self.end + by, self.kind, self.detail)


class Rich(msgspec.Struct, frozen=True):
    """The text and its spans."""

    text: str
    spans: tuple[Span, ...] = ()

    @classmethod
    def plain(cls, text: str) -> Rich:
        """Return *text* as it stands."""
        return cls(clean(text))

    @classmethod
    def marked(cls, text: str, kind: str, detail: str = "") -> Rich:
        """Return *text*, all of it formatted."""
        text = clean(text)
        return cls(text, (Span(0, len(text), kind, detail),) if text.strip() else ())

    def __bool__(self) -> bool:
        return bool(self.text.strip())

    def pieces(self, units_max: int) -> Iterator[Rich]:
        """Yield it in pieces of at most *units_max*, cut between paragraphs, lines or words; none is blank."""
        start, end = _trimmed(self.text, 0, len(self.text))
        while start < end:
            limit = _limit(self.text, start, end, units_max)
            cut = end if limit == end else cut_at(self.text, start, limit)
            yield self._part(*_trimmed(self.text, start, cut))
            start, _ = _trimmed(self.text, cut, end)

    def body(self, text_name: str = "text", entities_name: str = "entities") -> dict[str, Any]:
        """Return it as fields of a call."""
        body: dict[str, Any] = {text_name: self.text}
        if self.spans:
            body[entities_name] = [_entity(self.text, span) for span in self.spans[:ENTITIES_MAX]]
        return body

    def _part(self, start: int, end: int) -> Rich:
        if start == 0 and end == len(self.text):
            return self
        spans = (
            Span(max(span.start, start) - start, min(span.end, end) - start, span.kind, span.detail)
            for span in self.spans
            if span.start < end and span.end > start
        )
        return Rich(self.text[start:end], tuple(spans))


EMPTY = Rich("")


def join(parts: Iterable[Rich], separator: str = "") -> Rich:
    """Return *parts* as one, with *separator* between each two that say something."""
    texts: list[str] = []
    spans: list[Span] = []
    length = 0
    for part in parts:
        if not part.text:
            continue
        if texts:
            texts.append(separator)
            length += len(separator)
        spans += part.spans if not length else (span.moved(length) for span in part.spans)
        texts.append(part.text)
        length += len(part.text)
    return Rich("".join(texts), tuple(spans))


def units(text: str) -> int:
    """Return the length of *text* as Telegram counts it."""
    return len(text) if text.isascii() else len(encode(text)) // 2


def between(encoded: bytes, start: int, end: int) -> str:
    """Return the code units from *start* to before *end* of a text that is encoded as UTF-16."""
    return encoded[2 * max(0, start) : 2 * max(0, end)].decode("utf-16-le", "ignore")


def encode(text: str) -> bytes:
    """Return *text* in the code units of which offsets speak."""
    return text.encode("utf-16-le", "surrogatepass")


def _entity(text: str, span: Span) -> dict[str, Any]:
    entity: dict[str, Any] = {
        "type": span.kind,
        "offset": units(text[: span.start]),
        "length": units(text[span.start : span.end]),
    }
    if span.detail:
        entity["url" if span.kind == "text_link" else "language"] = span.detail
    return entity


def _limit(text: str, start: int, end: int, units_max: int) -> int:
    """Return the end of the longest piece, or a little less, that begins at *start* and keeps within *units_max*."""
    limit = min(end, start + units_max)
    while (over := units(text[start:limit]) - units_max) > 0:
        # A character has two units at most.
        limit -= (over + 1) // 2
    return limit


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end
