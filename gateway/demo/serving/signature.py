"""Who calls: Standard Webhooks signatures (https://www.standardwebhooks.com), verified.

Signed is ``id.timestamp.body``; the header carries one ``v1,<base64>`` for each of the caller's live secrets, and any
one that matches suffices, so that a secret can be changed without an outage.  Bytes and time are arguments.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from pathlib import Path

from gateway.demo.serving.refusal import Refusal

__all__ = ["TOLERANCE_S", "secret_key", "signing_keys", "verify"]

#: How far the caller's clock may be from ours, either way: what the specification's reference library allows.
TOLERANCE_S = 300
_SIGNATURES_MAX = 8
_PREFIX = "whsec_"


def secret_key(secret: str) -> bytes:
    """Return the key that *secret* (``whsec_`` and base64 of 24 to 64 bytes) stands for.

    :raises ValueError: it is not of that form.  The message does not contain it.
    """
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not secret.startswith(_PREFIX) or not 24 <= len(key) <= 64:
        raise ValueError("expected whsec_ and the base64 of 24 to 64 bytes, got something else (not shown)")
    return key


def signing_keys(references: str) -> tuple[bytes, ...]:
    """Return the keys of secrets, or of files (``file:PATH``) that hold some, separated by spaces.

    :raises OSError: a file cannot be read.
    :raises ValueError: something is no secret.
    """
    secrets: list[str] = []
    for reference in references.split():
        path = reference.removeprefix("file:")
        secrets += [reference] if path == reference else Path(path).read_text(encoding="ascii").split()
    return tuple(map(secret_key, secrets))


def verify(keys: Sequence[bytes], headers: Mapping[str, str], body: bytes, now_s: float) -> None:
    """Return if the holder of one of *keys* signed exactly *body*, within the tolerance of *now_s* (Unix seconds).

    :raises Refusal: 401, with the reason.
    """
    message_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    signatures = headers.get("webhook-signature", "").split()
    if not (message_id and timestamp and signatures):
        raise Refusal("401 Unauthorized", "unsigned")
    # int() would take spaces, signs and digits of other scripts.
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise Refusal("401 Unauthorized", "bad_timestamp")
    if abs(now_s - int(timestamp)) > TOLERANCE_S:
        raise Refusal("401 Unauthorized", "stale")
    signed = b".".join((message_id.encode("latin-1", "replace"), timestamp.encode(), body))
    expected = [b"v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)) for key in keys]
    for given in signatures[:_SIGNATURES_MAX]:
        for one in expected:
            if hmac.compare_digest(given.encode("latin-1", "replace"), one):
                return
    raise Refusal("401 Unauthorized", "bad_signature")
