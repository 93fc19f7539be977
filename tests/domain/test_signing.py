"""Signatures: what the reference library of Standard Webhooks accepts, and secrets that are never shown."""

from __future__ import annotations

import time
from base64 import b64encode

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from gateway.domain.signing import signature_headers, signing_key
from tests.assistants.turns import KEYS

BODY = '{"text": "ein Glas Grüner Veltliner"}'.encode()


def headers(*secrets: str, unix_s: int | None = None) -> dict[str, str]:
    """Return the headers that sign BODY with *secrets*, now if not said otherwise."""
    keys = [signing_key(secret) for secret in secrets]
    at = int(time.time()) if unix_s is None else unix_s
    return dict(signature_headers(keys, message_id="turn_123_1", unix_s=at, body=BODY))


@pytest.mark.parametrize("known", KEYS)
def test_an_assistant_that_knows_either_live_secret_accepts_the_call(known: str) -> None:
    """During a rotation one side is always first."""
    assert Webhook(known).verify(BODY, headers(*KEYS)) == {"text": "ein Glas Grüner Veltliner"}


def test_an_assistant_with_another_secret_refuses_the_call() -> None:
    with pytest.raises(WebhookVerificationError):
        Webhook(KEYS[1]).verify(BODY, headers(KEYS[0]))


def test_the_body_is_what_is_signed() -> None:
    with pytest.raises(WebhookVerificationError):
        Webhook(KEYS[0]).verify(BODY + b" ", headers(KEYS[0]))


def test_the_time_is_signed() -> None:
    """Somebody who recorded a call cannot make it look new."""
    recorded = headers(KEYS[0], unix_s=1_700_000_000)

    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(KEYS[0]).verify(BODY, recorded)
    with pytest.raises(WebhookVerificationError, match="No matching"):
        Webhook(KEYS[0]).verify(BODY, recorded | {"webhook-timestamp": str(int(time.time()))})


def test_without_a_secret_nothing_looks_signed() -> None:
    assert headers() == {}


@pytest.mark.parametrize("size_bytes", [24, 64])
def test_keys_of_the_specified_sizes_are_taken(size_bytes: int) -> None:
    assert len(signing_key("whsec_" + b64encode(bytes(size_bytes)).decode())) == size_bytes


@pytest.mark.parametrize(
    "text",
    [
        "",
        "whsec_",
        "c2VjcmV0LXRoYXQtbXVzdC1ub3QtYmUtc2hvd24=",
        "whsec_secret-that-must-not-be-shown",
        "whsec_" + b64encode(b"secret-of-23-bytes-xxxx").decode(),
        "whsec_" + b64encode(bytes(65)).decode(),
        "whsec_sécret",
    ],
)
def test_a_secret_that_is_none_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match="expected whsec_ and base64 of 24 to 64 bytes") as refused:
        signing_key(text)

    secret = text.removeprefix("whsec_")
    assert not secret or secret not in str(refused.value)
    assert refused.value.__cause__ is None
