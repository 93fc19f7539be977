"""The one card of a response, for the Alexa app and for devices with a screen.

https://developer.amazon.com/docs/alexa/custom-skills/include-a-card-in-your-skills-response.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from gateway.domain.reply import Card, Image, Part, Speech, Text
from gateway.domain.text import clean, shorten

__all__ = ["Shown", "card_of", "size"]

#: [D] for the whole card; a title is shown in one line.
_CARD_CHARS_MAX = 8_000
_TITLE_CHARS_MAX = 200
#: [D] of an image's address.
_URL_CHARS_MAX = 2_000


class Shown:
    """A card in the making: title, lines, picture; and what had no place on it."""

    def __init__(self, url_chars_max: int = _URL_CHARS_MAX) -> None:
        self._url_chars_max = url_chars_max
        self.title = ""
        self.lines: list[str] = []
        self.picture = ""
        self.notes: list[str] = []

    def add(self, part: Part) -> None:
        """Put *part* on the card."""
        match part:
            case Card():
                self._head(part.title)
                self.lines += [line for line in (part.subtitle, part.text) if line.strip()]
                if part.image is not UNSET:
                    self._show(part.image)
            case Image():
                self._head(part.title)
                self._show(part)
            case Text() | Speech():
                self.lines.append(part.text)

    def _head(self, title: str) -> None:
        if self.title and title.strip():
            self.lines.append(title)
        self.title = self.title or " ".join(title.split())

    def _show(self, image: Image) -> None:
        # [D] https alone; the alternative text is on the card either way, for who cannot see.
        self.lines.append(image.alt)
        if self.picture:
            self.notes.append("image: its description is shown, a card has one picture")
        elif not image.url.startswith("https://") or size(image.url) > self._url_chars_max:
            self.notes.append(
                f"image: its description is shown, Alexa wants https and {self._url_chars_max:,} characters at most"
            )
        else:
            self.picture = image.url


def card_of(parts: Sequence[Part], bytes_max: int) -> tuple[dict[str, Any] | None, list[str]]:
    """Return the card of *parts* in at most *bytes_max* bytes, and what it could not hold."""
    # The picture's address is there twice, and leaves half of the card to words.
    shown = Shown(min(_URL_CHARS_MAX, bytes_max // 4))
    for part in parts:
        shown.add(part)
    text = clean("\n".join(_without_repeats(shown.lines)))
    if not (text.strip() or shown.title or shown.picture):
        return None, shown.notes
    title = clean(shorten(shown.title, _TITLE_CHARS_MAX))
    card: dict[str, Any] = {"type": "Simple", "title": title, "content": ""}
    if shown.picture:
        # [D] one size stands in for the other.
        image = {"smallImageUrl": shown.picture, "largeImageUrl": shown.picture}
        card = {"type": "Standard", "title": title, "text": "", "image": image}
    room = _fitting(
        text,
        chars_max=_CARD_CHARS_MAX - len(title) - 2 * len(shown.picture),
        bytes_max=bytes_max - len(msgspec.json.encode(card)),
    )
    if len(text) > room:
        shown.notes.append(f"card: {len(text) - room} characters not shown")
    card["text" if shown.picture else "content"] = shorten(text, room)
    return card, shown.notes


def size(text: str) -> int:
    """Return the bytes of *text* within a JSON string."""
    return len(msgspec.json.encode(text)) - 2


def _fitting(text: str, *, chars_max: int, bytes_max: int) -> int:
    """Return how many characters of *text* fit."""
    if len(text) <= chars_max and size(text) <= bytes_max:
        return len(text)
    room = chars_max
    # Less what the ellipsis has more than the character in whose place it stands.
    while (bytes_now := size(text[:room])) > bytes_max - 2:
        room = room * (bytes_max - 2) // bytes_now
    return max(1, room)


def _without_repeats(lines: list[str]) -> Iterator[str]:
    seen: set[str] = set()
    for line in lines:
        if line.strip() and line not in seen:
            seen.add(line)
            yield line
