"""Parts of a reply as Block Kit blocks.  https://docs.slack.dev/reference/block-kit/blocks

Plain text stays ``plain_text``, where no character means anything; only text that is declared Markdown
becomes mrkdwn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import UNSET

from gateway.channels.slack import limits
from gateway.channels.slack.interactions import LINK, SAY
from gateway.channels.slack.mrkdwn import escape, from_markdown, link
from gateway.domain.markup import split_markdown
from gateway.domain.reply import Button, Buttons, Card, Image, Item, List, Part, Suggestions, Text
from gateway.domain.text import clean, shorten, split

__all__ = ["Block", "blocks_of", "without_pictures"]

Block = dict[str, Any]

#: Taps carry these prefixes and a number: action ids must be unique within a message's blocks.
_BUTTON = "button:"
_ITEM = "item:"


def blocks_of(part: Part, numbers: Iterator[int]) -> Iterator[Block]:
    """Yield the blocks of *part*; its controls are numbered from *numbers*."""
    match part:
        case Text():
            yield from _mrkdwn(part.text) if part.markdown else _plain(part.text)
        case Image():
            yield _image(part)
        case Card():
            yield from _card(part, numbers)
        case List():
            yield from _list(part, numbers)
        case Buttons():
            yield from _plain(part.text)
            yield from _actions(_button(button, numbers) for button in part.buttons)
        case Suggestions():
            yield from _actions(_control(text, f"{SAY}{next(numbers)}", text) for text in part.texts)


def without_pictures(blocks: Iterable[Block]) -> list[Block]:
    """Return *blocks* with each picture as a link under its description: as many blocks, and the same words."""
    return [_without_picture(block) for block in blocks]


def _without_picture(block: Block) -> Block:
    if block["type"] == "image":
        return {"type": "section", "text": _linked(block)}
    picture = block.get("accessory", {})
    if picture.get("type") != "image":
        return block
    kept = {name: value for name, value in block.items() if name != "accessory"}
    return {**kept, "fields": [_linked(picture)]}


def _linked(picture: Block) -> Block:
    """Return what *picture* shows, with its address if that has room in what is smallest, a field."""
    titled = picture.get("title", {}).get("text", "")
    words = " ".join(f"{titled} – {picture['alt_text']}".removeprefix(" – ").split())
    linked = link(picture["image_url"], words)
    if words and len(linked) <= limits.FIELD_CHARS_MAX:
        return {"type": "mrkdwn", "text": linked}
    return _plain_text(words or "…")


def _plain(text: str) -> Iterator[Block]:
    for piece in split(clean(text), limits.SECTION_CHARS_MAX):
        yield {"type": "section", "text": _plain_text(piece)}


def _mrkdwn(text: str) -> Iterator[Block]:
    for piece in _within(text, limits.SECTION_CHARS_MAX):
        yield {"type": "section", "text": {"type": "mrkdwn", "text": piece}}


def _within(text: str, chars_max: int) -> Iterator[str]:
    """Yield *text* as mrkdwn in pieces: escapes make it longer than its source, which is then cut again."""
    for source in split_markdown(text, chars_max):
        piece = from_markdown(source)
        if len(piece) <= limits.SECTION_CHARS_MAX:
            yield piece
        else:
            yield from _within(source, len(source) // 2)


def _card(card: Card, numbers: Iterator[int]) -> Iterator[Block]:
    title = " ".join(card.title.split())
    if title and len(title) <= limits.HEADER_CHARS_MAX:
        yield {"type": "header", "text": _plain_text(title)}
    else:
        yield from _plain(title)
    if card.subtitle.strip():
        yield {"type": "context", "elements": [_plain_text(card.subtitle)]}
    yield from _plain(card.text)
    if card.image is not UNSET:
        yield _image(card.image)
    yield from _actions(_button(button, numbers) for button in card.buttons)


def _list(listing: List, numbers: Iterator[int]) -> Iterator[Block]:
    title = " ".join(listing.title.split())
    if title:
        yield {"type": "section", "text": {"type": "mrkdwn", "text": f"*{escape(title)}*"}}
    marks = [f"{number}." if listing.numbered else "•" for number in range(1, len(listing.items) + 1)]
    if any(item.value or item.image is not UNSET for item in listing.items):
        for mark, item in zip(marks, listing.items, strict=True):
            yield from _item(mark, item, numbers)
    else:
        lines = [
            f"{mark} {item.title}" + (f" – {item.text}" if item.text else "")
            for mark, item in zip(marks, listing.items, strict=True)
        ]
        yield from _plain("\n".join(lines))


def _item(mark: str, item: Item, numbers: Iterator[int]) -> Iterator[Block]:
    block: Block = {"type": "section", "text": _plain_text(f"{mark} {item.title}\n{item.text}".rstrip())}
    if item.value:
        # The title again, and not "Choose": it needs no translation, and comes back as the tap's text.
        block["accessory"] = _control(item.title, f"{_ITEM}{next(numbers)}", item.value)
    elif item.image is not UNSET:
        block["accessory"] = _picture(item.image)
    yield block
    if item.value and item.image is not UNSET:  # a section has room for one accessory
        yield _image(item.image)


def _image(image: Image) -> Block:
    block = _picture(image)
    if image.title.strip():
        block["title"] = _plain_text(image.title)
    return block


def _picture(image: Image) -> Block:
    return {
        "type": "image",
        "image_url": image.url,
        "alt_text": shorten(clean(image.alt), limits.ALT_CHARS_MAX),
    }


def _actions(controls: Iterable[Block]) -> Iterator[Block]:
    row: list[Block] = []
    row_bytes = 0
    for control in controls:
        # Five long values would be more than a whole message takes.
        row_bytes += len(msgspec.json.encode(control))
        if row and (len(row) >= limits.ACTIONS_ELEMENTS_MAX or row_bytes > limits.ROW_BYTES_MAX):
            yield {"type": "actions", "elements": row}
            row, row_bytes = [], len(msgspec.json.encode(control))
        row.append(control)
    if row:
        yield {"type": "actions", "elements": row}


def _button(button: Button, numbers: Iterator[int]) -> Block:
    if button.url is UNSET:
        return _control(button.label, f"{_BUTTON}{next(numbers)}", button.value)
    return _control(button.label, f"{LINK}{next(numbers)}", button.value) | {"url": button.url}


def _control(label: str, action_id: str, value: str) -> Block:
    text = _plain_text(shorten(label, limits.BUTTON_LABEL_CHARS_MAX))
    control: Block = {"type": "button", "text": text, "action_id": action_id}
    if value:
        control["value"] = clean(value)
    return control


def _plain_text(text: str) -> Block:
    return {"type": "plain_text", "text": clean(text)}
