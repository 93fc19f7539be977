"""A turn: one message and what became of it.

``accepted -> running -> answered | failed``.  At rest the ledger knows three of them; *running* is what an accepted
turn is called while it is the head of a lane that a live process owns.  That is why a crash needs no clean-up of turn
states: the lane's owner dies, and the turn is simply accepted again.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from gateway.domain.message import Address, Message, Sender, Surface
from gateway.domain.reply import Reply

__all__ = ["LaneKey", "OutboxDraft", "Settlement", "Turn", "TurnState"]

TurnState = Literal["accepted", "answered", "failed"]


class LaneKey(msgspec.Struct, frozen=True):
    """The right to write to a conversation: void as soon as the ledger holds a higher fence."""

    conversation_id: int
    fence: int
    #: The owner's epoch when it was granted.  A process that was declared dead in between owns nothing of before.
    epoch: int


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """What a lane needs to run one turn.  ``state`` and ``memory`` are as they stood before it."""

    turn_id: int
    conversation_id: int
    seq: int
    channel: str
    account: str
    conversation_key: str
    surface: Surface
    address: Address
    sender: Sender
    user_id: int
    message: Message
    state: dict[str, Any] | None
    memory: dict[str, Any] | None
    #: The process that took the message in: its caller may be waiting there.
    accepted_by: int
    #: How often a process died while it ran this turn.
    deaths: int
    #: Seconds since its message was committed, on the database's clock, when the turn was read.
    age_s: float
    #: W3C trace id that every log line, call and ledger row of the turn carries.
    trace_id: str
    #: False: another version of this code wrote it in a form that this one cannot read.  Its message is empty then.
    readable: bool = True


class OutboxDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A message to be sent, ready in the platform's own form.

    ``response``: it is meant to leave in the HTTP response of its own delivery, and is pushed only if that did not
    happen by *due_s* seconds from now.  ``push``: it is sent through the platform's API.
    """

    kind: Literal["response", "push"]
    payload: dict[str, Any]
    due_s: float = 0.0
    #: It is being sent by this very process, a push only if none of the conversation's is left to others: nobody else
    #: may send the row while the process lives.
    claimed: bool = False
    resend_unknown: bool = False
    #: Seconds for which it is told in a later response of the conversation if its own does not carry it; None: then it
    #: is pushed.
    kept_s: float | None = None


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a turn: all that one settle writes."""

    turn: Turn
    state: Literal["answered", "failed"]
    reply: Reply
    reason: str = ""
    detail: str = ""
    degraded: tuple[str, ...] = ()
    #: Seconds from its commit to this.
    took_s: float = 0.0
    outbox: tuple[OutboxDraft, ...] = ()
