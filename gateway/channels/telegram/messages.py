"""Messages of people: texts, captions, commands, files, places; and edits of them."""

from __future__ import annotations

from gateway.channels.telegram import place
from gateway.channels.telegram.addressed import Heard, hear
from gateway.channels.telegram.attachments import attachments
from gateway.channels.telegram.payloads import Chat, Message, User
from gateway.channels.telegram.surfaces import MESSAGE
from gateway.domain import message as domain
from gateway.domain.message import Inbound
from gateway.domain.text import clean
from gateway.settings.accounts import TelegramAccount

__all__ = ["EDITED", "inbound", "speaker"]

#: The name of a message that takes the place of an earlier one.
EDITED = "edited"


def inbound(
    message: Message, account: TelegramAccount, update_id: int, *, edited: bool = False
) -> Inbound | None:
    """Return what *message* says to the bot, or None: nothing, or not to it."""
    who = speaker(message)
    # A live location that moves is no word of its user's.
    if who is None or (edited and message.location is not None):
        return None
    heard = hear(message, account)
    if heard is None:
        return None
    said = _said(message, heard, edited=edited)
    if said is None:
        return None
    in_group = message.chat.type in place.GROUPS
    return Inbound(
        conversation_key=place.conversation_key(message),
        dedupe_keys=(place.dedupe_key(update_id),),
        sender=place.sender(who),
        message=said,
        surface=MESSAGE,
        address=place.address(message, reply_to=message.message_id if in_group else None),
    )


def speaker(message: Message) -> User | Chat | None:
    """Return who says it, or None: a channel speaks to everybody, and a bot that answers bots answers itself."""
    if message.chat.type == "channel" or message.is_automatic_forward:
        return None
    if message.chat.is_direct_messages:
        # To a channel, and not to the bot; as one chat its strangers would share one conversation.
        return None
    if message.sender_chat is not None:
        # A person in a group's or a channel's name; ``from`` is a bot that stands for such people then.
        return message.sender_chat
    return None if message.from_ is None or message.from_.is_bot else message.from_


def _said(message: Message, heard: Heard, *, edited: bool) -> domain.Message | None:
    sent_at = float(message.edit_date or message.date)
    if heard.command:
        return domain.Message(
            kind="command", name=clean(heard.command), text=clean(heard.text), sent_at=sent_at or None
        )
    text = heard.text
    if message.dice is not None:
        text = f"{message.dice.emoji} {message.dice.value}"
    carried = tuple(attachments(message))
    if not carried and not text and message.text is None:
        # A service message (somebody joined, a title changed), or of a kind that no assistant could read.
        return None
    return domain.Message(
        kind="attachment" if carried and not text else "text",
        text=clean(text),
        name=EDITED if edited else "",
        attachments=carried,
        sent_at=sent_at or None,
    )
