"""Requests as Alexa makes them, signed under the tests' own authority."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

from gateway.channels.alexa import AlexaChannel
from gateway.channels.base import Proofs
from gateway.domain.http import Request
from gateway.settings.accounts import AlexaAccount
from gateway.settings.secret import Secret
from tests.channels.alexa.authority import NOW, SIGNER, Certificate, Issuer, pem, signature

__all__ = [
    "ACCOUNT", "ALEXA", "CHAIN", "LEAF", "MIDDLE", "NOW_S", "ROOT", "ROOT_CERTIFICATE", "SKILL", "URL", "account",
    "asking", "intent", "launch", "proofs", "request", "signed", "stamp",
]  # fmt: skip

ALEXA = AlexaChannel()
NOW_S = NOW.timestamp()
SKILL = "amzn1.ask.skill.1f2e3d"
URL = "https://s3.amazonaws.com/echo.api/echo-api-cert-12.pem"
ROOT, MIDDLE, LEAF = Issuer("Root"), Issuer("Middle"), Issuer("Leaf")
ROOT_CERTIFICATE = Certificate(ROOT, ROOT)
CHAIN = pem(
    Certificate(LEAF, MIDDLE, ca=False, names=[SIGNER]),
    Certificate(MIDDLE, ROOT),
)


def account(root: Certificate = ROOT_CERTIFICATE, **how: Any) -> AlexaAccount:
    """Return an account that trusts *root*."""
    settings = {"skill_ids": (SKILL,), "trust_root": Secret(root.pem.decode()), **how}
    return AlexaAccount(channel="alexa", name="bartender", assistant="bartender", **settings)


ACCOUNT = account()


def stamp(at_s: float = NOW_S) -> str:
    """Return a time as Alexa writes it."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def request(asked: dict[str, Any], *, at_s: float = NOW_S, skill: str = SKILL, **session: Any) -> dict[str, Any]:
    """Return a whole request."""
    user = {"userId": "amzn1.ask.account.USER"}
    application = {"applicationId": skill}
    return {
        "version": "1.0",
        "session": {
            "new": True,
            "sessionId": "amzn1.echo-api.session.S1",
            "application": application,
            "user": user,
            **session,
        },
        "context": {
            "System": {
                "application": application,
                "user": user,
                "device": {"deviceId": "amzn1.ask.device.KITCHEN", "supportedInterfaces": {}},
                "apiEndpoint": "https://api.amazonalexa.com",
                "apiAccessToken": "a-token-of-an-hour",
            }
        },
        "request": {
            "requestId": "amzn1.echo-api.request.R1",
            "timestamp": stamp(at_s),
            "locale": "en-US",
            **asked,
        },
    }


def launch(**more: Any) -> dict[str, Any]:
    return request({"type": "LaunchRequest"}, **more)


def intent(name: str, slots: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    asked = {"name": name, "confirmationStatus": "NONE", "slots": slots or {}}
    return request({"type": "IntentRequest", "intent": asked}, **more)


def asking(text: str, **more: Any) -> dict[str, Any]:
    return intent("CatchAllIntent", {"text": {"name": "text", "value": text}}, **more)


def signed(
    body: dict[str, Any] | bytes, *, by: Issuer = LEAF, url: str = URL, **headers: str
) -> Request:
    """Return the request as it arrives; *headers* go over its own."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    proof = {
        "content-type": "application/json",
        "signaturecertchainurl": url,
        "signature-256": base64.b64encode(signature(by, raw)).decode(),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return Request("POST", "/hooks/alexa/bartender", "", proof, raw)


def proofs(
    delivery: Request, of: AlexaAccount = ACCOUNT, chain: bytes = CHAIN, now_s: float = NOW_S
) -> Proofs:
    """Return what the spine would have fetched and had read: raises as reading it does."""
    urls = ALEXA.proof_urls(delivery, of)
    return {url: ALEXA.read_proof(url, chain, of, now_s).value for url in urls}
