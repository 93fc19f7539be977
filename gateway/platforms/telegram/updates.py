"""What Telegram sends: updates about what a person typed or tapped.

https://core.telegram.org/bots/api#update.  Offsets and lengths of entities count UTF-16 code units.
"""

from __future__ import annotations

import re
from typing import Any, Self

import msgspec

from gateway.platforms.base import Control, Scene, digits
from gateway.settings.accounts import TelegramAccount

__all__ = ["Room", "said", "tapped"]

_COMMAND = re.compile(r"/[A-Za-z0-9_]{1,32}(?:@[A-Za-z0-9_]{1,32})?(?!\S)")


class Room(msgspec.Struct, frozen=True):
    """Where in Telegram a scene plays: a person's own chat with the bot or a group, and a topic in it."""

    chat_id: int
    topic: int = 0

    @classmethod
    def of(cls, scene: Scene) -> Self:
        """Return the room of *scene*."""
        # A private chat has its person's id; a supergroup's begins with -100.
        chat_id = -(10**12 + digits(f"group {scene.room}".rstrip(), 10)) if scene.group else _user_id(scene)
        return cls(chat_id, digits(f"topic {scene.thread}", 6) if scene.thread else 0)

    @property
    def place(self) -> str:
        """The conversation, by the names that sendMessage is given."""
        return f"{self.chat_id}:{self.topic}" if self.topic else str(self.chat_id)

    @property
    def body(self) -> dict[str, Any]:
        """It as fields of a message."""
        chat = {"id": self.chat_id}
        named = {"type": "supergroup", "title": "Trial"} if self.chat_id < 0 else {"type": "private"}
        topic = {"message_thread_id": self.topic, "is_topic_message": True} if self.topic else {}
        return {"chat": {**chat, **named}, **topic}


def said(account: TelegramAccount, scene: Scene, text: str) -> dict[str, Any]:
    """Return the update about a text that was typed; in a group it is addressed to the bot."""
    name = account.username.removeprefix("@")
    command = _COMMAND.match(text)
    more: dict[str, Any] = {}
    if command is not None:
        word = command[0]
        if scene.group and name and "@" not in word:
            text, word = f"{word}@{name}{text[command.end() :]}", f"{word}@{name}"
        more["entities"] = [{"type": "bot_command", "offset": 0, "length": len(word)}]
    elif scene.group and name:
        text = f"@{name} {text}"
        more["entities"] = [{"type": "mention", "offset": 0, "length": len(name) + 1}]
    elif scene.group:
        question = {"message_id": 1, "date": int(scene.at_s), "text": "Yes?", "from": _bot(account)}
        more["reply_to_message"] = {**Room.of(scene).body, **question}
    message = {
        "message_id": scene.number,
        "from": _person(scene),
        "date": int(scene.at_s),
        **Room.of(scene).body,
        "text": text,
        **more,
    }
    return {"update_id": scene.number, "message": message}


def tapped(scene: Scene, control: Control) -> dict[str, Any]:
    """Return the update about a tap: Telegram tells the button's data, and the whole message that it stands under."""
    query = {
        "id": str(scene.number),
        "from": _person(scene),
        "chat_instance": str(digits(Room.of(scene).place, 18)),
        "message": {**Room.of(scene).body, **control.token["message"]},
        "data": control.token["data"],
    }
    return {"update_id": scene.number, "callback_query": query}


def _user_id(scene: Scene) -> int:
    return digits(f"user {scene.user}", 10)


def _person(scene: Scene) -> dict[str, Any]:
    return {
        "id": _user_id(scene),
        "is_bot": False,
        "first_name": scene.user.capitalize(),
        "language_code": "en",
    }


def _bot(account: TelegramAccount) -> dict[str, Any]:
    # A token begins with the bot's id.
    number = account.bot_token.reveal().partition(":")[0]
    return {
        "id": int(number) if number.isascii() and number.isdigit() else 1,
        "is_bot": True,
        "first_name": account.name,
    }
