"""Parts of a reply as messages, before anybody counts: texts joined, each keyboard under what it belongs to.

A chat takes about one message a second, so what can stand in one message does.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import UNSET

from gateway.channels.telegram import keyboard, limits
from gateway.channels.telegram.keyboard import Key
from gateway.channels.telegram.markdown import from_markdown
from gateway.channels.telegram.rich import EMPTY, Rich, join
from gateway.domain.reply import Buttons, Card, Image, Item, List, Part, Suggestions, Text

__all__ = ["Draft", "Drafts"]

#: Above a keyboard that has no words of its own.
_BARE = Rich("👇")
_SEPARATE = "\n\n"


class Draft:
    """One message, of any length yet: a text, or a photo with its caption, and the keys under it."""

    def __init__(self, text: Rich, photo: str = "") -> None:
        self.text = text
        self.photo = photo
        self.rows: list[tuple[Key, ...]] = []

    @property
    def keys(self) -> list[Key]:
        """The keys of all rows."""
        return [key for row in self.rows for key in row]


class Drafts:
    """The messages of one reply."""

    def __init__(self) -> None:
        self.messages: list[Draft] = []
        #: What could not be shown as meant.
        self.degraded: list[str] = []
        self._suggestions = 0

    def add(self, part: Part) -> None:
        """Show *part* behind all that is there."""
        match part:
            case Text():
                self._say(from_markdown(part.text) if part.markdown else Rich.plain(part.text))
            case Image():
                self._show(part, Rich.marked(part.title, "bold"))
            case Card():
                self._card(part)
            case List():
                self._list(part)
            case Buttons():
                self._say(Rich.plain(part.text))
                self._offer(keyboard.button(each) for each in part.buttons)
            case Suggestions():
                first = self._suggestions
                self._suggestions += len(part.texts)
                self._offer(keyboard.suggestion(text, first + at) for at, text in enumerate(part.texts, 1))

    def _say(self, text: Rich) -> None:
        if not text:
            return
        last = self.messages[-1] if self.messages else None
        if last is None or last.photo or last.rows:
            self.messages.append(Draft(text))
        else:
            last.text = join((last.text, text), _SEPARATE)

    def _show(self, image: Image, words: Rich) -> None:
        """Show a picture with *words*, and with what it shows: Telegram has no other place for that."""
        said = " ".join(words.text.split()).casefold()
        alt = EMPTY if " ".join(image.alt.split()).casefold() in said else Rich.marked(image.alt, "italic")
        self.messages.append(Draft(join((words, alt), "\n"), image.url))

    def _offer(self, keys: Iterable[Key]) -> None:
        for row in keyboard.rows(keys):
            last = self.messages[-1] if self.messages else None
            if last is None or len(last.keys) + len(row) > limits.KEYBOARD_BUTTONS_MAX:
                last = Draft(_BARE)
                self.messages.append(last)
            last.rows.append(row)

    def _card(self, card: Card) -> None:
        lines = [Rich.marked(card.title, "bold"), Rich.marked(card.subtitle, "italic"), Rich.plain(card.text)]
        words = join((line for line in lines if line), "\n")
        if card.image is UNSET:
            self._say(words)
        else:
            self._show(card.image, words)
        self._offer(keyboard.button(each) for each in card.buttons)

    def _list(self, listing: List) -> None:
        lines = [Rich.marked(listing.title, "bold")] if listing.title.strip() else []
        lines += (
            _line(f"{number}." if listing.numbered else "•", item)
            for number, item in enumerate(listing.items, 1)
        )
        if any(item.image is not UNSET for item in listing.items):
            self.degraded.append("list: pictures of its items shown as links")
        self._say(join(lines, "\n"))
        self._offer(keyboard.item(item.title, item.value) for item in listing.items if item.value)


def _line(mark: str, item: Item) -> Rich:
    if item.image is UNSET:
        title, alt = Rich.marked(item.title, "bold"), ""
    else:
        title = Rich.marked(item.title, "text_link", item.image.url)
        alt = f" ({item.image.alt})" if item.image.alt.casefold() != item.title.casefold() else ""
    return join(
        (Rich(f"{mark} "), title, Rich.plain(alt), Rich.plain(f" – {item.text}" if item.text else ""))
    )
