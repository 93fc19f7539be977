"""What a channel is: pure functions, one that sends, and a capability table a surface.

``verify``, ``parse``, ``render`` and ``scopes`` are pure: bytes, time and secrets are arguments, and the same input
gives the same answer anywhere.  ``send`` performs one call through the client that it is handed.  A channel
never decides: whether a reply leaves in the response or later is the pipeline's business, told by
:class:`Capabilities`.

What only a few platforms need has its answer for all others in :class:`Ordinary`, from which a channel inherits it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

import msgspec

from gateway.domain.capabilities import Capabilities
from gateway.domain.deadline import Deadline
from gateway.domain.errors import TryLater
from gateway.domain.http import Request, Response
from gateway.domain.message import Address, Inbound, Surface
from gateway.domain.outcome import Outcome
from gateway.domain.quota import Scope
from gateway.domain.reply import Reply
from gateway.settings.accounts import Account

__all__ = [
    "NO_PROOFS",
    "Channel",
    "Immediate",
    "Messages",
    "Ordinary",
    "Parsed",
    "PlatformAnswer",
    "PlatformClient",
    "Proof",
    "Proofs",
    "Receipt",
    "Rendered",
    "SignOfLife",
]

A_contra = TypeVar("A_contra", bound=Account, contravariant=True)


class Immediate(msgspec.Struct, frozen=True):
    """The delivery carries no message for us and is answered on the spot: a handshake, a probe."""

    response: Response
    #: Why what it says is not taken in, as a short stable word; empty: there was nothing to be taken in.
    refused: str = ""


class Messages(msgspec.Struct, frozen=True):
    """The delivery's messages, in order.  None: understood, and nothing for us (our own echo, an edit).

    ``acknowledgement`` takes the place of ``accepted``, where a platform does something with what the 2xx says.  It may
    be given twice, and must do no harm then.
    """

    inbound: tuple[Inbound, ...]
    acknowledgement: Response | None = None
    #: Name of the account that they are for, where one address serves several; empty: the account of the address.
    account: str = ""


Parsed = Immediate | Messages


class Rendered(msgspec.Struct, frozen=True):
    """A reply in the platform's own form.

    ``payloads``: one value a message to be sent, in order, in the words that ``respond`` and ``send``
    understand; plain JSON, because it is kept in the outbox.  ``degraded``: one line for each thing that
    could not be shown as meant.  ``cut``: words of it had no room, and are nowhere.
    """

    payloads: tuple[dict[str, Any], ...]
    degraded: tuple[str, ...] = ()
    cut: bool = False


class Proof(msgspec.Struct, frozen=True):
    """A document of the platform's that proves deliveries, read and found good.  ``value`` is its channel's own.

    It is good between two Unix times; outside of them its document is judged anew.
    """

    value: Any
    good_from_s: float
    good_until_s: float


#: What ``verify`` is given of the documents that it asked for, by their addresses: :attr:`Proof.value`.
Proofs = Mapping[str, Any]
NO_PROOFS: Proofs = MappingProxyType({})


class SignOfLife(msgspec.Struct, frozen=True):
    """One POST that shows a user that the message is being worked on: typing, or "one moment"."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    #: Given where *url* came out of a payload, as for :meth:`PlatformClient.post`.
    allowed_hosts: tuple[str, ...] | None = None


class Receipt(msgspec.Struct, frozen=True):
    """What intake did with one message: for channels that tell their caller."""

    turn_id: int
    seq: int
    duplicate: bool


class PlatformAnswer(msgspec.Struct, frozen=True):
    """A platform's HTTP answer to a send."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class PlatformClient(Protocol):
    """The HTTP client that ``send`` is handed: bounded, with a breaker, never retrying by itself."""

    def post(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        deadline: Deadline,
        allowed_hosts: Sequence[str] | None = None,
    ) -> PlatformAnswer:
        """POST *body* to *url*.

        *allowed_hosts* are given when *url* came out of a payload, where others choose it: it must be https at one of
        them (``host``, ``host:port``, ``*.suffix``), and not lead into a private network; else the failure's reason
        is ``address_not_allowed``.

        :raises gateway.domain.errors.CallFailed: no answer; its ``sent`` says whether anything was written.
        :raises gateway.domain.errors.TryLater: refused before anything was written (breaker open, pool full).
        """
        ...


class Channel(Protocol[A_contra]):
    """A platform as an adapter.  Implementations hold no state."""

    @property
    def name(self) -> str:
        """The word in ``/hooks/<channel>/<account>``."""
        ...

    @property
    def surfaces(self) -> Mapping[Surface, Capabilities]:
        """What can be shown and how it is answered, for every surface that ``parse`` may name."""
        ...

    def proof_urls(self, request: Request, account: A_contra) -> tuple[str, ...]:
        """Return the addresses of what must be fetched before ``verify`` can judge: checked, and safe to be called.

        The request is anybody's still.  One that cannot be authentic asks for nothing: ``verify`` refuses it.
        """
        ...

    def read_proof(self, url: str, document: bytes, account: A_contra, now_s: float) -> Proof:
        """Return what was fetched from *url*, if it is good; without a byte it is not there.

        :raises gateway.domain.errors.Unauthentic: it proves nothing.
        """
        ...

    def verify(
        self, request: Request, account: A_contra, now_s: float, proofs: Proofs = NO_PROOFS
    ) -> None:
        """Return if the platform sent exactly these bytes now; *now_s* is Unix time in seconds.

        :raises gateway.domain.errors.Unauthentic: it did not, or nothing is configured to prove it.
        """
        ...

    def parse(self, request: Request, account: A_contra, now_s: float) -> Parsed:
        """Return what the delivery says.  Texts are cleaned (:mod:`gateway.domain.text`).

        :raises gateway.domain.errors.NotUnderstood: authentic, but not a payload of this platform.
        :raises gateway.domain.errors.BadRequest: the same from a caller that reads our answer, our own page.
        """
        ...

    def render(self, reply: Reply, surface: Surface, address: Address, account: A_contra) -> Rendered:
        """Return *reply* in the platform's own form, degraded to the best equivalent where it must be."""
        ...

    def unasked(self, surface: Surface, address: Address) -> tuple[Surface, Address] | None:
        """Return where a message goes that answers nothing, in a conversation whose last turn came from *address*.

        None: this surface has no way for one.
        """
        ...

    def sign_of_life(self, inbound: Inbound, account: A_contra) -> SignOfLife | None:
        """Return what shows the user that *inbound* is being worked on; None: nothing can.

        Asked on surfaces with ``alive_after_s`` or ``alive_every_s``; of a turn that runs, *inbound* is what the ledger
        has of it.  Best effort: nobody waits for it.
        """
        ...

    def accepted(self, receipts: Sequence[Receipt]) -> Response:
        """Return the 2xx that accepts a delivery whose reply comes later."""
        ...

    def respond(self, payload: dict[str, Any]) -> Response:
        """Return a rendered message as the HTTP response of its delivery, on surfaces that answer there."""
        ...

    def late(self, surface: Surface, account: A_contra) -> Response:
        """Return the HTTP response for a delivery whose answer was not ready by ``answer_by``."""
        ...

    def refuse(self, surface: Surface | None, account: A_contra, error: TryLater) -> Response:
        """Return the refusal of a message that was not accepted: 503 with Retry-After, or a polite reply.

        *surface* is None when the refusal came before the body was read.
        """
        ...

    def scopes(self, payload: dict[str, Any], account: A_contra) -> Sequence[Scope]:
        """Return what the platform counts a message under that is sent; none: it takes as many as there are."""
        ...

    def send(
        self,
        client: PlatformClient,
        account: A_contra,
        payload: dict[str, Any],
        *,
        idempotency_key: str,
        deadline: Deadline,
        now_s: float,
    ) -> Outcome:
        """Deliver one rendered message through the platform's API and say honestly what became of it."""
        ...


class Ordinary:
    """What holds for most platforms: a delivery carries its own proof, and there is no sign of life."""

    def proof_urls(self, request: Request, account: Any) -> tuple[str, ...]:
        return ()

    def read_proof(self, url: str, document: bytes, account: Any, now_s: float) -> Proof:
        raise AssertionError("this channel asks for no document")

    def sign_of_life(self, inbound: Inbound, account: Any) -> SignOfLife | None:
        return None
