"""What a device makes of a response: it speaks, shows a card, and listens or does not.

What Amazon refuses is refused here, in Alexa's own words: markup that is none, too much of it, a card that is too long,
speech into a session that has ended.
"""

from __future__ import annotations

from typing import Any
from xml.parsers import expat

import msgspec

from gateway.platforms.base import Answer, Picture, Seen

__all__ = ["PROBLEM", "heard", "plain_speech", "unheard"]

PROBLEM = "There was a problem with the requested skill's response."
_SPEECH_CHARS_MAX = 8_000
_RESPONSE_BYTES_MAX = 24_000
#: [D] of a card, its pictures' addresses counted, and of one of those.
_CARD_CHARS_MAX, _URL_CHARS_MAX = 8_000, 2_000
#: After these a voice takes breath.
_PAUSES = {"p": "\n", "s": "\n", "break": " "}


#: [D] what a response to the end of a session must not have.
_LATE = frozenset({"outputSpeech", "reprompt", "card", "directives"})


def unheard(answer: Answer) -> tuple[Seen, ...]:
    """Return what somebody meets whose session has ended: nothing, or Amazon's complaint in the developer's log."""
    told = _response(answer)
    if told is None:
        return (_problem(f"status {answer.status}, {len(answer.body)} bytes"),)
    if late := sorted(_LATE & set(told)):
        return (_problem(f"the session is over, and the response has {', '.join(late)}"),)
    return (Seen("", notes=("nothing is said: the session is over",)),)


def heard(answer: Answer) -> tuple[Seen, ...]:
    """Return what somebody at the device meets."""
    told = _response(answer)
    if told is None:
        return (_problem(f"status {answer.status}, {len(answer.body)} bytes"),)
    speech, reprompt = told.get("outputSpeech"), (told.get("reprompt") or {}).get("outputSpeech")
    words, again = _words(speech), _words(reprompt)
    if words is None or again is None:
        return (_problem("SSML that is none, or more than 8,000 characters of it"),)
    notes = ["spoken"] if words else ["nothing is said"]
    card = told.get("card") or {}
    if not _is_card(card):
        return (_problem("a card that is longer than 8,000 characters, or a picture's address that is none"),)
    if card:
        written = (card.get("title"), card.get("text") or card.get("content"))
        notes.append(f"a card: {' | '.join(filter(None, written))}")
    if again:
        notes.append(f"said into silence: {again}")
    notes.append("the session ends" if told.get("shouldEndSession", True) else "Alexa listens")
    image = card.get("image") or {}
    pictures = (Picture(image["largeImageUrl"]),) if image else ()
    return (Seen(words, (), pictures, tuple(notes)),)


def plain_speech(ssml: str) -> str | None:
    """Return the words of *ssml*, or None: Alexa would not read it."""
    said: list[str] = []
    names: list[str] = []

    def start(name: str, _attributes: dict[str, str]) -> None:
        names.append(name)

    def end(name: str) -> None:
        said.append(_PAUSES.get(name, ""))

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = said.append
    try:
        parser.Parse(ssml.encode(), True)
    except (expat.ExpatError, UnicodeEncodeError):
        return None
    if names[0] != "speak" or len(ssml) > _SPEECH_CHARS_MAX:
        return None
    lines = (" ".join(line.split()) for line in "".join(said).split("\n"))
    return "\n".join(line for line in lines if line)


def _is_card(card: dict[str, Any]) -> bool:
    """Whether Amazon would show *card*; nothing at all is well, too."""
    urls = [str(url) for url in (card.get("image") or {}).values()]
    words = [str(card.get(name) or "") for name in ("title", "text", "content")]
    return (
        all(url.startswith("https://") and len(url) <= _URL_CHARS_MAX for url in urls)
        and sum(map(len, (*words, *urls))) <= _CARD_CHARS_MAX
    )


def _response(answer: Answer) -> dict[str, Any] | None:
    """Return what is in the response, or None: it is none."""
    try:
        told = msgspec.json.decode(answer.body, type=dict)["response"] if answer.status == 200 else None
    except (msgspec.DecodeError, KeyError):
        return None
    return told if isinstance(told, dict) and len(answer.body) <= _RESPONSE_BYTES_MAX else None


def _words(speech: Any) -> str | None:
    if not speech:
        return ""
    if speech.get("type") == "PlainText":
        return str(speech.get("text", ""))
    return plain_speech(str(speech.get("ssml", "")))


def _problem(why: str) -> Seen:
    return Seen(PROBLEM, notes=("spoken", why, "the session ends"))
