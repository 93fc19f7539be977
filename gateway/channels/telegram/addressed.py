"""Whether something said in a group is said to the bot.

In a chat of two everything is.  In a group these are: a command that names the bot or nobody, a mention of the bot, a
reply to one of its messages.  Telegram's privacy mode, on unless @BotFather was told otherwise, holds back most of the
rest; a bot that gets everything (privacy off, or an administrator) must not answer people who talk to each other.
https://core.telegram.org/bots/features#privacy-mode
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from gateway.channels.telegram.payloads import Entity, Message
from gateway.channels.telegram.place import GROUPS
from gateway.channels.telegram.rich import between, encode, units
from gateway.settings.accounts import TelegramAccount

__all__ = ["Heard", "hear"]

_COMMAND = re.compile(r"(/\w{1,64})(?:@(\w{1,64}))?(?!\S)\s*", re.ASCII)


class Heard(msgspec.Struct, frozen=True):
    """The words of a message as the bot is to understand them.  ``command``: ``/start``, or empty."""

    text: str
    command: str = ""


def hear(message: Message, account: TelegramAccount) -> Heard | None:
    """Return what *message* says to the bot, or None: it is said to others."""
    text = message.text or message.caption or ""
    entities = (message.entities if message.text else message.caption_entities) or ()
    ours = account.username.removeprefix("@").casefold()
    command = _command(text, entities)
    if command is not None:
        whom = (command[2] or "").casefold()
        if whom and ours and whom != ours:
            return None
        return Heard(_spelled(text, entities, command.end()), command[1])
    start = _mention_end(text, ours)
    if message.chat.type in GROUPS and account.group_messages == "addressed":
        mentioned = start > 0 or (ours and any(name == ours for name in _mentions(text, entities)))
        if not mentioned and not _is_reply_to(message, account):
            return None
    return Heard(_spelled(text, entities, start))


def _command(text: str, entities: tuple[()] | list[Entity]) -> re.Match[str] | None:
    # Telegram marks what is a command: "/usr/bin" is none.
    marked = any(entity.type == "bot_command" and entity.offset == 0 for entity in entities)
    return _COMMAND.match(text) if marked else None


def _mention_end(text: str, ours: str) -> int:
    """Return where the text goes on behind the mention of ourselves that it starts with."""
    if not ours:
        return 0
    mention = re.match(rf"\s*@{re.escape(ours)}\b[,:]?\s*", text, re.IGNORECASE)
    return mention.end() if mention else 0


def _mentions(text: str, entities: tuple[()] | list[Entity]) -> Iterator[str]:
    encoded = encode(text)
    for entity in entities:
        if entity.type == "mention":
            yield between(encoded, entity.offset, entity.offset + entity.length).lstrip("@").casefold()


def _is_reply_to(message: Message, account: TelegramAccount) -> bool:
    quoted = message.reply_to_message
    if quoted is None or quoted.from_ is None or quoted.forum_topic_created is not None:
        return False
    # A token begins with the bot's own id.
    return str(quoted.from_.id) == account.bot_token.reveal().partition(":")[0]


def _spelled(text: str, entities: tuple[()] | list[Entity], start: int) -> str:
    """Return *text* from *start* on, each link behind the words that it is under."""
    links = [(entity.offset + entity.length, entity.url) for entity in entities if entity.type == "text_link"]
    if not links:
        return text[start:].strip()
    encoded, at, spelled = encode(text), units(text[:start]), []
    for end, url in sorted((end, url) for end, url in links if url and end > at):
        spelled += [between(encoded, at, end), f" ({url})"]
        at = end
    return "".join([*spelled, between(encoded, at, len(encoded))]).strip()
