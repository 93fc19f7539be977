"""What a caller is told in the response, seen from the door: a real Slack command, a ledger that says what it must."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Literal

import gevent
import msgspec
import pytest

from gateway.channels.bots import Bots
from gateway.channels.registry import CHANNELS
from gateway.domain.http import Response
from gateway.domain.reply import Reply, Text
from gateway.intake.proofs import ProofKeeper
from gateway.pipeline import Door
from gateway.replies.kept import KeptAnswers
from gateway.replies.responses import Responses
from gateway.replies.results import Delivered, Results
from gateway.replies.signs import SignsOfLife
from gateway.store.ledger.accept import Accepted
from gateway.store.ledger.outbox import Finish
from tests.channels.slack.deliveries import ACCOUNT, NOW_S, delivery, sample

TURN = 7


def _no_fetch(*_: object) -> bytes:
    raise AssertionError("nobody asked for a document")


def ask(
    outcome: Literal["new", "duplicate"], end: Callable[[Results], object]
) -> tuple[Response, list[Finish]]:
    """Deliver a command whose turn ends as *end* says once its caller waits; return the answer and what it noted."""
    written: list[Finish] = []

    def write(batch: Any) -> list[bool]:
        written.extend(batch)
        return [True] * len(batch)

    responses = Responses(write)
    results = Results(lambda _: [], lambda _: {}, lambda _: None, poll_s=60)
    accepted = Accepted(outcome, TURN, 1, 1, lane=None, head=None)
    watchers = SimpleNamespace(accepted=lambda _: gevent.spawn(end, results))
    door = Door(
        Bots(CHANNELS, {("slack", ACCOUNT.name): ACCOUNT}),
        SimpleNamespace(accept=lambda *_: [accepted]),  # type: ignore[arg-type]
        SimpleNamespace(),  # type: ignore[arg-type]
        results,
        responses,
        watchers,  # type: ignore[arg-type]
        proofs=ProofKeeper(_no_fetch),
        signs=SignsOfLife(SimpleNamespace()),  # type: ignore[arg-type]
        kept=KeptAnswers(lambda _: [], lambda *_: None, lambda _: True),
        keep_delivery=lambda **_: 0,
        new_trace_id=lambda: "0" * 32,
        wall_clock=lambda: NOW_S,
    )
    response = door.receive("slack", ACCOUNT.name, delivery(sample("command")))
    if response.written is not None:
        response.written(True)
    responses.flush()
    return response, written


def end(*rows: int) -> Delivered:
    return Delivered(TURN, "answered", Reply((Text("an answer"),)), outbox_ids=rows)


def test_whoever_promised_is_told_and_the_row_is_sent() -> None:
    def settle(results: Results) -> None:
        assert results.promise(TURN)
        assert results.deliver(end(41))

    response, written = ask("new", settle)

    assert msgspec.json.decode(response.body)["text"] == "an answer"
    assert [(each.outbox_id, each.fate) for each in written] == [(41, "sent")]


def test_a_reply_that_is_pushed_is_not_told_in_the_response_too() -> None:
    """The caller had too little time left to promise, the reply went to the outbox, and then it was there in time
    all the same: it is pushed, and the user is to read it once."""
    response, written = ask("new", lambda results: results.deliver(end()))

    assert (response.status, response.body) == (200, b"")
    assert written == []


@pytest.mark.parametrize("rows", [(), (41,)])
def test_a_repeat_is_told_again(rows: tuple[int, ...]) -> None:
    """Its platform asks because it lost the first answer."""

    def settle(results: Results) -> None:
        if rows:
            assert results.promise(TURN)
        results.deliver(end(*rows))

    response, _ = ask("duplicate", settle)

    assert msgspec.json.decode(response.body)["text"] == "an answer"
