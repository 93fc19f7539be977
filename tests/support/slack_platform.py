"""Slack, both ways: deliveries as it makes them, signed by its own SDK, and the API that replies are posted to.

The bodies are as small as Slack's documents allow; tests/channels/slack/samples has whole ones.
"""

from __future__ import annotations

import hmac
import itertools
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
from slack_sdk.signature import SignatureVerifier

from tests.support.calling import Answer, call
from tests.support.stand_in import Call, StandIn

__all__ = ["BOT_TOKEN", "SIGNING_SECRET", "TEAM", "Delivery", "SlackPlatform", "too_many"]

SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
BOT_TOKEN = "xoxb-test-token"
TEAM = "T024BE7LD"
_numbers = itertools.count(1)


class Delivery(msgspec.Struct, frozen=True):
    """A body that Slack sends, as often as it likes."""

    body: bytes
    content_type: str = "application/json"
    account: str = "shop"

    def headers(self, *, at_s: float | None = None, secret: str = SIGNING_SECRET) -> dict[str, str]:
        """Return the headers that prove it, signed at *at_s* (now) with *secret*."""
        timestamp = str(int(time.time() if at_s is None else at_s))
        signature = _sign(secret, timestamp, self.body)
        return {
            "Content-Type": self.content_type,
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": signature,
        }

    def send(self, port: int, more: Mapping[str, str] | None = None) -> Answer:
        """Deliver it to the gateway at *port*."""
        headers = {**self.headers(), **(more or {})}
        return call(port, f"/hooks/slack/{self.account}", body=self.body, headers=headers)


class SlackPlatform(StandIn):
    """``chat.postMessage`` and the response URLs."""

    def __init__(self) -> None:
        super().__init__(_accept)

    @property
    def api(self) -> str:
        """Root of the Web API."""
        return f"{self.origin}/api"

    def event(
        self, text: str, *, channel: str, account: str = "shop", team: str = TEAM, **event: Any
    ) -> Delivery:
        """Return a message of a user's in *channel*; keyword arguments are fields of the event."""
        number = next(_numbers)
        body = {
            "type": "event_callback",
            "team_id": team,
            "event_id": event.pop("event_id", f"Ev{number:08d}"),
            "event": {
                "type": "message",
                "channel": channel,
                "user": "U061F7AUR",
                "text": text,
                "ts": f"1763800000.{number:06d}",
                **event,
            },
        }
        return Delivery(msgspec.json.encode(body), account=account)

    def command(self, text: str, *, channel: str, account: str = "shop", team: str = TEAM) -> Delivery:
        """Return a slash command."""
        form = {
            "team_id": team,
            "channel_id": channel,
            "user_id": "U061F7AUR",
            "user_name": "ada",
            "command": "/drink",
            "text": text,
            "response_url": self._response_url(),
            "trigger_id": f"13345224609.738474920.{next(_numbers)}",
        }
        return Delivery(urlencode(form).encode(), "application/x-www-form-urlencoded", account)

    def tap(self, value: str, *, channel: str) -> Delivery:
        """Return a tap on a button of ours."""
        payload = {
            "type": "block_actions",
            "user": {"id": "U061F7AUR", "username": "ada", "team_id": TEAM},
            "team": {"id": TEAM},
            "container": {"type": "message", "message_ts": "1763800005.000100", "channel_id": channel},
            "channel": {"id": channel},
            "message": {"type": "message", "text": "Which?", "ts": "1763800005.000100"},
            "response_url": self._response_url(),
            "trigger_id": f"12321423423.333649436676.{next(_numbers)}",
            "actions": [
                {
                    "action_id": "button:1",
                    "block_id": "b1",
                    "type": "button",
                    "value": value,
                    "text": {"type": "plain_text", "text": "This one"},
                }
            ],
        }
        form = urlencode({"payload": msgspec.json.encode(payload).decode()})
        return Delivery(form.encode(), "application/x-www-form-urlencoded")

    def _response_url(self) -> str:
        return f"{self.origin}/response/{next(_numbers)}"


def _sign(secret: str, timestamp: str, body: bytes) -> str:
    try:
        signature = SignatureVerifier(secret).generate_signature(timestamp=timestamp, body=body)
    except UnicodeDecodeError:
        # Their SDK signs text alone; what is not text is signed as the document says.
        return "v0=" + hmac.digest(secret.encode(), b"v0:" + timestamp.encode() + b":" + body, "sha256").hex()
    assert signature is not None
    return signature


def too_many(retry_after_s: int) -> Any:
    """Answer 429, as Slack does above a rate limit."""
    body = b'{"ok":false,"error":"ratelimited"}'
    return lambda call: call.answer(body, f"Retry-After: {retry_after_s}", status="429 Too Many Requests")


def _accept(call: Call) -> None:
    if call.path.startswith("/response/"):
        call.answer(b"ok", media="text/plain")
    else:
        call.answer(msgspec.json.encode({"ok": True, "ts": f"1763800100.{next(_numbers):06d}"}))
