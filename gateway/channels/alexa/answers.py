"""The HTTP answers to Alexa's requests."""

from __future__ import annotations

import math
from typing import Any

from gateway.channels.alexa.render import response
from gateway.channels.alexa.ssml import paragraph, speak
from gateway.channels.alexa.surfaces import NOTICE, STOP
from gateway.domain.errors import Overloaded, TryLater
from gateway.domain.http import Response, json_response, text_response
from gateway.domain.message import Surface
from gateway.settings.accounts import AlexaAccount

__all__ = ["EMPTY", "late", "refuse", "respond"]

#: [D] a session that has ended must not be answered with speech, card or directives.
EMPTY = json_response({"version": "1.0", "response": {}})


def respond(payload: dict[str, Any]) -> Response:
    """Return a rendered reply as the response."""
    return json_response(payload)


def late(surface: Surface, account: AlexaAccount) -> Response:
    """Return the response for who has waited long enough: what is still being made is kept for the next turn."""
    return EMPTY if surface == NOTICE else _sentence(account, account.later, surface)


def refuse(surface: Surface | None, account: AlexaAccount, error: TryLater) -> Response:
    """Return a refusal.  Alexa sends nothing again: the user is told, and may say it once more."""
    if surface is None:
        retry_after_s = str(max(1, math.ceil(error.retry_after_s)))
        return text_response(error.reason, 503, (("Retry-After", retry_after_s),))
    if surface == NOTICE:
        return EMPTY
    return _sentence(account, account.busy if isinstance(error, Overloaded) else account.apology, surface)


def _sentence(account: AlexaAccount, words: str, surface: Surface) -> Response:
    said = paragraph(words)
    return json_response(response(account, speak([said]) if said else "", end=surface == STOP))
