"""Updates as Telegram delivers them, as small as its documents allow."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.channels.base import Messages
from gateway.channels.registry import CHANNELS
from gateway.domain.http import Request
from gateway.domain.message import Inbound
from gateway.settings.accounts import TelegramAccount
from gateway.settings.secret import Secret

__all__ = [
    "ACCOUNT", "ADA", "BOT", "BOT_TOKEN", "GROUP", "NOW_S", "PRIVATE", "SECRET", "TELEGRAM", "callback", "delivery",
    "heard", "message", "parsed", "update",
]  # fmt: skip

TELEGRAM = CHANNELS["telegram"]
NOW_S = 1_763_800_010.5
SECRET = "hush_1234567890-ABCDEF"
BOT_TOKEN = "7000000001:AAE-hush_hush_hush_hush_hush_hush_hu"
ACCOUNT = TelegramAccount(
    channel="telegram",
    name="bartender",
    assistant="bartender",
    secret_tokens=(Secret(SECRET),),
    bot_token=Secret(BOT_TOKEN),
    username="bartender_bot",
)
ADA = {
    "id": 4815162342,
    "is_bot": False,
    "first_name": "Ada",
    "last_name": "Lovelace",
    "username": "ada",
    "language_code": "en-GB",
}
BOT = {"id": 7000000001, "is_bot": True, "first_name": "The Bartender", "username": "bartender_bot"}
PRIVATE = {"id": 4815162342, "type": "private", "first_name": "Ada"}
GROUP = {"id": -1001234567890, "type": "supergroup", "title": "After work"}


def message(**fields: Any) -> dict[str, Any]:
    """Return a message of Ada's, in private unless *fields* say otherwise."""
    return {"message_id": 77, "date": 1763800000, "chat": PRIVATE, "from": ADA, **fields}


def update(kind: str = "message", **fields: Any) -> dict[str, Any]:
    """Return an update with such a message."""
    return {"update_id": 10_001, kind: message(**fields)}


def callback(data: str | None, *, keyboard: Any = (), **fields: Any) -> dict[str, Any]:
    """Return a tap on a button of our message; *fields* are the message's."""
    under = message(
        **{"from": BOT, "text": "Which?", "reply_markup": {"inline_keyboard": keyboard}, **fields}
    )
    query = {"id": "4382bfdwdsb323b2d9", "from": ADA, "chat_instance": "-37", "message": under}
    return {"update_id": 10_002, "callback_query": query | ({} if data is None else {"data": data})}


def delivery(value: object, *, secret: str = SECRET) -> Request:
    """Return the request that brings an update."""
    headers = {"content-type": "application/json", "x-telegram-bot-api-secret-token": secret}
    body = value if isinstance(value, bytes) else msgspec.json.encode(value)
    return Request("POST", "/hooks/telegram/bartender", "", headers, body)


def parsed(value: object, account: TelegramAccount = ACCOUNT) -> Messages:
    """Return what the channel makes of an update."""
    made = TELEGRAM.parse(delivery(value), account, NOW_S)
    assert isinstance(made, Messages)
    return made


def heard(value: object, account: TelegramAccount = ACCOUNT) -> Inbound | None:
    """Return the update's message to the bot, if it is one."""
    inbound = parsed(value, account).inbound
    assert len(inbound) <= 1
    return inbound[0] if inbound else None
