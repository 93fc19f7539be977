"""The HTTP answers to Telegram's deliveries, and the sign of life that follows them.

An answer may call one method of the Bot API, of which nobody hears the result, and which runs again if Telegram
delivers again.  That is no way for a reply, and a good one for what may be lost or come twice: that a tap was taken,
and that somebody is writing.  It costs no connection, stands in nobody's way, and leaves only once the message is
committed.  https://core.telegram.org/bots/api#making-requests-when-getting-updates
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from gateway.channels.base import SignOfLife
from gateway.channels.telegram import bot_api
from gateway.domain.errors import TryLater
from gateway.domain.http import Response, json_response, text_response
from gateway.domain.message import Address
from gateway.domain.text import clean
from gateway.settings.accounts import TelegramAccount

__all__ = ["EMPTY", "refuse", "still_working", "tap_taken", "working"]

SEND_CHAT_ACTION = "sendChatAction"

#: Accepted, and nothing to say.
EMPTY = Response(200)


def tap_taken(query_id: str) -> Response:
    """Return the acknowledgement of a tap: its button ceases to load."""
    return json_response({"method": "answerCallbackQuery", "callback_query_id": clean(query_id)})


def working(address: Address) -> Response:
    """Return the acknowledgement of a message: its chat shows "typing" for five seconds, or until the answer."""
    return json_response({"method": SEND_CHAT_ACTION, **typing(address)})


def still_working(address: Address, account: TelegramAccount) -> SignOfLife | None:
    """Return the call by which the chat of *address* shows "typing" for five seconds more."""
    root = bot_api.root(account)
    if root is None or not account.typing:
        return None
    headers = {"content-type": "application/json"}
    return SignOfLife(root + SEND_CHAT_ACTION, headers, msgspec.json.encode(typing(address)))


def typing(address: Address) -> dict[str, Any]:
    """Return the arguments of sendChatAction."""
    arguments: dict[str, Any] = {"chat_id": int(address["chat_id"]), "action": "typing"}
    if "thread_id" in address:
        arguments["message_thread_id"] = int(address["thread_id"])
    return arguments


def refuse(error: TryLater) -> Response:
    """Return a refusal: Telegram delivers again, and keeps to Retry-After [S WebhookActor.cpp]."""
    return text_response(error.reason, 503, (("Retry-After", str(max(1, math.ceil(error.retry_after_s)))),))
