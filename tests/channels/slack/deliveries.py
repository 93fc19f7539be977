"""Deliveries as Slack makes them: sample bodies signed by slack_sdk, the other side's own code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from slack_sdk.signature import SignatureVerifier

from gateway.domain.http import Request
from gateway.settings.accounts import SlackAccount
from gateway.settings.secret import Secret

__all__ = ["ACCOUNT", "NOW_S", "SAMPLES", "SECRET", "delivery", "encode", "sample", "signed"]

NOW_S = 1_763_800_010.5
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
ACCOUNT = SlackAccount(
    channel="slack",
    name="bartender",
    assistant="bartender",
    signing_secrets=(Secret(SECRET),),
    bot_token=Secret("xoxb-test"),
)
SAMPLES = Path(__file__).parent / "samples"


def sample(name: str) -> dict[str, Any]:
    """Return a sample delivery: ``body`` (JSON), ``form``, or ``payload`` (JSON in a form)."""
    value: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text())
    return value


def encode(value: Mapping[str, Any]) -> tuple[str, bytes]:
    """Return the content type and the bytes of a sample."""
    if "body" in value:
        return "application/json", json.dumps(value["body"]).encode()
    form = value["form"] if "form" in value else {"payload": json.dumps(value["payload"])}
    return "application/x-www-form-urlencoded", urlencode(form).encode()


def delivery(value: Mapping[str, Any]) -> Request:
    """Return a sample as the signed request that brings it."""
    content_type, body = encode(value)
    return signed(body, content_type)


def signed(body: bytes, content_type: str = "application/json", at_s: float = NOW_S) -> Request:
    """Return a request with *body*, signed by slack_sdk as Slack would at *at_s*."""
    timestamp = str(int(at_s))
    signature = SignatureVerifier(SECRET).generate_signature(timestamp=timestamp, body=body)
    headers = {
        "content-type": content_type,
        "x-slack-request-timestamp": timestamp,
        "x-slack-signature": signature or "",
    }
    return Request("POST", "/hooks/slack/bartender", "", headers, body)
