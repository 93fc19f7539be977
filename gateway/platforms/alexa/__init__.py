"""Alexa's own side: somebody speaks to a device, and hears what it says.

Amazon signs with a certificate of its own.  Here it is one that ``switchboard up`` has made for its home, with a root
that nobody else trusts; the gateway fetches it from the stand-in (``chain_origin``), at the path of Amazon's address.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from gateway.platforms.alexa.device import heard, plain_speech, unheard
from gateway.platforms.alexa.requests import SESSION_ENDED, device_id, place_of, request_of, user_id
from gateway.platforms.alexa.signer import CHAIN_PATH, Signer
from gateway.platforms.base import (
    Act,
    Answer,
    Call,
    Delivery,
    Inbox,
    Offers,
    Scene,
    Seen,
    Served,
    Shows,
    Signed,
    Unprovable,
    json_answer,
)
from gateway.settings.accounts import AlexaAccount

__all__ = ["AlexaPlatform"]

_DIRECTIVES = "/v1/directives"


class _Header(msgspec.Struct, rename="camel"):
    request_id: str


class _Speak(msgspec.Struct):
    type: str
    speech: str


class _Directive(msgspec.Struct):
    header: _Header
    directive: _Speak


_DIRECTIVE = msgspec.json.Decoder(_Directive)


class AlexaPlatform:
    """:class:`gateway.platforms.base.Platform`."""

    name = "alexa"
    # What a card offers is said, and nothing of it can be tapped.
    shows: frozenset[Shows] = frozenset({"pictures"})
    # Its answers are in the response; what is said meanwhile is no message.
    offers: frozenset[Offers] = frozenset()
    inbox: Inbox = "stand_in"

    def __init__(self, home: Path) -> None:
        self._signer = Signer(home)

    def api_base_url(self, account: AlexaAccount) -> str:
        return account.chain_origin

    def place(self, account: AlexaAccount, scene: Scene) -> str:
        return f"{user_id(scene)}:{device_id(scene)}"

    def deliver(self, account: AlexaAccount, scene: Scene, act: Act) -> Delivery:
        if not account.skill_ids:
            raise Unprovable(f"accounts.alexa.{account.name}.skill_ids is empty")
        body = request_of(account, scene, act, place=self.place(account, scene))
        return Delivery(msgspec.json.encode(body), f"/hooks/alexa/{account.name}")

    def twin(self, account: AlexaAccount, scene: Scene, act: Act) -> Delivery | None:
        return None

    def signed(self, account: AlexaAccount, delivery: Delivery, *, at_s: float, repeat: int = 0) -> Signed:
        headers = {"Content-Type": delivery.content_type, **self._signer.headers(account, delivery.body)}
        return Signed(delivery.path, headers, delivery.body)

    def answered(self, account: AlexaAccount, delivery: Delivery, answer: Answer) -> tuple[Seen, ...]:
        if msgspec.json.decode(delivery.body)["request"]["type"] == SESSION_ENDED:
            return unheard(answer)
        return heard(answer)

    def served(self, account: AlexaAccount, call: Call) -> Served:
        if call.method == "GET" and call.path == CHAIN_PATH:
            return Served(Answer(200, self._signer.chain(), {"content-type": "application/x-pem-file"}))
        if call.method == "POST" and call.path == _DIRECTIVES:
            return _directive(account, call)
        return Served(json_answer({"message": "Not Found"}, 404))

    def refusal(self, status: Literal[429, 500], retry_after_s: int) -> Answer:
        words = "Too Many Requests" if status == 429 else "Internal Server Error"
        return json_answer({"message": words}, status, {"retry-after": str(retry_after_s)})


def _directive(account: AlexaAccount, call: Call) -> Served:
    """Return what becomes of a progressive response: said at once, if its token is one of ours."""
    place = place_of(account, call.headers.get("authorization", ""))
    if place is None:
        return Served(json_answer({"message": "Unauthorized"}, 401))
    try:
        asked = _DIRECTIVE.decode(call.body)
    except msgspec.DecodeError:
        return Served(json_answer({"message": "Bad Request"}, 400))
    words = plain_speech(asked.directive.speech)
    if asked.directive.type != "VoicePlayer.Speak" or words is None or not asked.header.request_id:
        return Served(json_answer({"message": "Bad Request"}, 400))
    return Served(Answer(204), place, (Seen(words, kind="progress", notes=("spoken meanwhile",)),))


