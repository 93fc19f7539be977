"""Markdown as a text with formatted stretches; what Telegram has no format for stays as it was written."""

from __future__ import annotations

import re

from gateway.channels.telegram.rich import Rich, Span, join
from gateway.domain.markup import LINK_ADDRESS
from gateway.domain.text import clean

__all__ = ["from_markdown"]

#: One pass over Markdown.  Repeats are bounded, so that an unclosed mark costs no second reading of the whole text.
_MARKDOWN = re.compile(
    r"```(?P<language>[\w+-]{0,30})\n(?P<block>.*?)\n?```"
    r"|```(?P<fence>[^\n]+?)```"
    r"|`(?P<code>[^`\n]+)`"
    rf"|!?\[(?P<label>[^\[\]\n]{{1,500}})\]\((?P<url>{LINK_ADDRESS})\)"
    r"|(?P<mark>\*\*|(?<!\w)__)(?=\S)(?P<bold>[^\n]{1,200}?)(?<=\S)(?P=mark)"
    r"|(?<![\w*])\*(?=[^\s*])(?P<italic>[^*\n]{1,200}?)(?<=\S)\*(?![\w*])"
    r"|(?<![\w_])_(?=[^\s_])(?P<slanted>[^_\n]{1,200}?)(?<=\S)_(?![\w_])"
    r"|~~(?=\S)(?P<strike>[^\n]{1,200}?)(?<=\S)~~"
    r"|^#{1,6} +(?P<heading>[^\n]+)$"
    r"|^(?P<indent>[ \t]*)[-*+] +",
    re.DOTALL | re.MULTILINE,
)
#: What is inside is Markdown again.
_NESTED = {
    "bold": "bold",
    "italic": "italic",
    "slanted": "italic",
    "strike": "strikethrough",
    "heading": "bold",
}


def from_markdown(text: str) -> Rich:
    """Return what *text* looks like."""
    text = clean(text)
    parts = []
    end = 0
    for match in _MARKDOWN.finditer(text):
        parts += [Rich(text[end : match.start()]), _marked(match)]
        end = match.end()
    return join([*parts, Rich(text[end:])])


def _marked(match: re.Match[str]) -> Rich:
    found = match.lastgroup or ""
    if found in _NESTED:
        # A heading of heading marks would be read once for each of them.
        inside = match[found].strip("*# ") if found == "heading" else match[found]
        return _wrapped(from_markdown(inside), _NESTED[found])
    match found:
        case "block":
            return Rich.marked(match["block"], "pre", match["language"])
        case "fence":
            return Rich.marked(match["fence"], "pre")
        case "code":
            return Rich.marked(match["code"], "code")
        case "url":
            return Rich.marked(match["label"], "text_link", match["url"])
        case _:
            return Rich(f"{match['indent']}• ")


def _wrapped(inside: Rich, kind: str) -> Rich:
    # [D] code can be part of no other entity.  https://core.telegram.org/bots/api#formatting-options
    if not inside or any(span.kind in ("code", "pre") for span in inside.spans):
        return inside
    return Rich(inside.text, (Span(0, len(inside.text), kind), *inside.spans))
