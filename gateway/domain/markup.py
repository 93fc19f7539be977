"""Markup made plain, for a voice that knows no Markdown and a screen that knows no SSML; and Markdown cut.

Lenient on purpose: broken markup loses its marks and never its words, and nothing here is an XML parser, so
no entity and no nesting can be made to explode.  Repeats are bounded, or an unclosed mark would make an
expression read to the end again and again.
"""

from __future__ import annotations

import html
import re

from gateway.domain.text import cut_at

__all__ = ["LINK_ADDRESS", "plain_from_markdown", "plain_from_ssml", "split_markdown"]

_TAG = re.compile(r"<(?:/?(?P<name>[A-Za-z][\w:.-]*)|!--)[^<>]*>")
_PAUSES = frozenset({"break", "p", "s", "audio"})
_SPACES = re.compile(r"[ \t]*\s[ \t\n]*")

#: The address of a link, as a regular expression: parentheses in it have their partners, as in encyclopaedias.
LINK_ADDRESS = r"https?://(?:[^\s<>\"'()]|\([^\s<>\"'()]{0,200}\)){1,2048}"
_LINK = re.compile(rf"!?\[([^\[\]\n]{{1,500}})\]\(({LINK_ADDRESS})\)")
_EMPHASIS = re.compile(
    r"(\*\*|__|~~)(?=\S)([^\n]{1,200}?)(?<=\S)\1"
    r"|(?<![\w*])\*(?=\S)([^*\n]{1,200}?)(?<=\S)\*(?![\w*])"
)
_CODE = re.compile(r"```(?:[\w-]*\n)?|`")
_HEADING = re.compile(r"^#{1,6} +", re.MULTILINE)
#: What a block of code begins and ends with; at its beginning a language may stand behind it.
_FENCE = "```"
_FENCES = re.compile(r"```(?P<language>[\w+-]{0,30}(?=\n))?")
#: Characters that closing a block in one piece and opening it again in the next may take.
_FENCES_CHARS_MAX = 40


def plain_from_ssml(ssml: str) -> str:
    """Return the words of *ssml*: tags become nothing, pauses a space."""
    words = _TAG.sub(lambda tag: " " if (tag["name"] or "").lower() in _PAUSES else "", ssml)
    return _SPACES.sub(" ", html.unescape(words)).strip()


def plain_from_markdown(text: str) -> str:
    """Return *text* with its marks taken away; a link keeps its address behind its label."""
    text = _HEADING.sub("", _CODE.sub("", text))
    text = _LINK.sub(lambda link: link[2] if link[1] == link[2] else f"{link[1]} ({link[2]})", text)
    return _EMPHASIS.sub(lambda mark: mark[2] or mark[3], text)


def split_markdown(text: str, chars_max: int) -> list[str]:
    """Return *text* in pieces as :func:`gateway.domain.text.split` does, each of which is Markdown by itself.

    A block of code that is cut is closed, and opened again in the next piece with all its indentation.  *chars_max* has
    room for that: some hundred characters at least.
    """
    room = max(1, chars_max // 2, chars_max - _FENCES_CHARS_MAX)
    pieces = []
    start, end, fence = 0, len(text), ""
    while len(fence) + end - start > chars_max:
        cut = cut_at(text, start, start + room)
        piece = f"{fence}{text[start:cut].rstrip()}"
        fence = _left_open(piece)
        pieces.append(f"{piece}\n{_FENCE}" if fence else piece)
        start = cut
        while start < end and (text[start] == "\n" if fence else text[start].isspace()):
            start += 1
        if fence and text.startswith(_FENCE, start):
            # All of the code is told: a block that is opened again would be empty.
            start, fence = start + len(_FENCE), ""
    pieces.append(fence + text[start:])
    return [piece for piece in pieces if piece.strip()]


def _left_open(text: str) -> str:
    """Return the line that opens again the block of code in which *text* ends, or an empty string."""
    opened = None
    for mark in _FENCES.finditer(text):
        opened = mark if opened is None else None
    return "" if opened is None else f"{_FENCE}{opened['language'] or ''}\n"
