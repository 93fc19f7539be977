"""Markup made plain: for a voice that knows no Markdown, and a screen that knows no SSML.

Lenient on purpose: broken markup loses its marks and never its words, and nothing here is an XML parser, so
no entity and no nesting can be made to explode.  Repeats are bounded, or an unclosed mark would make an
expression read to the end again and again.
"""

from __future__ import annotations

import html
import re

__all__ = ["plain_from_markdown", "plain_from_ssml"]

_TAG = re.compile(r"<(?:/?(?P<name>[A-Za-z][\w:.-]*)|!--)[^<>]*>")
_PAUSES = frozenset({"break", "p", "s", "audio"})
_SPACES = re.compile(r"[ \t]*\s[ \t\n]*")

_LINK = re.compile(r"!?\[([^\[\]\n]{1,500})\]\((https?://[^\s<>\"'()]{1,2048})\)")
_EMPHASIS = re.compile(
    r"(\*\*|__|~~)(?=\S)([^\n]{1,200}?)(?<=\S)\1"
    r"|(?<![\w*])\*(?=\S)([^*\n]{1,200}?)(?<=\S)\*(?![\w*])"
)
_CODE = re.compile(r"```(?:[\w-]*\n)?|`")
_HEADING = re.compile(r"^#{1,6} +", re.MULTILINE)


def plain_from_ssml(ssml: str) -> str:
    """Return the words of *ssml*: tags become nothing, pauses a space."""
    words = _TAG.sub(lambda tag: " " if (tag["name"] or "").lower() in _PAUSES else "", ssml)
    return _SPACES.sub(" ", html.unescape(words)).strip()


def plain_from_markdown(text: str) -> str:
    """Return *text* with its marks taken away; a link keeps its address behind its label."""
    text = _HEADING.sub("", _CODE.sub("", text))
    text = _LINK.sub(lambda link: link[2] if link[1] == link[2] else f"{link[1]} ({link[2]})", text)
    return _EMPHASIS.sub(lambda mark: mark[2] or mark[3], text)
