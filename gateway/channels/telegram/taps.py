"""Taps on the buttons of our own messages.  https://core.telegram.org/bots/api#callbackquery"""

from __future__ import annotations

from gateway.channels.telegram import keyboard, place
from gateway.channels.telegram.payloads import CallbackQuery, Message
from gateway.channels.telegram.surfaces import MESSAGE
from gateway.domain import message as domain
from gateway.domain.control import DIGEST
from gateway.domain.message import Inbound
from gateway.domain.text import clean

__all__ = ["inbound"]


def inbound(query: CallbackQuery, update_id: int) -> Inbound | None:
    """Return what was tapped, or None: nothing that this channel has made."""
    tapped = keyboard.read(query.data or "")
    if tapped is None or query.message is None or query.from_.is_bot:
        return None
    label = _label(query.message, query.data)
    if not (tapped.name or tapped.value or label):
        # A suggestion whose words stood on its button alone, and Telegram shows the button no more.
        return None
    address = place.address(query.message)
    if tapped.digest:
        address[DIGEST] = clean(tapped.digest)
    if tapped.name:
        said = domain.Message(kind="tap", name=tapped.name, value=clean(tapped.value), text=clean(label))
    else:
        said = domain.Message(kind="text", text=clean(tapped.value or label))
    return Inbound(
        conversation_key=place.conversation_key(query.message),
        dedupe_keys=(place.dedupe_key(update_id),),
        sender=place.sender(query.from_),
        message=said,
        surface=MESSAGE,
        address=address,
    )


def _label(message: Message, data: str | None) -> str:
    """Return what stands on the button; empty where Telegram does not show the message any more."""
    rows = message.reply_markup.inline_keyboard if message.reply_markup else ()
    return next((each.text for row in rows for each in row if each.callback_data == data), "")
