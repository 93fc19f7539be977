"""A turn, and what it is asked with, as the tests of this folder use them."""

from __future__ import annotations

import time

import msgspec

from gateway.domain.capabilities import Capabilities
from gateway.domain.deadline import Deadline
from gateway.domain.message import Message, Sender
from gateway.domain.reply import Text
from gateway.domain.turn import LaneKey, Turn
from gateway.store.ledger.transcripts import Exchange, Past

__all__ = ["CAPABILITIES", "KEYS", "LANE_KEY", "NOTHING_SAID", "TURN", "Said", "deadline", "saying"]

#: ``whsec_`` texts of 32 bytes each: a newer and an older live secret.
KEYS = (
    "whsec_bmV3ZXIgc2VjcmV0OiAzMiBieXRlcyBvZiBhIHRlc3Q=",
    "whsec_b2xkZXIgc2VjcmV0OiAzMiBieXRlcyBvZiBhIHRlc3Q=",
)

LANE_KEY = LaneKey(conversation_id=45, fence=7, epoch=1)

TURN = Turn(
    turn_id=123,
    conversation_id=45,
    seq=12,
    channel="slack",
    account="bartender",
    conversation_key="T1:C1:1.0",
    surface="event",
    address={"channel": "C1"},
    sender=Sender(key="U1", name="Ann", locale="en-GB"),
    user_id=9,
    message=Message(kind="text", text="something with gin"),
    state={"last": ["negroni"]},
    memory=None,
    deaths=0,
    age_s=0.1,
    trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
    accepted_by=1,
)

CAPABILITIES = Capabilities(
    shows=frozenset({"text", "card", "buttons"}),
    answers_in_response=False,
    answer_by_s=3.0,
    turn_deadline_s=60.0,
    late="push",
    redelivery="redelivers",
    text_chars_max=4000,
    buttons_max=5,
    markdown=True,
    streams=True,
)


class Said:
    """A transcript in memory: pairs of what the user said and what was answered, newest last."""

    def __init__(self, *pairs: tuple[str, str]) -> None:
        self.asked: list[Past] = []
        self._pairs = pairs

    def before(self, past: Past) -> list[Exchange]:
        """Return what was said; which turns the ledger would choose is the ledger's business."""
        self.asked.append(past)
        return [
            Exchange(seq, Message(kind="text", text=user), (Text(answer, markdown=True),))
            for seq, (user, answer) in enumerate(self._pairs, 1)
        ]


NOTHING_SAID = Said()


def saying(text: str) -> Turn:
    """Return the turn of a user who said *text*."""
    return msgspec.structs.replace(TURN, message=Message(kind="text", text=text))


def deadline(budget_s: float = 10.0) -> Deadline:
    """Return a deadline on the clock that the assistants read."""
    return Deadline.after(budget_s, now=time.monotonic())
