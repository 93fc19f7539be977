"""Promise 3: repeats change nothing, however many, wherever and at whatever moment they arrive."""

from __future__ import annotations

import gevent

from tests.support.assistant import says
from tests.support.calling import Answer
from tests.support.slack_platform import Delivery
from tests.support.stack import GatewayProcess, Stack, word
from tests.support.stand_in import Hold
from tests.support.visitor import Visitor, texts

TIMES = 5


def at_once(delivery: Delivery, gateways: tuple[GatewayProcess, GatewayProcess]) -> list[Answer]:
    """Deliver the same thing several times at the same moment, to both gateways."""
    senders = [gevent.spawn(delivery.send, gateways[number % 2].port) for number in range(TIMES)]
    return [sender.get() for sender in senders]


def test_one_event_five_times_at_once(stack: Stack, gateways: tuple[GatewayProcess, GatewayProcess]) -> None:
    """One turn, one call, one post; every delivery is acknowledged.

    Fails when ``ledger_accept`` does not look at what ``ON CONFLICT`` kept back: there are five turns.
    """
    said, behind = word(), word()
    answers = at_once(stack.slack.event(said, channel="R1"), gateways)
    assert [answer.status for answer in answers] == [200] * TIMES

    stack.slack.event(behind, channel="R1").send(gateways[0].port)
    stack.ledger.wait_outbox(behind, "sent")
    assert (
        len(stack.ledger.turns(said)) == len(stack.assistant.about(said)) == len(stack.slack.about(said)) == 1
    )


def test_one_command_five_times_at_once(
    stack: Stack, gateways: tuple[GatewayProcess, GatewayProcess]
) -> None:
    """Where the answer leaves in the response every caller gets the same one, also at the gateway that does not run
    the turn; nothing is sent beside it."""
    said = word()
    answers = at_once(stack.slack.command(said, channel="R2"), gateways)

    assert [answer.json["text"] for answer in answers] == [f"echo: /drink {said}"] * TIMES
    assert len(stack.assistant.about(said)) == 1
    [row] = stack.ledger.wait_outbox(said, "sent")
    assert row["kind"] == "response"
    assert stack.slack.about(said) == []


def test_a_visitors_message_at_both_gateways(
    stack: Stack, gateways: tuple[GatewayProcess, GatewayProcess]
) -> None:
    """A page that asks both gateways gets the answer of the one turn from both, as soon as it is there."""
    said = word()
    hold = Hold(says(f"once, {said}"))
    stack.assistant.will(said, hold)
    visitor = Visitor()
    callers = [
        gevent.spawn(visitor.say, gateway.port, said, message_id="one-and-the-same", wait_s=20)
        for gateway in gateways
    ]
    hold.wait_reached()
    hold.released.set()

    assert [texts(caller.get()) for caller in callers] == [[f"once, {said}"]] * 2
    assert len(stack.assistant.about(said)) == 1
