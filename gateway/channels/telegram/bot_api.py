"""Calls of the Bot API: the address with the token in it, and what an answer says.

The bot's token is a part of each call's address, so no address is ever told to anybody: not to a log, a metric, an
error or a row.  https://core.telegram.org/bots/api#making-requests
"""

from __future__ import annotations

import re

import msgspec

from gateway.channels.base import PlatformAnswer
from gateway.settings.accounts import TelegramAccount

__all__ = ["Answer", "Parameters", "read", "root", "without_token"]

#: The form that tokens have.  Anything else would be another address than the one that is meant.
_TOKEN = re.compile(r"\d{1,20}:[A-Za-z0-9_-]{1,200}")


class Parameters(msgspec.Struct):
    """What can be done about an error."""

    retry_after: int | None = None
    migrate_to_chat_id: int | None = None


class Answer(msgspec.Struct):
    """What the Bot API says."""

    ok: bool
    result: msgspec.Raw = msgspec.Raw(b"null")
    description: str = ""
    parameters: Parameters | None = None


_ANSWER = msgspec.json.Decoder(Answer)


def root(account: TelegramAccount) -> str | None:
    """Return what stands before a method's name in its address, or None: the account has no token."""
    token = account.bot_token.reveal()
    if not _TOKEN.fullmatch(token):
        return None
    return f"{account.api_base_url.rstrip('/')}/bot{token}/"


def read(answer: PlatformAnswer) -> Answer | None:
    """Return what *answer* says, or None: it is not the Bot API's."""
    try:
        return _ANSWER.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def without_token(account: TelegramAccount, text: str) -> str:
    """Return *text* so that it can be told."""
    token = account.bot_token.reveal()
    return text.replace(token, "***") if token else text
