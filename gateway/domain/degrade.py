"""What a surface cannot show becomes its best equivalent, and says so.

``degrade`` turns a reply into parts that the surface's capability table allows.  Laws:

* nothing is dropped in silence: each change is one line, ``"card: shown as text"``, kept with the turn;
* words survive every change, a picture at least as its alternative text and address, a control as a numbered
  choice;
* a surface without screen gets the same words as speech;
* a reply that the surface can show is returned as it is.

How an allowed part looks on a platform, and the platform's own finer limits, are its ``render``'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec
from msgspec import UNSET

from gateway.domain.capabilities import Capabilities
from gateway.domain.markup import plain_from_markdown, plain_from_ssml, split_markdown
from gateway.domain.reply import (
    Audio,
    Button,
    Buttons,
    Card,
    File,
    Image,
    Item,
    List,
    Part,
    Reply,
    Speech,
    Suggestions,
    Text,
)
from gateway.domain.text import split

__all__ = ["degrade", "in_words"]

T = TypeVar("T")

#: A surface that shows nothing but text of any length.
_WORDS_ALONE = Capabilities(
    shows=frozenset({"text"}),
    answers_in_response=False,
    answer_by_s=0.0,
    turn_deadline_s=0.0,
    late="none",
    redelivery="gives_up",
    text_chars_max=1_000_000,
)


def degrade(reply: Reply, capabilities: Capabilities) -> tuple[tuple[Part, ...], tuple[str, ...]]:
    """Return *reply* as parts that the surface shows, and one line for each thing that could not stay."""
    said = frozenset(_key(part.text) for part in reply.parts if isinstance(part, Text))
    surface = _Surface(capabilities, said)
    parts = tuple(shown for part in reply.parts for shown in surface.show(part))
    return parts, tuple(surface.lines)


def in_words(parts: tuple[Part, ...], *, markdown: bool = False) -> tuple[str, ...]:
    """Return what *parts* say to who reads words alone, a text for each; *markdown*: whose marks are left in them."""
    reader = msgspec.structs.replace(_WORDS_ALONE, markdown=markdown)
    shown, _ = degrade(Reply(parts), reader)
    return tuple(part.text for part in shown if isinstance(part, Text) and part.text.strip())


class _Surface:
    """One rendering on one surface: collects the lines while parts are shown."""

    def __init__(self, capabilities: Capabilities, said: frozenset[str]) -> None:
        self.can = capabilities
        self.said = said
        self.lines: list[str] = []
        controls = {"buttons", "suggestions"} if not capabilities.buttons_max else set()
        self.shows = capabilities.shows - controls

    def show(self, part: Part) -> Iterator[Part]:
        """Yield *part*, or what stands for it here."""
        if _tag(part) in self.shows:
            yield from self._fit(part)
        else:
            yield from self._replace(part)

    def _fit(self, part: Part) -> Iterator[Part]:
        match part:
            case Text():
                yield from self._fit_text(part)
            case Speech():
                yield from self._fit_speech(part)
            case Buttons():
                yield from self._fit_buttons(part)
            case Suggestions():
                yield from self._fit_suggestions(part)
            case Card():
                yield from self._fit_card(part)
            case List():
                yield from self._fit_list(part)
            case _:
                yield part

    def _fit_text(self, part: Text) -> Iterator[Part]:
        if part.markdown and not self.can.markdown:
            part = Text(plain_from_markdown(part.text))
            self._note("text", "markdown shown as plain text")
        if len(part.text) <= self.can.text_chars_max:
            yield part
        else:
            cut = split_markdown if part.markdown else split
            for piece in self._pieces("text", part.text, cut):
                yield Text(piece, markdown=part.markdown)

    def _fit_speech(self, part: Speech) -> Iterator[Part]:
        if max(len(part.text), len(part.ssml)) <= self.can.text_chars_max:
            yield part
            return
        if part.ssml:
            self._note("speech", "SSML said as plain text")
        for piece in self._pieces("speech", part.text.strip() or plain_from_ssml(part.ssml)):
            yield Speech(piece)

    def _fit_buttons(self, part: Buttons) -> Iterator[Part]:
        text = part.text
        if len(text) > self.can.text_chars_max:
            yield from self.show(Text(text))
            text = ""
        groups = self._groups("buttons", part.buttons)
        yield Buttons(text, groups[0])
        for group in groups[1:]:
            yield Buttons("", group)

    def _fit_suggestions(self, part: Suggestions) -> Iterator[Part]:
        for group in self._groups("suggestions", part.texts):
            yield Suggestions(group)

    def _fit_card(self, part: Card) -> Iterator[Part]:
        after: list[Part] = []
        if len(part.text) > self.can.text_chars_max:
            self._note("card", "its text follows it")
            after.append(Text(part.text))
            part = msgspec.structs.replace(part, text="")
        if part.image is not UNSET and "image" not in self.shows:
            after.append(part.image)
            part = msgspec.structs.replace(part, image=UNSET)
        if part.buttons and ("buttons" not in self.shows or len(part.buttons) > self.can.buttons_max):
            after.append(Buttons("", part.buttons))
            part = msgspec.structs.replace(part, buttons=())
        yield part
        for following in after:
            yield from self.show(following)

    def _fit_list(self, part: List) -> Iterator[Part]:
        if "image" in self.shows:
            yield part
            return
        bare = tuple(msgspec.structs.replace(item, image=UNSET) for item in part.items)
        yield msgspec.structs.replace(part, items=bare)
        for item in part.items:
            if item.image is not UNSET:
                yield from self.show(item.image)

    def _replace(self, part: Part) -> Iterator[Part]:
        match part:
            case Text():
                yield from self._say_text(part)
            case Speech():
                yield from self._write_speech(part)
            case Image() | Audio() | File():
                yield from self._describe(part)
            case Card():
                yield from self._write_card(part)
            case List():
                yield from self._write_list(part)
            case Buttons():
                self._note("buttons", self._as_words)
                choices = [self._choice(number, button) for number, button in enumerate(part.buttons, 1)]
                yield from self._words("\n".join([part.text, *choices] if part.text else choices))
            case Suggestions():
                self._note("suggestions", self._as_words)
                yield from self._words("You can say: " + ", ".join(f"“{text}”" for text in part.texts))

    def _describe(self, part: Image | Audio | File) -> Iterator[Part]:
        done = "shown" if self._writes else "said"
        match part:
            case Image():
                self._note("image", f"{done} as its description")
                alt = f"{part.title} – {part.alt}" if part.title else part.alt
                yield from self._link(alt, part.url)
            case Audio():
                self._note("audio", f"{done} as its transcript")
                yield from self._words(part.transcript)
                if self._writes:
                    yield from self._link(part.title or "Audio", part.url)
            case File():
                self._note("file", "shown as a link" if self._writes else "said by its name")
                yield from self._link(part.name, part.url)

    def _write_card(self, part: Card) -> Iterator[Part]:
        self._note("card", self._as_words)
        yield from self._words("\n".join(line for line in (part.title, part.subtitle, part.text) if line))
        if part.image is not UNSET:
            yield from self.show(part.image)
        if part.buttons:
            yield from self.show(Buttons("", part.buttons))

    def _say_text(self, part: Text) -> Iterator[Part]:
        if "speech" not in self.shows:
            self._note("text", "not shown: the surface has no words")
            return
        self._note("text", "said as speech")
        yield from self._words(plain_from_markdown(part.text) if part.markdown else part.text)

    def _write_speech(self, part: Speech) -> Iterator[Part]:
        if not self._writes:
            self._note("speech", "not said: the surface has no words")
            return
        words = part.text.strip() or plain_from_ssml(part.ssml)
        if _key(words) in self.said:
            # Assistants give the same sentence to the voice and to the screen; a screen needs it once.
            self._note("speech", "left out: the same words are shown as text")
            return
        self._note("speech", "shown as text")
        yield from self._words(words)

    def _write_list(self, part: List) -> Iterator[Part]:
        self._note("list", self._as_words)
        lines = [part.title] if part.title else []
        lines += [self._line(number, item) for number, item in enumerate(part.items, 1)]
        yield from self._words("\n".join(lines))
        for item in part.items:
            if item.image is not UNSET:
                yield from self.show(item.image)

    @property
    def _writes(self) -> bool:
        return "text" in self.shows

    @property
    def _as_words(self) -> str:
        return "shown as text" if self._writes else "said as speech"

    def _words(self, text: str) -> Iterator[Part]:
        """Yield *text* in whichever way the surface has words: nothing but a line if it has none."""
        if not text.strip():
            return
        if self._writes:
            yield from self._fit_text(Text(text))
        elif "speech" in self.shows:
            yield from self._fit_speech(Speech(text))
        else:
            self._note("text", "not shown: the surface has no words")

    def _link(self, label: str, url: str) -> Iterator[Part]:
        if not self._writes:
            yield from self._words(label)
        elif self.can.markdown and not set(label) & set("[]\n") and not set(url) & set("()"):
            yield from self._fit_text(Text(f"[{label}]({url})", markdown=True))
        else:
            yield from self._words(f"{label}: {url}")

    def _choice(self, number: int, button: Button) -> str:
        url = f": {button.url}" if button.url is not UNSET and self._writes else ""
        return f"{number}. {button.label}{url}"

    def _line(self, number: int, item: Item) -> str:
        return f"{number}. {item.title}" + (f" – {item.text}" if item.text else "")

    def _pieces(self, what: str, text: str, cut: Callable[[str, int], list[str]] = split) -> list[str]:
        pieces = cut(text, self.can.text_chars_max)
        self._note(what, f"split into {len(pieces)}")
        return pieces

    def _groups(self, what: str, controls: tuple[T, ...]) -> list[tuple[T, ...]]:
        size = self.can.buttons_max
        groups = [controls[at : at + size] for at in range(0, len(controls), size)]
        if len(groups) > 1:
            self._note(what, f"split into {len(groups)} groups")
        return groups

    def _note(self, what: str, change: str) -> None:
        self.lines.append(f"{what}: {change}")


def _tag(part: Part) -> str:
    return str(part.__struct_config__.tag)


def _key(text: str) -> str:
    return " ".join(text.split()).casefold()
