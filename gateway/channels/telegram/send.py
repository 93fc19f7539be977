"""Sending by the Bot API, and what its answers mean.

Telegram has no idempotency key for messages, so the difference between "not sent" and "unknown" is all there is against
duplicates: only what it refused is tried again or otherwise.
"""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.channels.base import PlatformAnswer, PlatformClient
from gateway.channels.telegram import bot_api
from gateway.channels.telegram.bot_api import Answer, read, without_token
from gateway.channels.telegram.place import is_group
from gateway.domain.deadline import Deadline
from gateway.domain.errors import CallFailed, TryLater
from gateway.domain.outcome import NotSent, Outcome, RetryLater, Sent, Unknown
from gateway.domain.quota import Scope
from gateway.domain.text import clean, shorten
from gateway.settings.accounts import TelegramAccount

__all__ = ["BOT", "CHAT", "GROUP", "scopes", "send"]

#: Names of what Telegram counts.
CHAT, GROUP, BOT = "chat", "group", "bot"

_DETAIL_CHARS_MAX = 200
#: What refusals for good are called, by a word of their description; the rest is ``bad_request`` or ``forbidden``.
#: [S] https://github.com/tdlib/telegram-bot-api/blob/master/telegram-bot-api/Client.cpp
_REASONS = {
    "blocked by the user": "blocked",
    "user is deactivated": "user_deactivated",
    "bot was kicked": "kicked",
    "bot is not a member": "kicked",
    "can't initiate conversation": "never_started",
    "chat not found": "chat_not_found",
    "message thread not found": "topic_not_found",
    "not enough rights": "no_rights",
    "have no rights": "no_rights",
    "topic_closed": "topic_closed",
}


class Message(msgspec.Struct):
    """The message as it was sent."""

    message_id: int


_MESSAGE = msgspec.json.Decoder(Message)


def scopes(account: TelegramAccount, payload: dict[str, Any]) -> tuple[Scope, ...]:
    """Return what Telegram counts the message under.

    [D] https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this: one message a second in a
    chat, 20 a minute in a group, 30 a second in all.  What exceeds them is told so, with a time.
    """
    chat_id = payload["body"]["chat_id"]
    if is_group(chat_id):
        chat = Scope(
            GROUP,
            str(chat_id),
            rate_per_s=account.group_messages_per_min / 60,
            burst=account.group_messages_burst,
        )
    else:
        chat = Scope(
            CHAT, str(chat_id), rate_per_s=account.chat_messages_per_s, burst=account.chat_messages_burst
        )
    return (chat, Scope(BOT, "", rate_per_s=account.bot_messages_per_s, burst=account.bot_messages_burst))


def send(
    client: PlatformClient, account: TelegramAccount, payload: dict[str, Any], deadline: Deadline
) -> Outcome:
    """Make the call of one rendered message and return what became of it."""
    root = bot_api.root(account)
    if root is None:
        why = "is not of the form 123456789:letters" if account.bot_token else "is missing"
        return NotSent("no_token", f"the account's bot_token {why}")
    call = _Calls(client, root, deadline)
    try:
        return call.deliver(payload)
    except TryLater as error:
        return RetryLater(error.reason, without_token(account, str(error)), error.retry_after_s)
    except CallFailed as error:
        detail = without_token(account, str(error))
        if error.reason == "invalid_call":
            # Nothing that could be written to a wire: the same tomorrow.
            return NotSent(error.reason, detail)
        if error.sent == "never":
            return RetryLater(error.reason, detail)
        return Unknown(error.reason, detail)


class _Calls:
    """The calls by which one payload is delivered: mostly one, and never one after a call whose fate is unknown."""

    def __init__(self, client: PlatformClient, root: str, deadline: Deadline) -> None:
        self._client = client
        self._root = root
        self._deadline = deadline

    def deliver(self, payload: dict[str, Any]) -> Outcome:
        """Send *payload*; to the supergroup that its group has become, and without what Telegram cannot reach."""
        answer = self._call(payload)
        said = read(answer)
        moved_to = said.parameters.migrate_to_chat_id if said and said.parameters else None
        if moved_to is not None and answer.status == 400:
            # Refused, so nothing was sent; once, or two chats could send us to and fro.
            payload = _to(moved_to, payload)
            answer = self._call(payload)
            said = read(answer)
        outcome = _outcome(answer, said)
        if isinstance(outcome, NotSent) and outcome.reason == "bad_request" and "instead" in payload:
            answer = self._call(payload["instead"])
            outcome = _outcome(answer, read(answer))
        return outcome

    def _call(self, payload: dict[str, Any]) -> PlatformAnswer:
        return self._client.post(
            self._root + payload["method"],
            headers={"content-type": "application/json"},
            body=msgspec.json.encode(payload["body"]),
            deadline=self._deadline,
        )


def _to(chat_id: int, payload: dict[str, Any]) -> dict[str, Any]:
    # Messages of the old group have other ids in the new one.
    body = {name: value for name, value in payload["body"].items() if name != "reply_parameters"}
    moved = {**payload, "body": {**body, "chat_id": chat_id}}
    if "instead" in payload:
        moved["instead"] = _to(chat_id, payload["instead"])
    return moved


def _outcome(answer: PlatformAnswer, said: Answer | None) -> Outcome:
    if answer.status == 429:
        asked_s = said.parameters.retry_after if said and said.parameters else None
        # Of which count it is too many Telegram does not say.  Mostly it is the chat's, and if it is the bot's,
        # each chat is told so: one busy group must not silence the bot everywhere.
        return RetryLater(
            "too_many_requests", after_s=_seconds(asked_s, answer), limited=True, limited_scopes=(CHAT, GROUP)
        )
    if answer.status >= 500:
        # A proxy's words, or "Internal Server Error": what was done until then nobody says.
        return Unknown(f"http_{answer.status}")
    if said is None:
        return NotSent(f"http_{answer.status}") if answer.status >= 300 else Unknown("answer_not_understood")
    if said.ok and answer.status == 200:
        return Sent(_message_id(said.result))
    if answer.status in (401, 404):
        # [S] 404 for what has not the form of a token, 401 for one that was revoked.
        return NotSent("bad_token", "Telegram does not know the account's bot_token")
    if answer.status >= 300:
        return _refused(answer.status, said.description)
    return Unknown("answer_not_understood")


def _refused(status: int, description: str) -> NotSent:
    words = description.casefold()
    known = next((reason for phrase, reason in _REASONS.items() if phrase in words), None)
    reason = known or {400: "bad_request", 403: "forbidden"}.get(status, f"http_{status}")
    return NotSent(reason, shorten(clean(description), _DETAIL_CHARS_MAX))


def _message_id(result: msgspec.Raw) -> str:
    try:
        return str(_MESSAGE.decode(result).message_id)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


def _seconds(asked_s: int | None, answer: PlatformAnswer) -> float | None:
    if asked_s is not None:
        return float(max(0, asked_s))
    value = answer.headers.get("retry-after", "")
    return float(value) if value.isascii() and value.isdigit() and len(value) <= 9 else None
