"""A message as Slack draws it: Block Kit as lines of text, buttons and pictures.

https://docs.slack.dev/reference/block-kit/blocks has the limits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from gateway.platforms.base import Control, Picture, Seen

__all__ = ["refused", "shown"]

_TEXT_CHARS_MAX = 40_000
_BLOCKS_MAX = 50
#: [3P] Slack names no figure; measured: slackapi/bolt-js#2509.
_BLOCKS_BYTES_MAX = 13_200
#: Characters of the text of a block, by its type.
_BLOCK_CHARS_MAX = {"section": 3_000, "header": 150}
_ELEMENTS_MAX = {"actions": 25, "context": 10}
_FIELDS_MAX = 10
_FIELD_CHARS_MAX = 2_000
_LABEL_CHARS_MAX = 75
#: Characters of what stands in a button or an image, by its name.
_CHARS_MAX = {"value": 2_000, "action_id": 255, "url": 3_000, "image_url": 3_000, "alt_text": 2_000}

_LINK = re.compile(r"<([^<>|]+)(?:\|([^<>]*))?>")
#: A mark means something around a word only.
_MARKS = re.compile(r"(?<!\w)([*_~`])(?=\S)([^\n]*?\S)\1(?!\w)")


def refused(body: dict[str, Any]) -> str:
    """Return Slack's word for what is wrong with a message, or an empty string."""
    text, blocks = body.get("text", ""), body.get("blocks", [])
    if not isinstance(text, str) or not isinstance(blocks, list):
        return "invalid_arguments"
    if not text.strip() and not blocks:
        return "no_text"
    if len(text) > _TEXT_CHARS_MAX:
        return "msg_too_long"
    if len(blocks) > _BLOCKS_MAX or not all(_is_sound(block) for block in blocks):
        return "invalid_blocks"
    if len(msgspec.json.encode(blocks)) > _BLOCKS_BYTES_MAX:
        return "msg_blocks_too_long"
    action_ids = [element.get("action_id") for element in _elements(blocks)]
    return "invalid_blocks" if len(set(action_ids)) != len(action_ids) else ""


def shown(body: dict[str, Any], *, ts: str, ephemeral: bool) -> Seen:
    """Return what a user sees of a message; with blocks its ``text`` is for notifications only."""
    blocks = body.get("blocks") or []
    notes = ("only you can see this",) if ephemeral else ()
    if body.get("replace_original"):
        notes = (*notes, "in the place of the message before")
    if not blocks:
        return Seen(_plain(body.get("text", "")), notes=notes)
    controls = tuple(
        Control(
            element["text"]["text"],
            {"action": _action(element), "message_ts": ts, "ephemeral": ephemeral},
            element.get("url", ""),
        )
        for element in _elements(blocks)
    )
    pictures = tuple(Picture(block["image_url"], block["alt_text"]) for block in _images(blocks))
    return Seen("\n".join(line for block in blocks for line in _lines(block)), controls, pictures, notes)


def _is_sound(block: Any) -> bool:
    if not isinstance(block, dict) or not isinstance(block.get("type"), str):
        return False
    kind, elements = block["type"], block.get("elements", [])
    if kind in _BLOCK_CHARS_MAX and not 0 < len(_words(block)) <= _BLOCK_CHARS_MAX[kind]:
        return False
    fields = block.get("fields", [])
    if len(fields) > _FIELDS_MAX or not all(0 < len(_words({"text": one})) <= _FIELD_CHARS_MAX for one in fields):
        return False
    if not all(one.get("image_url") and one.get("alt_text") and _is_short(one) for one in _images([block])):
        return False
    if not isinstance(elements, list) or not all(isinstance(one, dict) and "type" in one for one in elements):
        return False
    if kind in _ELEMENTS_MAX and not 0 < len(elements) <= _ELEMENTS_MAX[kind]:
        return False
    return all(
        0 < len(_words(element)) <= _LABEL_CHARS_MAX and _is_short(element)
        for element in _elements([block])
    )


def _is_short(one: dict[str, Any]) -> bool:
    return all(len(str(one.get(name, ""))) <= chars_max for name, chars_max in _CHARS_MAX.items())


def _words(block: dict[str, Any]) -> str:
    """Return the text of a block or an element; an empty one where it has none."""
    text = block.get("text")
    words = text.get("text") if isinstance(text, dict) else None
    return words if isinstance(words, str) else ""


def _elements(blocks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield what can be tapped, in the order in which it stands."""
    for block in blocks:
        candidates = [_accessory(block), *(block.get("elements") or [] if block["type"] == "actions" else [])]
        yield from (one for one in candidates if one.get("type") == "button")


def _images(blocks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for block in blocks:
        yield from (one for one in (block, _accessory(block)) if one.get("type") == "image")


def _accessory(block: dict[str, Any]) -> dict[str, Any]:
    accessory = block.get("accessory")
    return accessory if isinstance(accessory, dict) else {}


def _action(element: dict[str, Any]) -> dict[str, Any]:
    told = ("type", "action_id", "block_id", "text", "value")
    return {"block_id": "b0", **{name: element[name] for name in told if name in element}}


def _lines(block: dict[str, Any]) -> Iterator[str]:
    match block:
        case {"type": "section" | "header", "text": {"type": kind, "text": text}}:
            yield _plain(text) if kind == "mrkdwn" else text
            yield from (_plain(one["text"]) for one in block.get("fields", ()))
        case {"type": "context", "elements": elements}:
            yield " ".join(
                _plain(one["text"]) if one["type"] == "mrkdwn" else one["text"] for one in elements if "text" in one
            )
        case {"type": "image", "title": {"text": title}}:
            yield title


def _plain(mrkdwn: str) -> str:
    """Return *mrkdwn* as it reads on the screen."""
    text = _LINK.sub(lambda link: f"{link[2]} ({link[1]})" if link[2] else link[1], mrkdwn)
    text = _MARKS.sub(r"\2", text)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
