"""An update as messages: at most one, since Telegram does not batch.

What is read is what somebody says to the bot.  Everything else that Telegram has updates for (channels' posts, members
that come and go, the bot blocked or let in, polls, reactions, payments, inline queries, and whatever it will invent) is
understood and nobody's to answer.
"""

from __future__ import annotations

import msgspec

from gateway.channels.base import Messages
from gateway.channels.decoding import decode_json
from gateway.channels.telegram import answers, messages, taps
from gateway.channels.telegram.payloads import Update
from gateway.domain.http import Request
from gateway.settings.accounts import TelegramAccount

__all__ = ["parse"]

_UPDATE = msgspec.json.Decoder(Update)


def parse(request: Request, account: TelegramAccount) -> Messages:
    """Return what the update says, or raise NotUnderstood."""
    update = decode_json(_UPDATE, request.body)
    if update.callback_query is not None:
        tapped = taps.inbound(update.callback_query, update.update_id)
        # Also where nothing was tapped that we know: a button that is not answered seems to load for ever.
        return Messages((tapped,) if tapped else (), answers.tap_taken(update.callback_query.id))
    edited = update.edited_message is not None and account.answers_edits
    message = update.edited_message if edited else update.message
    if message is None:
        return Messages(())
    said = messages.inbound(message, account, update.update_id, edited=edited)
    if said is None:
        return Messages(())
    return Messages((said,), answers.working(said.address) if account.typing else None)
