"""A visitor of the chat page, with the cookie that the page was given."""

from __future__ import annotations

import json
from typing import Any

from gateway.channels.webchat.cookie import issue
from gateway.domain.http import Request
from gateway.settings.accounts import WebchatAccount
from gateway.settings.secret import Secret

__all__ = ["ACCOUNT", "NOW_S", "VISITOR", "cookie", "post"]

NOW_S = 1_763_800_010.5
VISITOR = "Zm9vYmFyYmF6cXV4Zm9vYg"
ACCOUNT = WebchatAccount(
    channel="webchat",
    name="bartender",
    assistant="bartender",
    cookie_secrets=(Secret("a cookie secret"), Secret("the one before")),
)


def cookie(visitor: str = VISITOR, account: WebchatAccount = ACCOUNT, at_s: float = NOW_S) -> str:
    """Return the ``Cookie`` header of a browser that was given a visitor id at *at_s*."""
    return issue(visitor, account, at_s).partition(";")[0]


def post(body: Any, **headers: str) -> Request:
    """Return the page's POST of *body* (JSON, or bytes as they are)."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    own = {"content-type": "application/json", "cookie": cookie(), "host": "chat.example"}
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("POST", "/hooks/webchat/bartender", "", {**own, **given}, raw)
