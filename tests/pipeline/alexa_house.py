"""A door that takes Alexa's requests, with all that is behind it in a test's hands."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Literal

import gevent

from gateway.channels.alexa import AlexaChannel
from gateway.channels.bots import Bots
from gateway.domain.http import Request, Response
from gateway.domain.reply import Reply, Text
from gateway.intake.proofs import ProofKeeper
from gateway.pipeline import Door
from gateway.replies.kept import KeptAnswers
from gateway.replies.responses import Responses
from gateway.replies.results import Delivered, Results
from gateway.replies.signs import SignsOfLife
from gateway.store.ledger.accept import Accepted
from gateway.store.ledger.kept import Kept
from gateway.store.ledger.outbox import Finish
from tests.channels.alexa.deliveries import ACCOUNT, CHAIN, NOW_S, account, asking, intent, signed

__all__ = ["TURN", "House", "settles"]

TURN = 7


class House:
    """A door with all that is behind it in the test's hands."""

    def __init__(self) -> None:
        self.written: list[tuple[int, str]] = []
        self.held: list[int] = []
        self.kept: list[Kept] = []
        self.channel = AlexaChannel()
        #: What is at the address of Amazon's certificates, and when it is, of a clock that only goes forward.
        self.chain = CHAIN
        self.now = 0.0
        self.fetches = 0
        self._proofs = ProofKeeper(self._fetch, clock=lambda: self.now)
        #: What happens once the caller waits.
        self.end: Callable[[Results], object] = lambda _: None
        self.responses = Responses(self._write)
        self.results = Results(lambda _: [], lambda _: {}, lambda _: None, poll_s=60)

    def ask(
        self, outcome: Literal["new", "duplicate"] = "new", *, patience_s: float = 5.0, stops: bool = False
    ) -> Response:
        asked = intent("AMAZON.StopIntent") if stops else asking("hello")
        return self.receive(signed(asked), outcome, patience_s=patience_s)

    def receive(
        self, request: Request, outcome: Literal["new", "duplicate"] = "new", *, patience_s: float = 5.0
    ) -> Response:
        mine = account(answer_by_s=patience_s)
        accepted = Accepted(outcome, TURN, 1, 1, lane=None, head=None)
        door = Door(
            Bots({"alexa": self.channel}, {("alexa", ACCOUNT.name): mine}),
            SimpleNamespace(accept=lambda *_: [accepted]),  # type: ignore[arg-type]
            SimpleNamespace(),  # type: ignore[arg-type]
            self.results,
            self.responses,
            SimpleNamespace(accepted=lambda _: gevent.spawn(self.end, self.results)),  # type: ignore[arg-type]
            proofs=self._proofs,
            signs=SignsOfLife(SimpleNamespace()),  # type: ignore[arg-type]
            kept=KeptAnswers(lambda _: self.kept, lambda rows, _: self.held.extend(rows), lambda _: True),
            keep_delivery=lambda **_: 0,
            new_trace_id=lambda: "0" * 32,
            wall_clock=lambda: NOW_S,
        )
        return door.receive("alexa", ACCOUNT.name, request)

    def noted(self) -> list[tuple[int, str]]:
        self.responses.flush()
        return self.written

    def _fetch(self, *_: object) -> bytes:
        self.fetches += 1
        return self.chain

    def _write(self, batch: Any) -> list[bool]:
        finishes: list[Finish] = list(batch)
        self.written += [(each.outbox_id, each.fate) for each in finishes]
        return [True] * len(finishes)


def settles(*rows: int, promised: bool = True, own: str = "own") -> Callable[[Results], object]:
    def settle(results: Results) -> None:
        if promised:
            assert results.promise(TURN)
        results.deliver(Delivered(TURN, "answered", Reply((Text(own),)), outbox_ids=rows))

    return settle
