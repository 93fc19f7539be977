"""Slack's text format, both ways.  https://docs.slack.dev/messaging/formatting-message-text

``&``, ``<`` and ``>`` are the only control characters; escaped they are harmless, so no answer can ring
``<!channel>`` because a user asked it to.
"""

from __future__ import annotations

import re

from gateway.domain.markup import LINK_ADDRESS
from gateway.domain.text import clean

__all__ = ["escape", "from_markdown", "link", "to_plain"]

_CONTROL = re.compile(r"<([^<>]*)>")
#: One pass over Markdown.  Repeats are bounded, so that an unclosed mark costs no second reading of the
#: whole text.
_MARKDOWN = re.compile(
    r"(?P<code>```.*?```|`[^`\n]+`)"
    rf"|!?\[(?P<label>[^\[\]\n]{{1,500}})\]\((?P<url>{LINK_ADDRESS})\)"
    r"|(?P<mark>\*\*|(?<!\w)__)(?=\S)(?P<bold>[^\n]{1,200}?)(?<=\S)(?P=mark)"
    r"|(?<![\w*])\*(?=[^\s*])(?P<italic>[^*\n]{1,200}?)(?<=\S)\*(?![\w*])"
    r"|~~(?=\S)(?P<strike>[^\n]{1,200}?)(?<=\S)~~"
    r"|^#{1,6} +(?P<heading>[^\n]+)$"
    r"|^(?P<indent>[ \t]*)[-*+] +",
    re.DOTALL | re.MULTILINE,
)
_LANGUAGE = re.compile(r"^```[\w+-]*\n")


def to_plain(text: str) -> str:
    """Return what a user sees of *text*: links and mentions spelled out, entities decoded."""
    text = _CONTROL.sub(_spell, clean(text))
    # The ampersand last: "&amp;lt;" is what a user gets who typed "&lt;".
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def escape(text: str) -> str:
    """Return *text* so that Slack shows it as it stands."""
    return clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def link(address: str, words: str) -> str:
    """Return *words* that lead to *address*; a bar would end it."""
    return f"<{escape(address.replace('|', '%7C'))}|{escape(words)}>"


def from_markdown(text: str) -> str:
    """Return Markdown as mrkdwn; what Slack has no mark for stays as it was written."""
    pieces = []
    end = 0
    for match in _MARKDOWN.finditer(text):
        pieces += [escape(text[end : match.start()]), _mark(match)]
        end = match.end()
    return "".join([*pieces, escape(text[end:])])


def _spell(control: re.Match[str]) -> str:
    target, _, label = control[1].partition("|")
    if target.startswith(("@", "#")):
        return target[0] + (label or target[1:])
    if target.startswith("!"):
        return label or "@" + target[1:].partition("^")[0]
    address = target.removeprefix("mailto:")
    return f"{label} ({address})" if label and label not in address else address


def _mark(match: re.Match[str]) -> str:
    match match.lastgroup:
        case "code":
            # Slack knows no languages: the word would stand in the first line of the code.
            return escape(_LANGUAGE.sub("```\n", match["code"]))
        case "url":
            return link(match["url"], match["label"])
        case "bold":
            return f"*{from_markdown(match['bold'])}*"
        case "italic":
            return f"_{from_markdown(match['italic'])}_"
        case "strike":
            return f"~{from_markdown(match['strike'])}~"
        case "heading":
            return f"*{from_markdown(match['heading'].strip('*# '))}*"
        case _:
            return f"{match['indent']}• "
