"""A progressive response: a sentence while the assistant works.

https://developer.amazon.com/docs/alexa/custom-skills/send-the-user-a-progressive-response.html: it is played only if it
comes before the response itself, and gives no more time for that.
"""

from __future__ import annotations

import msgspec

from gateway.channels.alexa.ssml import paragraph, speak
from gateway.channels.base import SignOfLife
from gateway.domain.message import Inbound
from gateway.settings.accounts import AlexaAccount

__all__ = ["progress"]


def progress(inbound: Inbound, account: AlexaAccount) -> SignOfLife | None:
    """Return the call that has Alexa say the account's sentence, where the request named a way."""
    said, way = paragraph(account.progress), inbound.passing
    if not said or not way:
        return None
    body = {
        "header": {"requestId": way["request"]},
        "directive": {"type": "VoicePlayer.Speak", "speech": speak([said])},
    }
    return SignOfLife(
        url=way["api"].rstrip("/") + "/v1/directives",
        headers={"content-type": "application/json", "authorization": f"Bearer {way['token']}"},
        body=msgspec.json.encode(body),
        allowed_hosts=account.api_hosts,
    )
