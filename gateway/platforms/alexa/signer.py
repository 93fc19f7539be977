"""Signing as Amazon does: SHA-256 and RSA over the bytes, and where the certificate is.

https://developer.amazon.com/docs/alexa/custom-skills/host-a-custom-skill-as-a-web-service.html
"""

from __future__ import annotations

import base64
from functools import cached_property
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.platforms.base import Unprovable
from gateway.settings.accounts import AlexaAccount

__all__ = ["CHAIN_PATH", "Signer"]

#: Of the chain's address, wherever it is fetched from.
CHAIN_PATH = "/echo.api/echo-api-cert-trial.pem"
_CHAIN_URL = f"https://s3.amazonaws.com{CHAIN_PATH}"


class Signer:
    """What stands in for Amazon's key, read from *home* when it is first needed."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "secrets"

    def headers(self, account: AlexaAccount, body: bytes) -> dict[str, str]:
        """Return the headers that prove *body*."""
        try:
            signature = self._key.sign(body, PKCS1v15(), SHA256())
        except OSError as error:
            raise Unprovable(
                f"accounts.alexa.{account.name} cannot be tried without {error.filename}: `switchboard up` makes it"
            ) from None
        return {"SignatureCertChainUrl": _CHAIN_URL, "Signature-256": base64.b64encode(signature).decode()}

    def chain(self) -> bytes:
        """Return the certificates; nothing where there are none."""
        try:
            return (self._folder / "alexa_trial_chain").read_bytes()
        except OSError:
            return b""

    @cached_property
    def _key(self) -> RSAPrivateKey:
        key = load_pem_private_key((self._folder / "alexa_trial_key").read_bytes(), None)
        assert isinstance(key, RSAPrivateKey)
        return key
