"""Signatures of calls, by Standard Webhooks: whoever is called can prove that the gateway calls, and when.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

The signed content is ``id.timestamp.body``, the signature HMAC-SHA256.  Every live secret signs, newest
first, and the header lists all signatures: a receiver that knows any one of the secrets accepts the call,
so that the two sides need not change theirs at the same moment.  Asymmetric signatures (``v1a``) are
deliberately absent.

Pure: the time is an argument.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Sequence

__all__ = ["signature_headers", "signing_key"]

_PREFIX = "whsec_"
#: Bytes of a key; the specification's bounds.
_KEY_BYTES_MIN = 24
_KEY_BYTES_MAX = 64


def signing_key(secret: str) -> bytes:
    """Return the key that the text of a *secret* stands for.

    :raises ValueError: it is not ``whsec_`` and base64 of 24 to 64 bytes.  The message never shows it.
    """
    problem = f"expected {_PREFIX} and base64 of {_KEY_BYTES_MIN} to {_KEY_BYTES_MAX} bytes"
    text = secret.strip()
    if not text.startswith(_PREFIX):
        raise ValueError(f"{problem}, got a text without the prefix (not shown)")
    try:
        key = b64decode(text[len(_PREFIX) :], validate=True)
    except (binascii.Error, ValueError):
        # Without its cause: the original error's traceback would lead to the secret.
        raise ValueError(f"{problem}, got something that is not base64 (not shown)") from None
    if not _KEY_BYTES_MIN <= len(key) <= _KEY_BYTES_MAX:
        raise ValueError(f"{problem}, got {len(key)} bytes")
    return key


def signature_headers(
    keys: Sequence[bytes], *, message_id: str, unix_s: int, body: bytes
) -> tuple[tuple[str, str], ...]:
    """Return the three headers that prove *body*; without a key none, because an id alone proves nothing."""
    if not keys:
        return ()
    signed = b"%s.%d.%s" % (message_id.encode("ascii"), unix_s, body)
    signatures = " ".join(
        "v1," + b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys
    )
    return (
        ("webhook-id", message_id),
        ("webhook-timestamp", str(unix_s)),
        ("webhook-signature", signatures),
    )
