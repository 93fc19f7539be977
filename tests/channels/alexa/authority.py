"""A certificate authority in the hands of a test: chains as Amazon's, and each way in which one can be wrong."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["NOW", "SIGNER", "Certificate", "Issuer", "key", "pem", "signature"]

SIGNER = "echo-api.amazon.com"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
_DAY = timedelta(days=1)


@cache
def key(name: str) -> rsa.RSAPrivateKey:
    """A key that is made once in a run: they cost half a second each."""
    return rsa.generate_private_key(65_537, 2048)


class Issuer:
    """A name with a key: whose certificate signs others'.  Two of one name and key are cross-signed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.key = key(name)


class Certificate:
    """One certificate of a chain."""

    def __init__(
        self,
        of: Issuer,
        by: Issuer,
        *,
        ca: bool = True,
        names: Sequence[str] | None = None,
        days: tuple[float, float] = (-10, 300),
        now: datetime = NOW,
        elliptic: bool = False,
    ) -> None:
        public = ec.generate_private_key(ec.SECP256R1()).public_key() if elliptic else of.key.public_key()
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(of.name))
            .issuer_name(_name(by.name))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + days[0] * _DAY)
            .not_valid_after(now + days[1] * _DAY)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(_usage(ca), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key()), critical=False
            )
        )
        if ca:
            builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        else:
            builder = builder.add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
            )
        if names:
            alternatives = x509.SubjectAlternativeName([x509.DNSName(each) for each in names])
            builder = builder.add_extension(alternatives, critical=False)
        self.certificate = builder.sign(by.key, SHA256())

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)


def pem(*chain: Certificate) -> bytes:
    """Return certificates one behind the other, as they are fetched."""
    return b"".join(each.pem for each in chain)


def signature(signer: Issuer, body: bytes) -> bytes:
    """Sign as Amazon does."""
    return signer.key.sign(body, PKCS1v15(), SHA256())


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=not ca,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )
