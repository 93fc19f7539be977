"""Inline keyboards, both ways: controls as buttons, and what a button's ``callback_data`` says when it comes back.

Telegram returns 64 bytes of a button and the message that it stands under.  The data begins with a mark:

    b: i:   a button's or a list item's value
    B: I:   the digest of a value that is too long; the value itself is in the ledger (:mod:`gateway.domain.control`)
    s:      a suggestion: a text that the user need not type
    S:      the number of one that is too long; its words are its label, which comes back with the message

https://core.telegram.org/bots/api#inlinekeyboardbutton
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import UNSET

from gateway.channels.telegram import limits
from gateway.domain.control import value_digest
from gateway.domain.reply import Button
from gateway.domain.text import clean, shorten

__all__ = ["Key", "Tapped", "button", "item", "markup", "read", "rows", "suggestion"]

_BUTTON, _ITEM, _SAY = "b:", "i:", "s:"
_NAMES = {_BUTTON: "button", _ITEM: "item"}


class Key(msgspec.Struct, frozen=True):
    """A button: it brings *data* back, or opens *url*."""

    label: str
    data: str = ""
    url: str = ""

    @property
    def body(self) -> dict[str, str]:
        """It as Telegram's InlineKeyboardButton."""
        return {"text": self.label, **({"url": self.url} if self.url else {"callback_data": self.data})}


class Tapped(msgspec.Struct, frozen=True):
    """What a button's data said.  ``name`` is empty: a suggestion, and ``value`` is its text if there was room."""

    name: str
    value: str = ""
    digest: str = ""


def button(shown: Button) -> Key:
    """Return one of an assistant's buttons."""
    label = _label(shown.label)
    if shown.url is not UNSET:
        return Key(label, url=shown.url)
    return Key(label, _data(_BUTTON, shown.value))


def item(label: str, value: str) -> Key:
    """Return the button by which an item of a list is chosen."""
    return Key(_label(label), _data(_ITEM, value))


def suggestion(text: str, number: int) -> Key:
    """Return what the user might say; *number* is its own within the message."""
    data = _SAY + clean(text)
    return Key(_label(text), data if _fits(data) else f"{_SAY.upper()}{number}")


def rows(keys: Iterable[Key]) -> Iterator[tuple[Key, ...]]:
    """Yield *keys* in rows in which labels can be read."""
    row: list[Key] = []
    chars = 0
    for key in keys:
        chars += len(key.label)
        if row and (len(row) >= limits.ROW_BUTTONS_MAX or chars > limits.ROW_CHARS_MAX):
            yield tuple(row)
            row, chars = [], len(key.label)
        row.append(key)
    if row:
        yield tuple(row)


def markup(keyboard: Iterable[tuple[Key, ...]]) -> dict[str, Any]:
    """Return rows of keys as Telegram's InlineKeyboardMarkup."""
    return {"inline_keyboard": [[key.body for key in row] for row in keyboard]}


def read(data: str) -> Tapped | None:
    """Return what *data* says, or None: it is not of this channel's making."""
    mark, rest = data[:2], data[2:]
    if mark.lower() == _SAY:
        return Tapped("", rest if mark == _SAY else "")
    name = _NAMES.get(mark.lower())
    if name is None:
        return None
    return Tapped(name, value=rest) if mark in _NAMES else Tapped(name, digest=rest)


def _data(mark: str, value: str) -> str:
    data = mark + clean(value)
    return data if _fits(data) else mark.upper() + value_digest(value)


def _fits(data: str) -> bool:
    return len(data.encode()) <= limits.CALLBACK_BYTES_MAX


def _label(text: str) -> str:
    # [D] a label of white space alone is refused; a reply's may be one.
    return shorten(clean(text).strip(), limits.LABEL_CHARS_MAX) or "…"
