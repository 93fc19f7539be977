"""Signatures, against the reference library of Standard Webhooks as the other side."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from gateway.demo.serving.refusal import Refusal
from gateway.demo.serving.signature import TOLERANCE_S, secret_key, verify

NEWER = "whsec_" + base64.b64encode(b"newer secret: 32 bytes of a test").decode()
OLDER = "whsec_" + base64.b64encode(b"older secret: 32 bytes of a test").decode()
NOW_S = 1_800_000_000
BODY = '{"text":"ein Kännchen, bitte"}'.encode()


def signed(*secrets: str, at_s: int = NOW_S, body: bytes = BODY) -> dict[str, str]:
    """Return the headers that the reference library makes, one signature for each secret."""
    when = datetime.fromtimestamp(at_s, tz=UTC)
    signatures = (Webhook(secret).sign("turn_1_1", when, body.decode()) for secret in secrets)
    return {
        "webhook-id": "turn_1_1",
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(signatures),
    }


@pytest.mark.parametrize("secrets", [(NEWER,), (OLDER,), (NEWER, OLDER), (OLDER, NEWER)])
def test_what_the_reference_signs_is_accepted(secrets: tuple[str, ...]) -> None:
    """With any one of the live secrets, alone or among others."""
    verify([secret_key(NEWER), secret_key(OLDER)], signed(*secrets), BODY, NOW_S)


@pytest.mark.parametrize("late_s", [-TOLERANCE_S, -1, 0, 1, TOLERANCE_S])
def test_clocks_may_differ_by_five_minutes(late_s: int) -> None:
    """Either way."""
    verify([secret_key(NEWER)], signed(NEWER, at_s=NOW_S + late_s), BODY, NOW_S)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"webhook-id": ""}, "unsigned"),
        ({"webhook-signature": ""}, "unsigned"),
        ({"webhook-id": "turn_2_1"}, "bad_signature"),
        ({"webhook-timestamp": str(NOW_S + 1)}, "bad_signature"),
        ({"webhook-timestamp": "soon"}, "bad_timestamp"),
        ({"webhook-timestamp": " 1800000000"}, "bad_timestamp"),
        ({"webhook-timestamp": "١٨٠٠٠٠٠٠٠٠"}, "bad_timestamp"),
        ({"webhook-timestamp": "9" * 400}, "bad_timestamp"),
        ({"webhook-signature": "v1,AAAA"}, "bad_signature"),
        ({"webhook-signature": "v1a,AAAA v2,BBBB \xff"}, "bad_signature"),
    ],
)
def test_what_is_not_signed_is_refused(changes: dict[str, str], reason: str) -> None:
    """Every part of the signature counts, and nothing in it can raise anything else."""
    with pytest.raises(Refusal) as refused:
        verify([secret_key(NEWER)], signed(NEWER) | changes, BODY, NOW_S)

    assert (refused.value.status, refused.value.reason) == ("401 Unauthorized", reason)


@pytest.mark.parametrize("late_s", [-TOLERANCE_S - 1, TOLERANCE_S + 1])
def test_stale_and_future_calls_are_refused(late_s: int) -> None:
    """A recorded call cannot be played again later."""
    with pytest.raises(Refusal, match="stale"):
        verify([secret_key(NEWER)], signed(NEWER, at_s=NOW_S + late_s), BODY, NOW_S)


def test_another_secret_and_another_body_are_refused() -> None:
    """A retired secret is worth nothing, and neither is a signature on other bytes."""
    with pytest.raises(Refusal, match="bad_signature"):
        verify([secret_key(NEWER)], signed(OLDER), BODY, NOW_S)
    with pytest.raises(Refusal, match="bad_signature"):
        verify([secret_key(NEWER)], signed(NEWER), BODY + b" ", NOW_S)


@pytest.mark.parametrize("secret", ["", "secret", "whsec_", "whsec_!!!!", "whsec_c2hvcnQ=", NEWER[6:]])
def test_a_malformed_secret_is_refused_unseen(secret: str) -> None:
    """The message does not contain it."""
    with pytest.raises(ValueError, match="not shown") as refused:
        secret_key(secret)

    assert not secret[6:] or secret[6:] not in str(refused.value)
