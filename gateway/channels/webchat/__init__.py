"""Web chat: our own page as a platform.  See the README beside this file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.channels.base import NO_PROOFS, Ordinary, Parsed, PlatformClient, Proofs, Receipt, Rendered
from gateway.channels.webchat.parse import parse
from gateway.channels.webchat.render import render
from gateway.channels.webchat.surfaces import MESSAGE, SURFACES
from gateway.channels.webchat.verify import verify
from gateway.domain.capabilities import Capabilities
from gateway.domain.deadline import Deadline
from gateway.domain.errors import Overloaded, TryLater
from gateway.domain.http import Request, Response, json_response
from gateway.domain.message import Address, Surface
from gateway.domain.outcome import NotSent, Outcome
from gateway.domain.quota import Scope
from gateway.domain.reply import Reply
from gateway.settings.accounts import WebchatAccount

__all__ = ["WebchatChannel"]


class WebchatChannel(Ordinary):
    """The Channel protocol for a page that reads its late answers from a stream of its own."""

    name = "webchat"

    @property
    def surfaces(self) -> Mapping[Surface, Capabilities]:
        return SURFACES

    def verify(
        self, request: Request, account: WebchatAccount, now_s: float, proofs: Proofs = NO_PROOFS
    ) -> None:
        verify(request, account, now_s)

    def parse(self, request: Request, account: WebchatAccount, now_s: float) -> Parsed:
        return parse(request, account, now_s)

    def render(self, reply: Reply, surface: Surface, address: Address, account: WebchatAccount) -> Rendered:
        return render(reply, surface, address)

    def unasked(self, surface: Surface, address: Address) -> tuple[Surface, Address] | None:
        # No message of the page's own is answered.  The rest is kept: by it the next such message finds its way in the
        # last turn, however many of them follow one another.
        return MESSAGE, {name: value for name, value in address.items() if name != "id"}

    def accepted(self, receipts: Sequence[Receipt]) -> Response:
        if not receipts:
            # Kept as a dead letter: authentic, and a mistake of ours.
            return json_response({}, 202)
        # The ids are 64 bits wide, and JavaScript's numbers are not: they travel as text.
        receipt = receipts[0]
        return json_response(
            {"turn_id": str(receipt.turn_id), "seq": receipt.seq, "duplicate": receipt.duplicate}, 202
        )

    def respond(self, payload: dict[str, Any]) -> Response:
        return json_response(payload)

    def late(self, surface: Surface, account: WebchatAccount) -> Response:
        return json_response({"pending": True}, 202)

    def refuse(self, surface: Surface | None, account: WebchatAccount, error: TryLater) -> Response:
        retry_after_s = max(1, math.ceil(error.retry_after_s))
        words = account.busy if isinstance(error, Overloaded) else account.apology
        body = {"error": error.reason, "message": words, "retry_after_s": retry_after_s}
        return json_response(body, error.status, (("Retry-After", str(retry_after_s)),))

    def scopes(self, payload: dict[str, Any], account: WebchatAccount) -> Sequence[Scope]:
        return ()

    def send(
        self,
        client: PlatformClient,
        account: WebchatAccount,
        payload: dict[str, Any],
        *,
        idempotency_key: str,
        deadline: Deadline,
        now_s: float,
    ) -> Outcome:
        return NotSent("no_push", "a web page is not called: it reads its answers from the ledger")
