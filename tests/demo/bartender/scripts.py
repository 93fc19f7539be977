"""Conversations as scripts that anybody can read: a guest's line, and below it what must be true of the answer.

A guest's line is ``> text``, ``/drink text`` (a command), ``[value]`` (a tapped button), ``{image}`` (an attachment) or
``(name)`` (an event).  ``---`` begins another conversation of the same guest.  The expectations are the keys of
:data:`EXPECTATIONS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.demo.bartender.bartender import Answer, Bartender
from gateway.demo.bartender.catalogue.load import Catalogue
from gateway.demo.wire import Card, List, Message, Suggestions, Surface, Text
from tests.demo.bartender.guests import Guest

__all__ = ["SCRIPTS", "Line", "play"]

SCRIPTS = tuple(sorted((Path(__file__).parent / "conversations").glob("*.txt")))
SURFACE = Surface(frozenset({"text", "card", "list", "buttons", "suggestions"}))

_SPOKEN: tuple[tuple[re.Pattern[str], Callable[[str], Message]], ...] = (
    (re.compile(r">\s?(.*)"), lambda said: Message("text", said)),
    (re.compile(r"/drink\s?(.*)"), lambda said: Message("command", said, name="/drink")),
    (re.compile(r"\[(.*)\]"), lambda said: Message("tap", name="button", value=said)),
    (re.compile(r"\{(.*)\}"), lambda said: Message("attachment")),
    (re.compile(r"\((.*)\)"), lambda said: Message("event", name=said)),
)


@dataclass
class Line:
    """What a guest says, and what is expected of the answer."""

    number: int
    said: str
    message: Message
    expected: list[str] = field(default_factory=list)
    new_conversation: bool = False


@dataclass
class Seen:
    """An answer, taken apart for the expectations."""

    answer: Answer
    memory: dict[str, Any]
    catalogue: Catalogue

    def of(self, kind: type[Any]) -> list[Any]:
        return [part for part in self.answer.reply.parts if isinstance(part, kind)]

    @property
    def says(self) -> str:
        return " ".join(part.text for part in self.of(Text))

    @property
    def cards(self) -> list[str]:
        return [card.title for card in self.of(Card)]

    @property
    def listed(self) -> list[str]:
        return [item.title for part in self.of(List) for item in part.items]

    @property
    def shows(self) -> str:
        cards = [f"{card.title} {card.subtitle} {card.text}" for card in self.of(Card)]
        return "\n".join(
            [*cards, *(f"{item.title} {item.text}" for part in self.of(List) for item in part.items)]
        )

    @property
    def suggests(self) -> list[str]:
        return [text for part in self.of(Suggestions) for text in part.texts]

    @property
    def buttons(self) -> list[str]:
        return [button.value for card in self.of(Card) for button in card.buttons]

    def alcohol_free(self) -> bool:
        names = [*self.listed, *self.cards]
        known = {drink.name: slug for slug, drink in self.catalogue.drinks.items()}
        figures = [self.catalogue.profiles[known[name]].alcohol_ml for name in names if name in known]
        invented = [name for name in names if name not in known]
        return bool(names) and not any(figures) and (not invented or "non-alcoholic" in self.shows)

    def remembers(self, what: str) -> bool:
        name, _, value = what.partition(" ")
        kept = self.memory.get(name)
        return value in kept if isinstance(kept, list | tuple | str) else bool(kept)


EXPECTATIONS: dict[str, Callable[[Seen, str], bool]] = {
    "says": lambda seen, text: text in seen.says,
    "not says": lambda seen, text: text not in seen.says,
    "card": lambda seen, title: title in seen.cards,
    "not card": lambda seen, title: bool(seen.cards) and title not in seen.cards,
    "shows": lambda seen, text: text in seen.shows,
    "not shows": lambda seen, text: bool(seen.shows) and text not in seen.shows,
    "tags": lambda seen, tag: any(tag in card.subtitle for card in seen.of(Card)),
    "lists": lambda seen, names: seen.listed[: len(names.split(", "))] == names.split(", "),
    "in list": lambda seen, name: name in seen.listed,
    "not in list": lambda seen, name: bool(seen.listed) and name not in seen.listed,
    "suggests": lambda seen, text: text in seen.suggests,
    "not suggests": lambda seen, text: bool(seen.suggests) and text not in seen.suggests,
    "button": lambda seen, value: value in seen.buttons,
    "remembers": Seen.remembers,
    "forgets everything": lambda seen, _: seen.memory == {},
    "alcohol free": lambda seen, _: seen.alcohol_free(),
    "slow": lambda seen, _: seen.answer.slow,
    "ends": lambda seen, _: seen.answer.reply.end,
}


def play(path: Path, bartender: Bartender, catalogue: Catalogue) -> Iterator[str]:
    """Yield every expectation of the script at *path* that did not come true, with its line and the answer."""
    guest = Guest(bartender, surface=SURFACE)
    for line in _read(path):
        if line.new_conversation:
            guest.leave()
        seen = Seen(guest.sends(line.message), guest.memory or {}, catalogue)
        for expectation in line.expected:
            name, _, wanted = expectation.partition(": ")
            if not EXPECTATIONS[name](seen, wanted):
                yield f"{path.name}:{line.number} {line.said}\n    {expectation}\n    got {seen.answer.reply}"


def _read(path: Path) -> list[Line]:
    lines: list[Line] = []
    new = False
    for number, raw in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text = raw.strip()
        if text.startswith("---"):
            new = True
        elif message := _message(text):
            lines.append(Line(number, text, message, new_conversation=new))
            new = False
        elif text and not text.startswith("#"):
            assert text.partition(": ")[0] in EXPECTATIONS, (
                f"{path.name}:{number}: unknown expectation {text!r}"
            )
            lines[-1].expected.append(text)
    return lines


def _message(text: str) -> Message | None:
    for pattern, made in _SPOKEN:
        if found := pattern.fullmatch(text):
            return made(found[1])
    return None
