"""Setting a bot up at Telegram: where its updates go, and what Telegram says of them.

https://core.telegram.org/bots/api#setwebhook.  Only the updates that are read here are asked for: the rest would be
delivered, accepted and thrown away.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from gateway.channels.base import PlatformClient
from gateway.channels.telegram import bot_api
from gateway.channels.telegram.bot_api import without_token
from gateway.domain.deadline import Deadline
from gateway.domain.errors import BadRequest, CallFailed, PeerFailed, TryLater
from gateway.domain.text import clean
from gateway.settings.accounts import TelegramAccount

__all__ = ["Bot", "BotApi", "WebhookInfo", "allowed_updates", "webhook_url"]

#: [D] what setWebhook takes for a secret token.
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")

T = TypeVar("T")


class Bot(msgspec.Struct, frozen=True):
    """Who the token is for."""

    id: int
    username: str = ""
    first_name: str = ""
    #: Whether groups' messages reach it that are not addressed to it: privacy mode is off.
    can_read_all_group_messages: bool = False


class WebhookInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where updates go, and how that goes."""

    url: str = ""
    pending_update_count: int = 0
    #: Unix seconds of the last delivery that failed, and why.
    last_error_date: int | None = None
    last_error_message: str = ""
    max_connections: int | None = None
    allowed_updates: tuple[str, ...] = ()


def webhook_url(account: TelegramAccount, base_url: str) -> str:
    """Return the address of *account* behind the public *base_url* of the gateway.

    :raises BadRequest: Telegram could not call it.
    """
    try:
        parts = urlsplit(base_url)
        is_one = parts.scheme == "https" and bool(parts.hostname)
    except ValueError:
        is_one = False
    if not is_one or parts.query or parts.fragment:
        raise BadRequest(
            f"expected the public address of the gateway, https://HOST, got {base_url[:80]!r}", reason="bad_url"
        )
    return f"{base_url.rstrip('/')}/hooks/telegram/{account.name}"


def allowed_updates(account: TelegramAccount) -> tuple[str, ...]:
    """Return the updates that mean something to *account*."""
    return ("message", *(("edited_message",) if account.answers_edits else ()), "callback_query")


class BotApi:
    """One bot's methods, for who sets it up.  Every method raises BadRequest, PeerFailed or TryLater."""

    def __init__(self, client: PlatformClient, account: TelegramAccount, deadline: Deadline) -> None:
        self._client = client
        self._account = account
        self._deadline = deadline
        self._where = f"accounts.telegram.{account.name}"

    def me(self) -> Bot:
        """Return whose token it is."""
        return self._ask("getMe", {}, Bot)

    def set_webhook(self, url: str, *, drop_pending: bool = False) -> None:
        """Have updates delivered to *url*, proved by the account's newest secret."""
        secret = next((each.reveal() for each in self._account.secret_tokens if each.reveal().strip()), "")
        if not _SECRET.fullmatch(secret):
            why = "has other characters than letters, digits, _ and -" if secret else "is empty"
            raise BadRequest(f"{self._where}.secret_tokens: the newest one {why}", reason="bad_secret")
        arguments: dict[str, Any] = {
            "url": url,
            "secret_token": secret,
            "allowed_updates": allowed_updates(self._account),
        }
        if drop_pending:
            arguments["drop_pending_updates"] = True
        self._ask("setWebhook", arguments, bool)

    def webhook(self) -> WebhookInfo:
        """Return where updates go now."""
        return self._ask("getWebhookInfo", {}, WebhookInfo)

    def delete_webhook(self, *, drop_pending: bool = False) -> None:
        """Have updates delivered nowhere: Telegram keeps them for a day."""
        self._ask("deleteWebhook", {"drop_pending_updates": True} if drop_pending else {}, bool)

    def _ask(self, method: str, arguments: dict[str, Any], kind: type[T]) -> T:
        root = bot_api.root(self._account)
        if root is None:
            raise BadRequest(
                f"{self._where}.bot_token: expected a token of @BotFather's, 123456789:letters, got none",
                reason="no_token",
            )
        try:
            answer = self._client.post(
                root + method,
                headers={"content-type": "application/json"},
                body=msgspec.json.encode(arguments),
                deadline=self._deadline,
            )
        except (CallFailed, TryLater) as error:
            raise PeerFailed(without_token(self._account, str(error)), reason=error.reason) from None
        said = bot_api.read(answer)
        if answer.status in (401, 404):
            raise PeerFailed(f"Telegram does not know {self._where}.bot_token", reason="bad_token")
        if said is None or not said.ok:
            why = (
                clean(said.description) if said is not None and said.description else f"HTTP {answer.status}"
            )
            raise PeerFailed(without_token(self._account, f"{method} was refused: {why}"), reason="refused")
        try:
            return msgspec.json.decode(said.result, type=kind)
        except (msgspec.DecodeError, RecursionError):
            raise PeerFailed(f"{method} was answered with something else", reason="not_understood") from None
