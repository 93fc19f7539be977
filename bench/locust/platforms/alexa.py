"""Alexa: requests signed by a certificate, whose chain the gateway fetches; the answer is what the device says.

https://developer.amazon.com/docs/alexa/custom-skills/host-a-custom-skill-as-a-web-service.html
"""

from __future__ import annotations

import base64
import html
import re
from datetime import UTC, datetime
from functools import lru_cache

import msgspec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import Certificate, load_pem_x509_certificates

from bench.locust.platforms.delivery import Call, Delivery, json_answer

__all__ = ["CHAIN_PATH", "Alexa", "certificates", "signing_key"]

#: Where the chain is, at Amazon's address and at the stand-in's.
CHAIN_PATH = "/echo.api/echo-api-cert-load.pem"
_TAG = re.compile(r"<[^>]*>")


class _Speech(msgspec.Struct):
    ssml: str = ""
    text: str = ""


class _Response(msgspec.Struct, rename="camel"):
    output_speech: _Speech = msgspec.field(default_factory=_Speech)


class _Answer(msgspec.Struct):
    response: _Response = msgspec.field(default_factory=_Response)


class Alexa(msgspec.Struct, frozen=True, kw_only=True):
    """A skill, as Alexa knows it."""

    account: str
    skill_id: str
    #: PEM: what signs, and the certificates from its own up to the root that the gateway trusts.
    key: str
    chain: str
    stand_in: str = ""

    def message(self, person: int, number: int, text: str, at_s: float) -> Delivery:
        """Return what *person* says to the skill."""
        application = {"applicationId": self.skill_id}
        user = {"userId": f"amzn1.ask.account.{person}"}
        slot = {"name": "text", "value": text, "confirmationStatus": "NONE"}
        body = {
            "version": "1.0",
            "session": {
                "new": False, "sessionId": f"amzn1.echo-api.session.{person}", "application": application, "user": user,
            },
            "context": {
                "System": {
                    "application": application, "user": user, "apiEndpoint": self.stand_in, "apiAccessToken": "load",
                    "device": {"deviceId": f"amzn1.ask.device.{person}", "supportedInterfaces": {}},
                }
            },
            "request": {
                "type": "IntentRequest", "requestId": f"amzn1.echo-api.request.{number}", "locale": "en-US",
                "timestamp": datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "intent": {"name": "SayIntent", "confirmationStatus": "NONE", "slots": {"text": slot}},
            },
        }  # fmt: skip
        encoded = msgspec.json.encode(body)
        signature = signing_key(self.key).sign(encoded, PKCS1v15(), SHA256())
        headers = {
            "Content-Type": "application/json",
            "SignatureCertChainUrl": f"https://s3.amazonaws.com{CHAIN_PATH}",
            "Signature-256": base64.b64encode(signature).decode(),
        }
        return Delivery(str(person), f"/hooks/alexa/{self.account}", headers, encoded)

    def answered(self, body: bytes) -> str:
        """Return what is said."""
        speech = msgspec.json.decode(body, type=_Answer).response.output_speech
        return html.unescape(_TAG.sub(" ", speech.ssml)).strip() or speech.text

    def called(self, method: str, path: str, head: bytes, body: bytes) -> Call | None:
        """Return the chain, or what Alexa says to "one moment, please"; None: the call is not for it."""
        if method == "GET" and path == CHAIN_PATH:
            pem = self.chain.encode()
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-pem-file\r\nContent-Length: %d\r\n\r\n" % len(pem)
            return Call(head + pem)
        return Call(json_answer(None, 204)) if path == "/v1/directives" else None


@lru_cache(maxsize=4)
def signing_key(pem: str) -> RSAPrivateKey:
    """Return the key that requests are signed with; :exc:`ValueError`: there is none, or not of Alexa's kind."""
    try:
        key = load_pem_private_key(pem.encode(), None)
    except TypeError:
        # What cryptography raises where a password is wanted.
        raise ValueError("the key has a password") from None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("Alexa's key is RSA")
    return key


def certificates(pem: str) -> list[Certificate]:
    """Return the certificates of a chain; :exc:`ValueError`: there are none."""
    return load_pem_x509_certificates(pem.encode())
