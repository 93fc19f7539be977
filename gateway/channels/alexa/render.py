"""A reply as Alexa's response: what is said, the card, what is said into silence, and whether the session ends.

Who says it and who shows it:

- A reply with ``speech`` in it knows that it is spoken: its speech is said, and the rest is on the card, but for
  questions (``buttons``), which cannot be answered unheard.
- Of any other reply every word is said; cards and images are on the card as well.
- Suggestions are said when the user stays silent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from gateway.channels.alexa.card import card_of
from gateway.channels.alexa.ssml import inner_ssml, paragraph, speak, units
from gateway.channels.alexa.surfaces import NOTICE, SPEECH_CHARS_MAX, SURFACES
from gateway.channels.base import Rendered
from gateway.domain.capabilities import Capabilities
from gateway.domain.degrade import degrade
from gateway.domain.markup import plain_from_ssml
from gateway.domain.message import Address, Surface
from gateway.domain.reply import Audio, Buttons, Card, File, Image, Part, Reply, Speech, Suggestions
from gateway.domain.text import split
from gateway.settings.accounts import AlexaAccount

__all__ = ["render", "response"]

_VOICE = msgspec.structs.replace(SURFACES["request"], shows=frozenset({"speech"}))
_SCREEN = msgspec.structs.replace(SURFACES["request"], shows=frozenset({"text", "card", "image"}))
_REST = paragraph("There is more than I can say at once.")
#: Of a response's bytes: those of what is said, and those of the card's text.  The rest is the frame's, the card's
#: address and title, and what is said into silence.
_SPEECH_SHARE, _CARD_SHARE = 0.55, 0.2
_REPROMPT_CHARS_MAX = 300


def render(reply: Reply, surface: Surface, address: Address, account: AlexaAccount) -> Rendered:
    """Return *reply* as one response; none where nobody listens."""
    if surface == NOTICE:
        return Rendered((), ("reply: not said, nobody listens",) if reply.parts else ())
    suggestions = [text for part in reply.parts if isinstance(part, Suggestions) for text in part.texts]
    parts: list[Part] = [part for part in reply.parts if not isinstance(part, Suggestions)]
    heard, seen = _shared_out(parts)
    voiced, degraded = _degraded(heard, _VOICE)
    shown, more = _degraded(seen, _SCREEN)
    speech, cut = _said(voiced, account)
    card, unseen = card_of(shown, int(account.response_bytes_max * _CARD_SHARE))
    end = reply.end or "stop" in address
    if suggestions:
        more = [*more, "suggestions: not said, the session ends" if end else "suggestions: said into silence"]
    body = response(account, speech, card=card, end=end, suggestions=suggestions)
    return Rendered((body,), (*degraded, *more, *cut, *unseen))


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
        again = "You can say: " + ", ".join(suggestions) if suggestions else account.reprompt
        if reprompt := paragraph(again[:_REPROMPT_CHARS_MAX]):
            told["reprompt"] = {"outputSpeech": _output(speak([reprompt]))}
    return {"version": "1.0", "response": told}


def _output(speech: str) -> dict[str, str]:
    return {"type": "SSML", "ssml": speech}


def _shared_out(parts: Sequence[Part]) -> tuple[Sequence[Part], Sequence[Part]]:
    """Return what is said and what is shown."""
    if any(isinstance(part, Speech) for part in parts):
        spoken = Speech | Buttons | Audio | File
        return (
            [part for part in parts if isinstance(part, spoken)],
            [part for part in parts if not isinstance(part, spoken)],
        )
    # A picture that is on the card is described aloud only where nothing else is said.
    heard = [_unseen(part) for part in parts if not isinstance(part, Image)] or parts
    return heard, [part for part in parts if isinstance(part, Card | Image)]


def _unseen(part: Part) -> Part:
    return msgspec.structs.replace(part, image=UNSET) if isinstance(part, Card) else part


def _degraded(parts: Sequence[Part], capabilities: Capabilities) -> tuple[list[Part], list[str]]:
    shown, lines = degrade(Reply(tuple(parts)), capabilities)
    # Said of every word there is, it says nothing.
    return list(shown), [line for line in lines if line != "text: said as speech"]


def _said(parts: Sequence[Part], account: AlexaAccount) -> tuple[str, list[str]]:
    """Return the markup of *parts* within Alexa's limits, and what was cut."""
    chars_left = SPEECH_CHARS_MAX - len(speak([_REST]))
    bytes_left = int(account.response_bytes_max * _SPEECH_SHARE) - 2 * len(_REST)
    notes: list[str] = []
    said: list[str] = []
    lost = 0
    for text, markup in _pieces(parts, notes):
        size = len(msgspec.json.encode(markup))
        if not lost and units(markup) <= chars_left and size <= bytes_left:
            said.append(markup)
            chars_left -= units(markup)
            bytes_left -= size
        else:
            # One that does not fit ends it: what comes behind would be understood without what it belongs to.
            lost += len(text)
    if lost:
        said.append(_REST)
        notes.append(f"speech: {lost} characters beyond Alexa's limit not said")
    return (speak(said) if said else ""), notes


def _pieces(parts: Sequence[Part], notes: list[str]) -> Iterator[tuple[str, str]]:
    """Yield what is said in pieces that can be left out: their text and their markup."""
    for part in parts:
        assert isinstance(part, Speech), "a surface that only speaks has nothing else"
        inner = inner_ssml(part.ssml) if part.ssml else None
        if inner is not None:
            yield plain_from_ssml(inner), inner
            continue
        if part.ssml:
            notes.append("speech: its SSML is none that Alexa reads, its words are said")
        for text in split(part.text.strip() or plain_from_ssml(part.ssml), _PIECE_CHARS_MAX):
            if markup := paragraph(text):
                yield text, markup


#: A few sentences: where a text that is too long is cut.
_PIECE_CHARS_MAX = 500
