"""A reply as Alexa's response: what is said, the card, what is said into silence, and whether the session ends.

What is said and what is on the card is as in :mod:`gateway.domain.voice`; suggestions are said when the user stays
silent.  Speech has the room that those and the card leave of a response's bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.channels.alexa.card import card_of, size
from gateway.channels.alexa.ssml import SOUNDS_MAX, inner_ssml, paragraph, speak, units
from gateway.channels.alexa.surfaces import NOTICE, SPEECH_CHARS_MAX, STOP, SURFACES
from gateway.channels.base import Rendered
from gateway.domain.capabilities import Capabilities
from gateway.domain.degrade import degrade
from gateway.domain.markup import plain_from_ssml
from gateway.domain.message import Surface
from gateway.domain.reply import Part, Reply, Speech, Suggestions
from gateway.domain.text import shorten, split
from gateway.domain.voice import shared_out
from gateway.settings.accounts import AlexaAccount

__all__ = ["render", "response"]

_VOICE = msgspec.structs.replace(SURFACES["request"], shows=frozenset({"speech"}))
_SCREEN = msgspec.structs.replace(SURFACES["request"], shows=frozenset({"text", "card", "image"}))
_YOU_CAN_SAY = "You can say: "
_REST = paragraph("There is more than I can say at once.")
#: Of a response's bytes, those that the card may have: a picture's longest address among them, with the default.
_CARD_SHARE = 1 / 3
_REPROMPT_CHARS_MAX = 300
#: A few sentences: where a text that is too long is cut.
_PIECE_CHARS_MAX = 500


def render(reply: Reply, surface: Surface, account: AlexaAccount) -> Rendered:
    """Return *reply* as one response; none where nobody listens."""
    if surface == NOTICE:
        return Rendered((), ("reply: not said, nobody listens",) if reply.parts else ())
    heard, seen = shared_out(reply.parts)
    voiced, degraded = _degraded(heard, _VOICE)
    shown, more = _degraded(seen, _SCREEN)
    card, unseen = card_of(shown, int(account.response_bytes_max * _CARD_SHARE))
    end = reply.end or surface == STOP
    suggestions, unsaid = _offered(reply.parts, end=end)
    frame = response(account, speak([_REST]), card=card, end=end, suggestions=suggestions)
    voice = _Voice(account.response_bytes_max - len(msgspec.json.encode(frame)))
    for part in voiced:
        voice.add(part)
    body = response(account, voice.end(), card=card, end=end, suggestions=suggestions)
    return Rendered((body,), (*degraded, *more, *unsaid, *voice.notes, *unseen), cut=voice.lost > 0)


def response(
    account: AlexaAccount,
    speech: str,
    *,
    card: dict[str, Any] | None = None,
    end: bool = False,
    suggestions: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the body of a response that says *speech* (markup, maybe none)."""
    told: dict[str, Any] = {"shouldEndSession": end}
    if speech:
        told["outputSpeech"] = _output(speech)
    if card:
        told["card"] = card
    if not end:
        # [D] without one Alexa closes its ears at once where nothing is to be said twice.
        again = _YOU_CAN_SAY + ", ".join(suggestions) if suggestions else account.reprompt
        if reprompt := paragraph(shorten(again, _REPROMPT_CHARS_MAX)):
            told["reprompt"] = {"outputSpeech": _output(speak([reprompt]))}
    return {"version": "1.0", "response": told}


def _output(speech: str) -> dict[str, str]:
    return {"type": "SSML", "ssml": speech}


def _offered(parts: Sequence[Part], *, end: bool) -> tuple[list[str], list[str]]:
    """Return what is said into silence, as many as have room, and what became of the suggestions."""
    every = [text for part in parts if isinstance(part, Suggestions) for text in part.texts]
    if not every or end:
        return [], ["suggestions: not said, the session ends"] if every else []
    room, said = _REPROMPT_CHARS_MAX - len(_YOU_CAN_SAY), list[str]()
    for text in every:
        room -= len(text) + len(", ")
        if room < 0:
            break
        said.append(text)
    missing = f", but for {len(every) - len(said)} of them" if len(said) < len(every) else ""
    return said, [f"suggestions: said into silence{missing}"]


def _degraded(parts: Sequence[Part], capabilities: Capabilities) -> tuple[list[Part], list[str]]:
    shown, lines = degrade(Reply(tuple(parts)), capabilities)
    # Said of every word there is, it says nothing.
    return list(shown), [line for line in lines if line != "text: said as speech"]


class _Voice:
    """What is said, within Alexa's limits; *bytes_left* are those beside the sentence that there is more."""

    def __init__(self, bytes_left: int) -> None:
        self.notes: list[str] = []
        self.lost = 0
        self._said: list[str] = []
        self._chars_left = SPEECH_CHARS_MAX - units(speak([_REST]))
        self._bytes_left = bytes_left
        self._sounds_left = SOUNDS_MAX

    def add(self, part: Part) -> None:
        """Say *part*, or as much of it as has room."""
        assert isinstance(part, Speech), "a surface that only speaks has nothing else"
        inner = inner_ssml(part.ssml) if part.ssml else None
        if inner is not None and (self.lost or self._fits(inner)):
            self._say(plain_from_ssml(inner), inner)
            return
        if part.ssml:
            self.notes.append(
                "speech: its SSML is none that Alexa reads, its words are said"
                if inner is None
                else "speech: its SSML is more than Alexa reads, its words are said"
            )
        for text in split(part.text.strip() or plain_from_ssml(part.ssml), _PIECE_CHARS_MAX):
            if markup := paragraph(text):
                self._say(text, markup)

    def end(self) -> str:
        """Return the markup of all of it; empty if there is nothing to say."""
        if self.lost:
            self.notes.append(f"speech: {self.lost} characters beyond Alexa's limit not said")
            self._said.append(_REST)
        return speak(self._said) if self._said else ""

    def _say(self, text: str, markup: str) -> None:
        # One that does not fit ends it: what comes behind would be understood without what it belongs to.
        if self.lost or not self._fits(markup):
            self.lost += len(text)
            return
        self._said.append(markup)
        self._chars_left -= units(markup)
        self._bytes_left -= size(markup)
        self._sounds_left -= markup.count("<audio")

    def _fits(self, markup: str) -> bool:
        fits = units(markup) <= self._chars_left and size(markup) <= self._bytes_left
        return fits and markup.count("<audio") <= self._sounds_left
