"""What Alexa says, as SSML: text that can inject nothing, and an assistant's own SSML where Alexa would read it.

https://developer.amazon.com/docs/alexa/custom-skills/speech-synthesis-markup-language-ssml-reference.html

Alexa answers markup that it cannot read with "there was a problem", and says none of it.  So an assistant's SSML is
let through only whole: well-formed, of tags that Alexa knows, without declarations, comments and instructions, and
without sounds and pauses that she does not play.
Otherwise its words are said, without its marks.
"""

from __future__ import annotations

import re
from html import escape
from xml.parsers import expat

__all__ = ["SOUNDS_MAX", "inner_ssml", "paragraph", "speak", "units"]

#: What Alexa documents; ``amazon:`` and ``alexa:`` belong to the names.
_TAGS = frozenset(
    {
        "alexa:name", "amazon:domain", "amazon:effect", "amazon:emotion", "audio", "break", "emphasis", "lang", "p",
        "phoneme", "prosody", "s", "say-as", "speak", "sub", "voice", "w",
    }
)  # fmt: skip
#: Characters that XML 1.0 has no place for, escaped or not (section 2.2).
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LINES = re.compile(r"\s*[\r\n]+\s*")
_ROOT = re.compile(
    r"""\s*<speak(?:\s(?:[^<>"']|"[^<"]*"|'[^<']*')*)?>(?P<inner>.*)</speak\s*>\s*""", re.DOTALL
)


#: [D] of one response.
SOUNDS_MAX = 5
#: [D] of a pause, and from where sounds are played.
_PAUSE_S_MAX, _SOUNDS_FROM = 10.0, ("https://", "soundbank://")
_PAUSE = re.compile(r"\+?(?P<count>\d{1,9}(?:\.\d{1,9})?)(?P<unit>ms|s)")


def paragraph(text: str) -> str:
    """Return *text* as a paragraph whose lines are sentences; empty if nothing in it can be said."""
    lines = [escape(line) for line in _LINES.split(_NOT_XML.sub(" ", text).strip()) if line]
    if len(lines) == 1:
        return f"<p>{lines[0]}</p>"
    # Without them Alexa runs the lines of a list into one another.
    return f"<p>{''.join(f'<s>{line}</s>' for line in lines)}</p>" if lines else ""


def inner_ssml(ssml: str) -> str | None:
    """Return what stands between ``<speak>`` and ``</speak>``, or None: Alexa would not read it."""
    root = _ROOT.fullmatch(ssml)
    # "<!" begins declarations, which make entities, comments and CDATA; "<?" instructions.
    if root is None or "<!" in ssml or "<?" in ssml or not _is_well_formed(ssml):
        return None
    return root["inner"]


def speak(pieces: list[str]) -> str:
    """Return *pieces* of markup as one whole."""
    return f"<speak>{''.join(pieces)}</speak>"


def units(text: str) -> int:
    """Return the length of *text* as platforms count it: in UTF-16, where an emoji is two."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


class _Unknown(Exception):
    """A tag that Alexa does not know, a second root, or a sound or pause that she does not play."""


def _is_well_formed(ssml: str) -> bool:
    depth = sounds = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, sounds
        if name not in _TAGS or (name == "speak") != (depth == 0):
            raise _Unknown
        depth += 1
        sounds += name == "audio"
        if sounds > SOUNDS_MAX or not _is_played(name, attributes):
            raise _Unknown

    def end(_name: str) -> None:
        nonlocal depth
        depth -= 1

    # Without namespaces: Alexa's own documents declare none for its prefixes.
    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler, parser.EndElementHandler = start, end
    try:
        parser.Parse(ssml.encode(), True)
    except (expat.ExpatError, _Unknown, UnicodeEncodeError):
        return False
    return True


def _is_played(name: str, attributes: dict[str, str]) -> bool:
    """Whether Alexa plays a tag with these attributes, where it is a sound or a pause."""
    if name == "audio":
        return attributes.get("src", "").startswith(_SOUNDS_FROM)
    if name != "break" or "time" not in attributes:
        return True
    pause = _PAUSE.fullmatch(attributes["time"])
    return pause is not None and float(pause["count"]) <= _PAUSE_S_MAX * (1_000 if pause["unit"] == "ms" else 1)
