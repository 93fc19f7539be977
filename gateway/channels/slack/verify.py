"""Slack's request signature: HMAC-SHA256 over version, timestamp and the raw body.

https://docs.slack.dev/authentication/verifying-requests-from-slack.  Fail closed: without a secret nothing is
authentic.  Two live secrets are tried, so that a rotation needs no outage.
"""

from __future__ import annotations

import hmac

from gateway.domain.errors import Unauthentic
from gateway.domain.http import Request
from gateway.settings.accounts import SlackAccount

__all__ = ["SKEW_S_MAX", "verify"]

#: [D] older or newer requests may be replays.
SKEW_S_MAX = 300


def verify(request: Request, account: SlackAccount, now_s: float) -> None:
    """Return if Slack signed exactly these bytes within the last five minutes, or raise Unauthentic."""
    secrets = [secret.reveal_bytes() for secret in account.signing_secrets if secret.reveal().strip()]
    if not secrets:
        raise Unauthentic("the account has no signing secret", reason="no_secret")
    timestamp = request.header("x-slack-request-timestamp")
    # int() would also take "१२३", " 7 " and "1_0", which Slack never sends.
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 15):
        raise Unauthentic("the timestamp is missing or not a number", reason="bad_timestamp")
    if abs(now_s - int(timestamp)) > SKEW_S_MAX:
        raise Unauthentic(f"the timestamp is more than {SKEW_S_MAX} s off", reason="stale")
    signed = b"v0:" + timestamp.encode() + b":" + request.body
    # compare_digest takes only ASCII text, and a header can hold anything: bytes are compared.
    given = request.header("x-slack-signature").encode("utf-8", "surrogatepass")
    matches = [
        hmac.compare_digest(given, b"v0=" + hmac.digest(secret, signed, "sha256").hex().encode())
        for secret in secrets
    ]
    if not any(matches):
        raise Unauthentic("the signature does not match", reason="bad_signature")
