"""Slack: Events API, slash commands and interactivity in; Block Kit out.  See the README beside this file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.channels.base import NO_PROOFS, Ordinary, Parsed, PlatformClient, Proofs, Receipt, Rendered
from gateway.channels.slack import answers, place
from gateway.channels.slack.parse import parse
from gateway.channels.slack.render import render
from gateway.channels.slack.send import scopes, send
from gateway.channels.slack.surfaces import SURFACES
from gateway.channels.slack.verify import verify
from gateway.domain.capabilities import Capabilities
from gateway.domain.deadline import Deadline
from gateway.domain.errors import TryLater
from gateway.domain.http import Request, Response
from gateway.domain.message import Address, Surface
from gateway.domain.outcome import Outcome
from gateway.domain.quota import Scope
from gateway.domain.reply import Reply
from gateway.settings.accounts import SlackAccount

__all__ = ["SlackChannel"]


class SlackChannel(Ordinary):
    """The Channel protocol, each method in the file of its name."""

    name = "slack"

    @property
    def surfaces(self) -> Mapping[Surface, Capabilities]:
        return SURFACES

    def verify(
        self, request: Request, account: SlackAccount, now_s: float, proofs: Proofs = NO_PROOFS
    ) -> None:
        verify(request, account, now_s)

    def parse(self, request: Request, account: SlackAccount, now_s: float) -> Parsed:
        return parse(request, account)

    def render(self, reply: Reply, surface: Surface, address: Address, account: SlackAccount) -> Rendered:
        return render(reply, surface, address)

    def unasked(self, surface: Surface, address: Address) -> tuple[Surface, Address] | None:
        return place.unasked(address)

    def accepted(self, receipts: Sequence[Receipt]) -> Response:
        return answers.EMPTY

    def respond(self, payload: dict[str, Any]) -> Response:
        return answers.respond(payload)

    def late(self, surface: Surface, account: SlackAccount) -> Response:
        return answers.EMPTY

    def refuse(self, surface: Surface | None, account: SlackAccount, error: TryLater) -> Response:
        return answers.refuse(surface, account, error)

    def scopes(self, payload: dict[str, Any], account: SlackAccount) -> Sequence[Scope]:
        return scopes(account, payload)

    def send(
        self,
        client: PlatformClient,
        account: SlackAccount,
        payload: dict[str, Any],
        *,
        idempotency_key: str,
        deadline: Deadline,
        now_s: float,
    ) -> Outcome:
        return send(client, account, payload, deadline)
