"""A row that PostgreSQL refuses, in a batch of strangers: it fails alone.

What users can type is cleaned at the border, so the refusal is made by a constraint of the test's own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import gevent

from tests.support.assistant import says
from tests.support.stack import GatewayProcess, Stack, word
from tests.support.waiting import until

STRANGERS = 20


@contextlib.contextmanager
def refusing(stack: Stack, column: str, poison: str) -> Iterator[None]:
    """Have PostgreSQL refuse turns whose *column* holds *poison*."""
    name = f"no_{poison}"
    stack.ledger.rows(
        f"ALTER TABLE turns ADD CONSTRAINT {name} CHECK ({column}::text NOT LIKE '%%{poison}%%') NOT VALID"
    )
    try:
        yield
    finally:
        stack.ledger.rows(f"ALTER TABLE turns DROP CONSTRAINT {name}")


def test_a_message_that_cannot_be_stored(
    stack: Stack, gateways: tuple[GatewayProcess, GatewayProcess]
) -> None:
    """Strangers in its batch are accepted and answered; the poison itself is kept as a dead-letter delivery.

    Fails when the batcher does not split a batch that was refused: the strangers are refused with it.
    """
    poison, said, first = word(), word(), word()
    port = gateways[0].port
    deliveries = [stack.slack.event(f"{said} {number}", channel=f"Q{number}") for number in range(STRANGERS)]
    deliveries.insert(STRANGERS // 2, stack.slack.event(poison, channel="Q-poison"))
    with refusing(stack, "message", poison):
        with stack.ledger.held_back("dedupe_keys"):
            ahead = gevent.spawn(stack.slack.event(first, channel="Q-first").send, port)
            until("a batch that waits", lambda: stack.ledger.waiting_for_locks("ledger_accept"))
            senders = [gevent.spawn(delivery.send, port) for delivery in deliveries]
            gevent.idle()
            # Answered behind them all: by now they wait together.
            assert gateways[0].listens()
        assert {sender.get().status for sender in [*senders, ahead]} == {200}
        stack.ledger.wait_outbox(said, "sent", count=STRANGERS)

    assert len(stack.ledger.turns(said)) == STRANGERS
    assert stack.ledger.turns(poison) == []
    [letter] = stack.ledger.letters(poison)
    assert (letter["kind"], letter["reason"]) == ("delivery", "store_refused")
    assert poison.encode() in bytes(letter["body"])


def test_an_answer_that_cannot_be_stored(
    stack: Stack, gateways: tuple[GatewayProcess, GatewayProcess]
) -> None:
    """Its turn fails with an apology, its lane moves on, and answers that were settled with it are written."""
    poison, said, asked, behind = word(), word(), word(), word()
    stack.assistant.will(asked, says(f"this is {poison}"))
    port = gateways[0].port
    with refusing(stack, "reply", poison):
        deliveries = [
            stack.slack.event(f"{said} {number}", channel=f"Q{number}") for number in range(STRANGERS)
        ]
        deliveries.insert(STRANGERS // 2, stack.slack.event(asked, channel="Q-asked"))
        senders = [gevent.spawn(delivery.send, port) for delivery in deliveries]
        assert {sender.get().status for sender in senders} == {200}
        stack.slack.event(behind, channel="Q-asked").send(port)
        stack.ledger.wait_outbox(behind, "sent")
        stack.ledger.wait_outbox(said, "sent", count=STRANGERS)

    [turn] = stack.ledger.turns(asked)
    assert (turn["state"], turn["reason"]) == ("failed", "store_refused")
    assert {turn["state"] for turn in stack.ledger.turns(said)} == {"answered"}
    posts = [call.json["text"] for call in stack.slack.calls if call.json.get("channel") == "Q-asked"]
    assert posts[0].startswith("Sorry")
    assert posts[1] == f"echo: {behind}"
