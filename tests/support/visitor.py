"""A visitor of the web chat, seen from the gateway's door: a signed cookie and messages."""

from __future__ import annotations

import itertools
import secrets
import time
from typing import Any

import msgspec

from gateway.channels.webchat.cookie import issue
from gateway.settings.accounts import WebchatAccount
from gateway.settings.secret import Secret
from tests.support.calling import Answer, call

__all__ = ["COOKIE_SECRET", "Visitor", "texts"]

COOKIE_SECRET = "a secret of this test run, and of no other"
_numbers = itertools.count(1)


class Visitor:
    """One browser."""

    def __init__(
        self, account: str = "shop", *, secret: str = COOKIE_SECRET, at_s: float | None = None
    ) -> None:
        self.id = secrets.token_urlsafe(18)
        self.path = f"/hooks/webchat/{account}"
        settings = WebchatAccount(
            channel="webchat", name=account, assistant="", cookie_secrets=(Secret(secret),)
        )
        self.cookie = issue(self.id, settings, time.time() if at_s is None else at_s).partition(";")[0]

    def headers(self, wait_s: float = 0) -> dict[str, str]:
        """Return the headers that prove it."""
        prefer = {"Prefer": f"wait={wait_s:g}"} if wait_s else {}
        return {"Content-Type": "application/json", "Cookie": self.cookie, **prefer}

    def say(
        self, port: int, text: str, *, wait_s: float = 0, message_id: str = "", chat: str = "main"
    ) -> Answer:
        """Say *text*; with *wait_s* the answer is waited for in the response."""
        body = {"id": message_id or f"message-{next(_numbers)}", "text": text, "chat": chat}
        return self.post(port, msgspec.json.encode(body), wait_s=wait_s)

    def post(self, port: int, body: bytes, *, wait_s: float = 0) -> Answer:
        """Send *body*, whatever it is."""
        return call(port, self.path, body=body, headers=self.headers(wait_s))


def texts(answer: Answer) -> list[Any]:
    """Return the texts of a reply that came in the response."""
    return [part["text"] for part in answer.json["parts"] if part["type"] == "text"]
