"""Amazon's certificate chain: from the leaf that signs requests to a root that is trusted.

The path is built and judged by ``cryptography`` (RFC 5280 and the web's own profile): signatures, validity of each
certificate, basic constraints, key usage, the name.  Nothing of that is done here.  Revocation is not asked for: no
verifier of Amazon's does, and what is asked would be answered by whom the caller names.

Pure: the time is an argument.
"""

from __future__ import annotations

import re
import warnings
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import verification

from gateway.channels.alexa.refused import Refused
from gateway.channels.base import Proof
from gateway.settings.accounts import AlexaAccount

__all__ = ["SIGNER", "read_chain"]

#: [D] the subject alternative name of the certificate that signs.
SIGNER = "echo-api.amazon.com"
#: Amazon sends four at most.
_CERTIFICATES_MAX = 8
_SIGNER_NAME = x509.DNSName(SIGNER)
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----")


def read_chain(document: bytes, account: AlexaAccount, now_s: float) -> Proof:
    """Return the public key of the chain's leaf, good for as long as every certificate on its way to a root is.

    :raises Refused: there is no such way at *now_s*, or the leaf is not Amazon's.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            certificates = x509.load_pem_x509_certificates(document)
    except (ValueError, UnsupportedAlgorithm):
        raise Refused("the certificate chain is none", reason="bad_chain") from None
    if len(certificates) > _CERTIFICATES_MAX:
        raise Refused(f"the chain has more than {_CERTIFICATES_MAX} certificates", reason="bad_chain")
    leaf, *others = certificates
    try:
        path = _verifier(account, now_s).verify(leaf, others)
        key = leaf.public_key()
    except (verification.VerificationError, ValueError, UnsupportedAlgorithm) as error:
        # Names of certificates are the caller's: the kind of the error says enough.
        raise Refused(
            f"the certificate chain leads to no trusted root ({type(error).__name__})", reason="bad_chain"
        ) from None
    if not isinstance(key, RSAPublicKey):
        raise Refused("the certificate's key is not RSA", reason="bad_chain")
    return Proof(
        value=key,
        good_from_s=max(each.not_valid_before_utc.timestamp() for each in path),
        good_until_s=min(each.not_valid_after_utc.timestamp() for each in path),
    )


def _verifier(account: AlexaAccount, now_s: float) -> verification.ServerVerifier:
    now = datetime.fromtimestamp(now_s, UTC)
    roots = _roots(account.trust_root.reveal())
    return verification.PolicyBuilder().store(roots).time(now).build_server_verifier(_SIGNER_NAME)


@lru_cache(maxsize=16)
def _roots(pem: str) -> verification.Store:
    """Return the roots of *pem*; of an empty one those that are trusted in general, read once like code."""
    text = pem.encode() if pem else Path(certifi.where()).read_bytes()
    roots = [root for block in _PEM.findall(text) for root in _root(block)]
    if not roots:
        # Closed: a root that cannot be read is no reason to trust others.
        raise Refused("the account's trust_root holds no certificate", reason="bad_trust_root")
    return verification.Store(roots)


def _root(block: bytes) -> list[x509.Certificate]:
    """Return the one certificate, or none: among those trusted in general are some that RFC 5280 would not allow."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        try:
            return [x509.load_pem_x509_certificate(block)]
        except (ValueError, UnsupportedAlgorithm):
            return []
