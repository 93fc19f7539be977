"""Amazon, both ways: requests that it signs, the chain of its certificate, and what is said meanwhile.

The stand-in's chain leads to a root of the tests' own, which the stack's accounts trust as a trial's would.
"""

from __future__ import annotations

import base64
import html
import itertools
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.embedded.trial_authority import ALEXA_CHAIN, ALEXA_KEY, ALEXA_ROOT, alexa_trial
from tests.support.calling import Answer, call
from tests.support.stand_in import Call, StandIn

__all__ = ["SKILL", "AlexaDelivery", "AlexaPlatform", "alexa_root", "speech"]

SKILL = "amzn1.ask.skill.tests"
CHAIN_PATH = "/echo.api/echo-api-cert-tests.pem"
_numbers = itertools.count(1)
_authority = cache(alexa_trial)
_TAG = re.compile(r"<[^>]*>")


def alexa_root() -> str:
    """Return the root that the stack's accounts trust."""
    return _authority()[ALEXA_ROOT]


@cache
def _key() -> RSAPrivateKey:
    key = load_pem_private_key(_authority()[ALEXA_KEY].encode(), None)
    assert isinstance(key, RSAPrivateKey)
    return key


class AlexaDelivery(msgspec.Struct, frozen=True):
    """A request, which Alexa may make again."""

    body: bytes
    account: str = "shop"

    def send(self, port: int, chain: str = CHAIN_PATH, **headers: str) -> Answer:
        """Make it to the gateway at *port*, signed; *headers* go over its own."""
        proof = {
            "Content-Type": "application/json",
            "SignatureCertChainUrl": f"https://s3.amazonaws.com{chain}",
            "Signature-256": base64.b64encode(_key().sign(self.body, PKCS1v15(), SHA256())).decode(),
            **headers,
        }
        return call(port, f"/hooks/alexa/{self.account}", body=self.body, headers=proof)


class AlexaPlatform(StandIn):
    """The chain's address, and where directives are taken."""

    def __init__(self) -> None:
        super().__init__(_answer)

    def says(self, text: str, *, user: str = "ada", account: str = "shop", **more: Any) -> AlexaDelivery:
        """Return what a person says in words of their own."""
        intent = {"name": "CatchAllIntent", "slots": {"text": {"name": "text", "value": text}}}
        return self.asks({"type": "IntentRequest", "intent": intent}, user=user, account=account, **more)

    def asks(
        self, asked: Mapping[str, Any], *, user: str = "ada", account: str = "shop", device: str = "kitchen"
    ) -> AlexaDelivery:
        """Return a request of any type."""
        application, who = {"applicationId": SKILL}, {"userId": f"amzn1.ask.account.{user}"}
        body = {
            "version": "1.0",
            "session": {"new": False, "sessionId": f"S.{user}", "application": application, "user": who},
            "context": {
                "System": {
                    "application": application,
                    "user": who,
                    "device": {"deviceId": f"amzn1.ask.device.{device}"},
                    "apiEndpoint": self.origin,
                    "apiAccessToken": "a-token-of-an-hour",
                }
            },
            "request": {
                "requestId": f"amzn1.echo-api.request.{time.time_ns()}.{next(_numbers)}",
                "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "locale": "en-US",
                **asked,
            },
        }
        return AlexaDelivery(msgspec.json.encode(body), account)

    def fetches(self) -> int:
        """Return how often a chain was fetched."""
        return sum(each.path.startswith("/echo.api/") for each in self.calls)


def speech(answer: Answer) -> str:
    """Return what Alexa says to *answer*, without its marks; sentences stand on lines of their own."""
    assert answer.status == 200, answer
    said = answer.json["response"].get("outputSpeech", {}).get("ssml", "")
    lines = html.unescape(_TAG.sub("", said.replace("</p>", "\n").replace("</s>", "\n"))).splitlines()
    return "\n".join(line for line in lines if line.strip())


def _answer(call: Call) -> None:
    if call.path == CHAIN_PATH:
        call.answer(_authority()[ALEXA_CHAIN].encode(), media="application/x-pem-file")
    elif call.path == "/v1/directives":
        call.answer(b"", status="204 No Content")
    else:
        call.answer(b"no such key", status="403 Forbidden", media="text/plain")
