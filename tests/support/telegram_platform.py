"""Telegram, both ways: updates as it delivers them, and the Bot API that replies are sent to.

Updates are as small as Telegram's documents allow; tests/channels/telegram has whole ones.
"""

from __future__ import annotations

import itertools
from typing import Any

import msgspec

from tests.support.calling import Answer, call
from tests.support.stand_in import Behaviour, Call, StandIn

__all__ = ["TELEGRAM_SECRET", "TELEGRAM_TOKEN", "USERNAME", "TelegramPlatform", "Update", "refuses"]

TELEGRAM_SECRET = "hush_telegram_1234567890"
TELEGRAM_TOKEN = "7000000001:AAE-hush_telegram_token_never_to_be_seen_x"
USERNAME = "shop_bot"
_numbers = itertools.count(10_001)


class Update(msgspec.Struct, frozen=True):
    """An update that Telegram delivers, as often as it likes."""

    body: bytes
    account: str = "shop"

    def send(self, port: int, *, secret: str = TELEGRAM_SECRET) -> Answer:
        """Deliver it to the gateway at *port*."""
        headers = {"Content-Type": "application/json", "X-Telegram-Bot-Api-Secret-Token": secret}
        return call(port, f"/hooks/telegram/{self.account}", body=self.body, headers=headers)


class TelegramPlatform(StandIn):
    """The Bot API."""

    def __init__(self) -> None:
        super().__init__(_accept)

    def message(self, text: str, *, chat: int, account: str = "shop", **fields: Any) -> Update:
        """Return a message of a user's in *chat*; keyword arguments are fields of the message."""
        number = next(_numbers)
        message = {
            "message_id": number,
            "date": 1763800000,
            "chat": {"id": chat, "type": "private" if chat > 0 else "supergroup"},
            "from": _user(chat),
            "text": text,
            **fields,
        }
        return Update(msgspec.json.encode({"update_id": number, "message": message}), account)

    def tap(self, sent: Call, label: str, *, account: str = "shop") -> Update:
        """Return a tap on the button that is called *label* under a message that was *sent* here."""
        [data] = [
            key["callback_data"]
            for row in sent.json["reply_markup"]["inline_keyboard"]
            for key in row
            if key["text"] == label
        ]
        number = next(_numbers)
        chat = sent.json["chat_id"]
        under = {
            "message_id": number,
            "date": 1763800000,
            "chat": {"id": chat, "type": "private" if chat > 0 else "supergroup"},
            "from": {"id": 7000000001, "is_bot": True, "first_name": "Shop"},
            "text": sent.json.get("text", ""),
            "reply_markup": sent.json["reply_markup"],
        }
        query = {
            "id": f"query{number}",
            "from": _user(chat),
            "chat_instance": "1",
            "message": under,
            "data": data,
        }
        return Update(msgspec.json.encode({"update_id": number, "callback_query": query}), account)


def refuses(status: str, description: str, **parameters: int) -> Behaviour:
    """Answer as the Bot API refuses."""
    body = {"ok": False, "error_code": int(status[:3]), "description": description, "parameters": parameters}
    return lambda call: call.answer(msgspec.json.encode(body), status=status)


def _user(chat: int) -> dict[str, Any]:
    return {"id": abs(chat), "is_bot": False, "first_name": "Ada", "language_code": "en"}


def _accept(call: Call) -> None:
    result = {
        "message_id": next(_numbers),
        "date": 1763800100,
        "chat": {"id": call.json["chat_id"], "type": "private"},
    }
    call.answer(msgspec.json.encode({"ok": True, "result": result}))
