"""Where a Telegram message belongs: its keys in our ledger, and the address of the answer.

A chat is a conversation, and so is each topic of one.  A group that becomes a supergroup gets another id, and is
another conversation from then on.
"""

from __future__ import annotations

from gateway.channels.telegram.payloads import Chat, Message, User
from gateway.channels.telegram.surfaces import MESSAGE
from gateway.domain.message import Address, Sender, Surface
from gateway.domain.text import clean

__all__ = ["GROUPS", "address", "conversation_key", "dedupe_key", "is_group", "sender", "unasked"]

#: Types of chats in which several people speak.
GROUPS = frozenset({"group", "supergroup"})


def dedupe_key(update_id: int) -> str:
    """Return the key of an update: its id, which each bot's updates have of their own."""
    return f"update:{update_id}"


def conversation_key(message: Message) -> str:
    """Return chat and topic as one key."""
    topic = _topic(message)
    return f"{message.chat.id}:{topic}" if topic else str(message.chat.id)


def address(message: Message, *, reply_to: int | None = None) -> Address:
    """Return where the answer to *message* goes; *reply_to* is the message that it is shown to answer."""
    fields = {"chat_id": message.chat.id, "thread_id": _topic(message), "reply_to": reply_to}
    return {name: str(value) for name, value in fields.items() if value is not None}


def sender(speaker: User | Chat) -> Sender:
    """Return who spoke.  Ids of users and of chats in whose name somebody speaks do not overlap."""
    if isinstance(speaker, Chat):
        return Sender(key=str(speaker.id), name=clean(speaker.title or ""))
    name = f"{speaker.first_name} {speaker.last_name or ''}".strip() or speaker.username or ""
    return Sender(key=str(speaker.id), name=clean(name), locale=clean(speaker.language_code or ""))


def unasked(address: Address) -> tuple[Surface, Address]:
    """Return where a message goes that answers nothing: into the same chat and topic, as a reply to nobody."""
    return MESSAGE, {name: value for name, value in address.items() if name in {"chat_id", "thread_id"}}


def is_group(chat_id: int) -> bool:
    """Whether several people read what is sent there: [D] ids of groups are negative."""
    return chat_id < 0


def _topic(message: Message) -> int | None:
    # Replies in an ordinary supergroup have a message_thread_id too, of a thread that nobody sees as one.
    return message.message_thread_id if message.is_topic_message else None
