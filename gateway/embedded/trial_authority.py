"""A certificate authority for one trial: it signs what stands in for Amazon's certificate, and is forgotten.

The root's key is never written anywhere, so nobody can make a second certificate of it, and the home's gateway trusts
nothing but the one that is there.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["ALEXA_CHAIN", "ALEXA_KEY", "ALEXA_ROOT", "alexa_trial"]

#: Names of the files: what signs requests, its certificate with those above it, and the root that is to be trusted.
ALEXA_KEY, ALEXA_CHAIN, ALEXA_ROOT = "alexa_trial_key", "alexa_trial_chain", "alexa_trial_root"
_SIGNER = "echo-api.amazon.com"
_KEY_BITS = 2048
_YEARS_10 = timedelta(days=3_650)


def alexa_trial(now: datetime | None = None) -> dict[str, str]:
    """Return the text of each file."""
    starts = (now or datetime.now(UTC)) - timedelta(days=1)
    root_key, leaf_key = (rsa.generate_private_key(65_537, _KEY_BITS) for _ in range(2))
    root_name = _name("Switchboard trial")
    identifier = x509.SubjectKeyIdentifier.from_public_key(root_key.public_key())
    issued = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    root = (
        _certificate(root_name, root_name, root_key.public_key(), starts)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(root_key, SHA256())
    )
    leaf = (
        _certificate(_name(_SIGNER), root_name, leaf_key.public_key(), starts)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(_SIGNER)]), critical=False)
        .add_extension(issued, critical=False)
        .sign(root_key, SHA256())
    )
    key = leaf_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain = leaf.public_bytes(Encoding.PEM) + root.public_bytes(Encoding.PEM)
    texts = {ALEXA_KEY: key, ALEXA_CHAIN: chain, ALEXA_ROOT: root.public_bytes(Encoding.PEM)}
    return {name: text.decode() for name, text in texts.items()}


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: rsa.RSAPublicKey, starts: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(starts)
        .not_valid_after(starts + _YEARS_10)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
