"""The HTTP answers to Telegram's deliveries.

An answer may call one method of the Bot API, of which nobody hears the result, and which runs again if Telegram
delivers again.  That is no way for a reply, and a good one for what may be lost or come twice: that a tap was taken,
and that somebody is writing.  It costs no connection, stands in nobody's way, and leaves only once the message is
committed.  https://core.telegram.org/bots/api#making-requests-when-getting-updates
"""

from __future__ import annotations

import math
from typing import Any

from gateway.domain.errors import TryLater
from gateway.domain.http import Response, json_response, text_response
from gateway.domain.message import Address
from gateway.domain.text import clean

__all__ = ["EMPTY", "refuse", "tap_taken", "working"]

#: Accepted, and nothing to say.
EMPTY = Response(200)


def tap_taken(query_id: str) -> Response:
    """Return the acknowledgement of a tap: its button ceases to load."""
    return json_response({"method": "answerCallbackQuery", "callback_query_id": clean(query_id)})


def working(address: Address) -> Response:
    """Return the acknowledgement of a message: its chat shows "typing" for five seconds, or until the answer."""
    call: dict[str, Any] = {
        "method": "sendChatAction",
        "chat_id": int(address["chat_id"]),
        "action": "typing",
    }
    if "thread_id" in address:
        call["message_thread_id"] = int(address["thread_id"])
    return json_response(call)


def refuse(error: TryLater) -> Response:
    """Return a refusal: Telegram delivers again, and keeps to Retry-After [S WebhookActor.cpp]."""
    return text_response(error.reason, 503, (("Retry-After", str(max(1, math.ceil(error.retry_after_s)))),))
