"""Lanes on a bench: a ledger of one conversation, an owner and an assistant in the hands of the test."""

from __future__ import annotations

from typing import Any

import gevent
import msgspec
from gevent.event import Event

from gateway.domain.errors import SwitchboardError, TooLate
from gateway.domain.message import Message, Sender
from gateway.domain.reply import Reply
from gateway.domain.turn import LaneKey, Settlement, Turn
from gateway.lanes.lane import Lanes
from gateway.settings.lanes import LaneSettings
from gateway.store.ledger.settle import Settled, Settling

__all__ = ["ACCOUNT", "Bench", "turn"]

ACCOUNT = ("slack", "bot")
EPOCH = 1


def turn(seq: int, conversation_id: int = 1) -> Turn:
    return Turn(
        turn_id=100 * conversation_id + seq,
        conversation_id=conversation_id,
        seq=seq,
        channel=ACCOUNT[0],
        account=ACCOUNT[1],
        conversation_key=f"lane {conversation_id}",
        surface="event",
        address={},
        sender=Sender("user"),
        user_id=1,
        message=Message("text", text=f"message {seq}"),
        state=None,
        memory=None,
        accepted_by=1,
        deaths=0,
        age_s=0.0,
        trace_id="0" * 32,
    )


class Bench:
    """``waiting``: turns in the ledger, by conversation.  ``trouble``: errors with which it answers, one a call."""

    def __init__(self, **settings: Any) -> None:
        self.waiting: dict[int, list[Turn]] = {}
        self.fence = 1
        self.freed: list[int] = []
        self.settlings: list[Settling] = []
        self.trouble: list[Exception] = []
        self.told: list[tuple[Settlement, Settled]] = []
        self.ran: list[str] = []
        self.running = 0
        self.most_running = 0
        self.gates: dict[int, Event] = {}
        self.epoch = EPOCH
        self.gateways = 1
        self.held = Event()
        self.held.set()
        self.crash_on: set[int] = set()
        self.crash: BaseException = ZeroDivisionError()
        self.deaf = False
        #: Closed: the ledger does what a settle asks for, and its answer is under way.
        self.answers = Event()
        self.answers.set()
        self.lanes = Lanes(
            self,
            self,
            LaneSettings(**settings),
            run=self._run,
            settled=self._told,
            unstorable=self._unstorable,
            tenants={ACCOUNT: "acme"},
        )

    def key(self, conversation_id: int = 1, fence: int | None = None) -> LaneKey:
        return LaneKey(conversation_id, self.fence if fence is None else fence, EPOCH)

    def add(self, *seqs: int, conversation_id: int = 1) -> None:
        """Have these turns accepted, here or elsewhere."""
        self.waiting.setdefault(conversation_id, []).extend(turn(seq, conversation_id) for seq in seqs)

    def hold(self, seq: int) -> Event:
        """Have the assistant hold this turn up until the event is set."""
        gate = self.gates[seq] = Event()
        return gate

    def grant(self, conversation_id: int = 1, *, head: bool = True, fence: int | None = None) -> None:
        first = self.waiting[conversation_id][0] if head else None
        self.lanes.grant(self.key(conversation_id, fence), ACCOUNT, first)

    # The ledger

    def head(self, lane: LaneKey) -> tuple[LaneKey, Turn] | None:
        self._answer()
        waiting = self.waiting.get(lane.conversation_id)
        return (self.key(lane.conversation_id), waiting[0]) if waiting else None

    def settle(self, settling: Settling) -> Settled:
        settled = self._settle(settling)
        self.answers.wait()
        return settled

    def _settle(self, settling: Settling) -> Settled:
        self.settlings.append(settling)
        self._answer()
        if settling.lane.fence != self.fence:
            return Settled(lost=True)
        waiting = self.waiting[settling.lane.conversation_id]
        assert waiting[0].turn_id == settling.settlement.turn.turn_id
        waiting.pop(0)
        if not waiting:
            return Settled(lost=False)
        if settling.hand_over:
            self.fence += 1
            return Settled(lost=False, heir=2)
        if not settling.keep:
            self.freed.append(settling.lane.conversation_id)
            return Settled(lost=False)
        return Settled(lost=False, next_turn=waiting[0])

    def _answer(self) -> None:
        gevent.sleep(0)
        if self.trouble:
            raise self.trouble.pop(0)

    # The owner

    def wait_until_held(self, timeout_s: float) -> None:
        if not self.held.wait(timeout_s):
            raise TooLate("the lease ran out", reason="lease_lost")

    # The pipeline

    def _run(self, lane: LaneKey, turn: Turn) -> Settlement:
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            self.ran.append(turn.message.text)
            gate = self.gates.get(turn.seq)
            if gate is not None:
                gate.wait()
            else:
                gevent.sleep(0)
            if turn.seq in self.crash_on:
                raise self.crash
        finally:
            self.running -= 1
        return Settlement(turn=turn, state="answered", reply=Reply())

    def _told(self, settlement: Settlement, settled: Settled) -> None:
        if self.deaf:
            raise ZeroDivisionError
        self.told.append((settlement, settled))

    def _unstorable(self, turn: Turn, error: SwitchboardError) -> Settlement:
        return msgspec.structs.replace(
            Settlement(turn=turn, state="failed", reply=Reply()), reason=error.reason, detail="an apology"
        )
