"""One conversation in a real ledger: messages accepted and turns settled through the ledger's own functions.

It acts as a gateway process of its own, so what it writes is, for the code under test, the work of another process.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from gateway.domain.message import Inbound, Message, Sender
from gateway.domain.reply import Part, Reply, Text
from gateway.domain.turn import Settlement
from gateway.settings.lanes import LaneSettings
from gateway.settings.store import StoreSettings
from gateway.store.ledger import process
from gateway.store.ledger.arrange import Arrival
from gateway.store.ledger.heads import heads
from gateway.store.ledger.ledger import Ledger
from gateway.store.ledger.settle import Settling
from gateway.store.postgres import Database

__all__ = ["Conversation"]

_ids = itertools.count(1)


class Conversation:
    """Speaks for a visitor and for the assistant.  ``on_accepted`` and ``on_settled`` are told after each commit."""

    def __init__(
        self,
        database: Database,
        key: str,
        *,
        account: str = "bartender",
        on_accepted: Callable[[int, int], None] = lambda _id, _seq: None,
        on_settled: Callable[[int, int], None] = lambda _id, _seq: None,
    ) -> None:
        self.key = key
        self.account = account
        self.id = 0
        self._database = database
        self._on_accepted = on_accepted
        self._on_settled = on_settled
        me = database.run(lambda cursor: process.register(cursor, "gateway", "test"))
        self._process = me
        self._ledger = Ledger(database, StoreSettings(), LaneSettings(), lambda: me)

    def say(self, text: str, **message: Any) -> int:
        """Have the visitor say something; return its sequence number."""
        arrival = Arrival(
            "webchat",
            self.account,
            Inbound(
                conversation_key=self.key,
                dedupe_keys=(f"{self.key}/{next(_ids)}",),
                sender=Sender(key=self.key.partition(":")[0]),
                message=Message(**{"kind": "text", "text": text, **message}),
                surface="message",
                address={},
            ),
            trace_id="0" * 32,
        )
        accepted = self._ledger.accept([arrival])[0]
        self.id = accepted.conversation_id
        self._on_accepted(self.id, accepted.seq)
        return accepted.seq

    def answer(self, *parts: Part | str, state: str = "answered") -> int:
        """Settle the turn that is next; return its sequence number."""
        shown = tuple(Text(part) if isinstance(part, str) else part for part in parts)
        found = self._database.run(lambda cursor: heads(cursor, self._process, [self.id]))[0]
        assert found is not None, "no message waits for an answer"
        lane, turn = found
        reason = "" if state == "answered" else "crashed"
        settlement = Settlement(turn=turn, state=state, reply=Reply(shown), reason=reason)  # type: ignore[arg-type]
        settled = self._ledger.settle(Settling(lane, settlement, keep=True))
        assert not settled.lost
        self._on_settled(self.id, turn.seq)
        return turn.seq

    def exchange(self, count: int) -> None:
        """Have *count* messages said and answered."""
        for number in range(1, count + 1):
            self.say(f"question {number}")
            self.answer(f"answer {number}")
