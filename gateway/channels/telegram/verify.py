"""The proof of a delivery: the secret token that was given to ``setWebhook``, in a header.

https://core.telegram.org/bots/api#setwebhook.  Telegram signs neither body nor time, so there is no window for
replays: a repeated update is known by its ``update_id``.  Fail closed: without a secret nothing is authentic.  Two live
secrets are tried, so that a rotation needs no outage.
"""

from __future__ import annotations

import hmac

from gateway.domain.errors import Unauthentic
from gateway.domain.http import Request
from gateway.settings.accounts import TelegramAccount

__all__ = ["verify"]


def verify(request: Request, account: TelegramAccount) -> None:
    """Return if the caller knows one of the account's secret tokens, or raise Unauthentic."""
    secrets = [secret.reveal_bytes() for secret in account.secret_tokens if secret.reveal().strip()]
    if not secrets:
        raise Unauthentic("the account has no secret token", reason="no_secret")
    # compare_digest takes only ASCII text, and a header can hold anything: bytes are compared.
    given = request.header("x-telegram-bot-api-secret-token").encode("utf-8", "surrogatepass")
    matches = [hmac.compare_digest(given, secret) for secret in secrets]
    if not any(matches):
        raise Unauthentic("the secret token does not match", reason="bad_secret_token")
