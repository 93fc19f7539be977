"""Telegram: private messages and commands as updates; the Bot API.  https://core.telegram.org/bots/api"""

from __future__ import annotations

import re

import msgspec

from bench.locust.platforms.delivery import Call, Delivery, json_answer

__all__ = ["Telegram"]

_COMMAND = "/order"
_CALL = re.compile(r"/bot([^/]+)/(\w+)")


class _Sent(msgspec.Struct):
    chat_id: int
    text: str = ""


class Telegram(msgspec.Struct, frozen=True, kw_only=True):
    """A bot, as Telegram knows it."""

    account: str
    secret_token: str
    #: In the addresses of calls; empty: any is taken.
    bot_token: str = ""

    def message(self, person: int, number: int, text: str, at_s: float) -> Delivery:
        """Return what *person* says to the bot; *number* becomes the update's and the message's."""
        return self._update(person, number, {"text": text}, at_s)

    def command(self, person: int, number: int, text: str, at_s: float) -> Delivery:
        """Return ``/order``, with *text* behind it."""
        entity = {"type": "bot_command", "offset": 0, "length": len(_COMMAND)}
        return self._update(person, number, {"text": f"{_COMMAND} {text}", "entities": [entity]}, at_s)

    def again(self, delivery: Delivery, retry: int, at_s: float) -> Delivery:
        """Return *delivery* as Telegram makes it once more: nothing tells it from the first."""
        return delivery

    def answered(self, body: bytes) -> str:
        """Return what a user reads because of the answer to an update: nothing, it may show "typing" at most."""
        return ""

    def called(self, method: str, path: str, head: bytes, body: bytes) -> Call | None:
        """Return what the Bot API says to a call, or None: it is not for it."""
        found = _CALL.fullmatch(path)
        if found is None:
            return None
        if self.bot_token and found[1] != self.bot_token:
            wrong = "without the bot_token of the account: see LOAD_TELEGRAM_BOT_TOKEN"
            return Call(_refused(401, "Unauthorized"), wrong=wrong)
        if found[2] != "sendMessage":
            return Call(json_answer({"ok": True, "result": True}))
        try:
            sent = msgspec.json.decode(body, type=_Sent)
        except msgspec.DecodeError:
            wrong = "not what Telegram understands"
            return Call(_refused(400, "Bad Request: can't parse JSON object"), wrong=wrong)
        result = {"message_id": 1, "date": 1_800_000_000, "chat": {"id": sent.chat_id, "type": "private"}}
        return Call(json_answer({"ok": True, "result": {**result, "text": sent.text}}), str(sent.chat_id), sent.text)

    def _update(self, person: int, number: int, said: dict[str, object], at_s: float) -> Delivery:
        message = {
            "message_id": number,
            "from": {"id": person, "is_bot": False, "first_name": f"U{person}", "language_code": "en"},
            "chat": {"id": person, "type": "private", "first_name": f"U{person}"},
            "date": int(at_s),
            **said,
        }
        headers = {"Content-Type": "application/json", "X-Telegram-Bot-Api-Secret-Token": self.secret_token}
        body = msgspec.json.encode({"update_id": number, "message": message})
        return Delivery(str(person), f"/hooks/telegram/{self.account}", headers, body)


def _refused(status: int, description: str) -> bytes:
    return json_answer({"ok": False, "error_code": status, "description": description}, status)
