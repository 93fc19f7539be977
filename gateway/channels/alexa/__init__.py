"""Alexa: custom skills over HTTPS in; speech and cards out.  See the README beside this file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.channels.alexa import answers, verify
from gateway.channels.alexa.chain import read_chain
from gateway.channels.alexa.parse import parse
from gateway.channels.alexa.progress import progress
from gateway.channels.alexa.render import render
from gateway.channels.alexa.surfaces import REQUEST, SURFACES
from gateway.channels.base import (
    NO_PROOFS,
    Parsed,
    PlatformClient,
    Proof,
    Proofs,
    Receipt,
    Rendered,
    SignOfLife,
)
from gateway.domain.capabilities import Capabilities
from gateway.domain.deadline import Deadline
from gateway.domain.errors import TryLater
from gateway.domain.http import Request, Response
from gateway.domain.message import Address, Inbound, Surface
from gateway.domain.outcome import NotSent, Outcome
from gateway.domain.quota import Scope
from gateway.domain.reply import Reply
from gateway.settings.accounts import AlexaAccount

__all__ = ["AlexaChannel"]


class AlexaChannel:
    """The Channel protocol, each method in the file of its name."""

    name = "alexa"

    @property
    def surfaces(self) -> Mapping[Surface, Capabilities]:
        return SURFACES

    def proof_urls(self, request: Request, account: AlexaAccount) -> tuple[str, ...]:
        return verify.proof_urls(request, account)

    def read_proof(self, url: str, document: bytes, account: AlexaAccount, now_s: float) -> Proof:
        return read_chain(document, account, now_s)

    def verify(
        self, request: Request, account: AlexaAccount, now_s: float, proofs: Proofs = NO_PROOFS
    ) -> None:
        verify.verify(request, account, now_s, proofs)

    def parse(self, request: Request, account: AlexaAccount, now_s: float) -> Parsed:
        return parse(request, account)

    def render(self, reply: Reply, surface: Surface, address: Address, account: AlexaAccount) -> Rendered:
        return render(reply, surface, account)

    def unasked(self, surface: Surface, address: Address) -> tuple[Surface, Address] | None:
        # It is kept for the user's next turn, whatever the last one was; and it ends no session.
        return REQUEST, address

    def sign_of_life(self, inbound: Inbound, account: AlexaAccount) -> SignOfLife | None:
        return progress(inbound, account)

    def accepted(self, receipts: Sequence[Receipt]) -> Response:
        return answers.EMPTY

    def respond(self, payload: dict[str, Any]) -> Response:
        return answers.respond(payload)

    def late(self, surface: Surface, account: AlexaAccount) -> Response:
        return answers.late(surface, account)

    def refuse(self, surface: Surface | None, account: AlexaAccount, error: TryLater) -> Response:
        return answers.refuse(surface, account, error)

    def scopes(self, payload: dict[str, Any], account: AlexaAccount) -> Sequence[Scope]:
        return ()

    def send(
        self,
        client: PlatformClient,
        account: AlexaAccount,
        payload: dict[str, Any],
        *,
        idempotency_key: str,
        deadline: Deadline,
        now_s: float,
    ) -> Outcome:
        return NotSent("no_push", "Alexa takes nothing that nobody asked for: it is told at the next turn")
