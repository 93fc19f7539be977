"""Telegram: a bot's updates in, calls of the Bot API out.  See the README beside this file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.channels.base import (
    NO_PROOFS,
    Ordinary,
    Parsed,
    PlatformClient,
    Proofs,
    Receipt,
    Rendered,
    SignOfLife,
)
from gateway.channels.telegram import answers, place
from gateway.channels.telegram.parse import parse
from gateway.channels.telegram.render import render
from gateway.channels.telegram.send import scopes, send
from gateway.channels.telegram.surfaces import SURFACES
from gateway.channels.telegram.verify import verify
from gateway.domain.capabilities import Capabilities
from gateway.domain.deadline import Deadline
from gateway.domain.errors import TryLater
from gateway.domain.http import Request, Response, json_response
from gateway.domain.message import Address, Inbound, Surface
from gateway.domain.outcome import Outcome
from gateway.domain.quota import Scope
from gateway.domain.reply import Reply
from gateway.settings.accounts import TelegramAccount

__all__ = ["TelegramChannel"]


class TelegramChannel(Ordinary):
    """The Channel protocol, each method in the file of its name."""

    name = "telegram"

    @property
    def surfaces(self) -> Mapping[Surface, Capabilities]:
        return SURFACES

    def verify(
        self, request: Request, account: TelegramAccount, now_s: float, proofs: Proofs = NO_PROOFS
    ) -> None:
        verify(request, account)

    def parse(self, request: Request, account: TelegramAccount, now_s: float) -> Parsed:
        return parse(request, account)

    def render(self, reply: Reply, surface: Surface, address: Address, account: TelegramAccount) -> Rendered:
        return render(reply, surface, address)

    def unasked(self, surface: Surface, address: Address) -> tuple[Surface, Address] | None:
        return place.unasked(address)

    def sign_of_life(self, inbound: Inbound, account: TelegramAccount) -> SignOfLife | None:
        return answers.still_working(inbound.address, account)

    def accepted(self, receipts: Sequence[Receipt]) -> Response:
        return answers.EMPTY

    def respond(self, payload: dict[str, Any]) -> Response:
        # Never asked for: the surface does not answer in the response.
        return json_response({"method": payload["method"], **payload["body"]})

    def late(self, surface: Surface, account: TelegramAccount) -> Response:
        return answers.EMPTY

    def refuse(self, surface: Surface | None, account: TelegramAccount, error: TryLater) -> Response:
        return answers.refuse(error)

    def scopes(self, payload: dict[str, Any], account: TelegramAccount) -> Sequence[Scope]:
        return scopes(account, payload)

    def send(
        self,
        client: PlatformClient,
        account: TelegramAccount,
        payload: dict[str, Any],
        *,
        idempotency_key: str,
        deadline: Deadline,
        now_s: float,
    ) -> Outcome:
        return send(client, account, payload, deadline)
