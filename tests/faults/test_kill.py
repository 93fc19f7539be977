"""Promise 1: nothing accepted is lost, whatever process dies in between."""

from __future__ import annotations

import os
import signal

import gevent
import pytest

from tests.support.assistant import says
from tests.support.slack_platform import too_many
from tests.support.stack import GatewayProcess, Stack, word
from tests.support.stand_in import Hold, cut
from tests.support.visitor import Visitor, texts
from tests.support.waiting import until

APOLOGY = "Sorry, I could not answer that just now. Please try again in a moment."


def test_a_gateway_dies_between_accept_and_reply(
    stack: Stack, gateways: tuple[GatewayProcess, GatewayProcess]
) -> None:
    """The other gateway runs the turn again, under a higher fence and counted as a second attempt; one answer goes out.

    Fails when ``process_bury`` or the adoption of orphans is taken out: the turn stays accepted for ever.
    """
    said = word()
    hang = Hold(says("never said"))
    stack.assistant.will(said, hang, says(f"from the other, {said}"))
    assert stack.slack.event(said, channel="K1").send(gateways[0].port).status == 200
    hang.wait_reached()
    gateways[0].kill()

    [row] = stack.ledger.wait_outbox(said, "sent")
    [post] = stack.slack.about(said)
    assert post.json["text"] == f"from the other, {said}"
    [turn] = stack.ledger.turns(said)
    assert (turn["state"], turn["deaths"]) == ("answered", 1)
    first, second = stack.assistant.turns(said)
    assert (first.attempt, second.attempt) == (1, 2)
    assert second.fence > first.fence
    assert row["attempts"] == 1


def test_what_waited_behind_a_dead_turn_is_not_lost(
    stack: Stack, gateways: tuple[GatewayProcess, GatewayProcess]
) -> None:
    """All messages of the conversation are answered, in order, the one that was running first."""
    said = word()
    hang = Hold(says("never said"))
    stack.assistant.will(f"{said} 0", hang)
    for number in range(5):
        stack.slack.event(f"{said} {number}", channel="K2").send(gateways[number % 2].port)
    hang.wait_reached()
    stack.owner_of(stack.ledger.turns(said)[0]["conversation_id"]).kill()

    stack.ledger.wait_outbox(said, "sent", count=5)
    assert [post.json["text"] for post in stack.slack.about(said)] == [f"echo: {said} {n}" for n in range(5)]


def test_a_command_whose_gateway_died_is_answered_through_its_response_url(
    stack: Stack, gateways: tuple[GatewayProcess, GatewayProcess]
) -> None:
    """The response is gone with the process; the reply takes the platform's other way."""
    said = word()
    hang = Hold(says("never said"))
    stack.assistant.will(said, hang, says(f"after all, {said}"))
    caller = gevent.spawn(_ignoring_a_broken_connection, stack, said, gateways[0].port)
    hang.wait_reached()
    gateways[0].kill()
    caller.get()

    stack.ledger.wait_outbox(said, "sent")
    [post] = stack.slack.about(said)
    assert post.path.startswith("/response/")
    assert post.json["text"] == f"after all, {said}"


def test_a_page_finds_its_answer_at_another_gateway(
    stack: Stack, gateways: tuple[GatewayProcess, GatewayProcess]
) -> None:
    """A visitor whose gateway died sends the message again elsewhere, and gets the answer of the one turn."""
    said = word()
    hang = Hold(says("never said"))
    stack.assistant.will(said, hang, says(f"the one answer, {said}"))
    visitor = Visitor()
    assert visitor.say(gateways[0].port, said, message_id="kept-by-the-page").status == 202
    hang.wait_reached()
    gateways[0].kill()

    again = visitor.say(gateways[1].port, said, message_id="kept-by-the-page", wait_s=20)
    assert texts(again) == [f"the one answer, {said}"]
    assert len(stack.ledger.turns(said)) == 1


def test_a_worker_dies_while_it_sends(stack: Stack) -> None:
    """Promise 4: whether Slack took it nobody knows.  The row says so, is kept as a dead letter and never sent again;
    the conversation goes on.

    Fails when ``ledger_orphan`` gives a dead worker's rows back as pending: the message is posted twice.
    """
    said, behind = word(), word()
    hang = Hold(cut)
    # The gateway that settles it is told "too many": from there on it is a worker's.
    stack.slack.will(said, too_many(0), hang)
    stack.slack.event(said, channel="K3").send(stack.alive().port)
    hang.wait_reached()
    stack.workers()[0].kill()
    stack.start_worker()
    stack.slack.event(behind, channel="K3").send(stack.alive().port)

    stack.ledger.wait_outbox(behind, "sent")
    [row] = stack.ledger.outbox(said)
    assert (row["state"], row["reason"], row["attempts"]) == ("unknown", "sender_died", 2)
    [letter] = stack.ledger.letters(said)
    assert letter["reason"] == "unknown: sender_died"
    assert len(stack.slack.about(said)) == 2, "refused once, and sent once"


def test_a_gateway_dies_while_it_sends(stack: Stack, gateways: tuple[GatewayProcess, GatewayProcess]) -> None:
    """The same of a reply that the gateway sends itself.  What it had in its hands behind that one certainly was not
    sent: a worker sends it, as its first try, and what is said later comes later.

    Fails when ``ledger_orphan`` calls all that a gateway was sending unknown: the second reply never comes.
    """
    said, behind, later = word(), word(), word()
    hang = Hold(cut)
    stack.slack.will(said, hang)
    stack.slack.event(said, channel="K6").send(gateways[0].port)
    hang.wait_reached()
    stack.slack.event(behind, channel="K6").send(gateways[0].port)
    stack.ledger.wait_outbox(behind, "sending")
    gateways[0].kill()
    stack.slack.event(later, channel="K6").send(gateways[1].port)

    stack.ledger.wait_outbox(later, "sent")
    rows = [stack.ledger.outbox(each)[0] for each in (said, behind)]
    assert [(row["state"], row["attempts"]) for row in rows] == [("unknown", 1), ("sent", 1)]
    assert [letter["reason"] for letter in stack.ledger.letters(said)] == ["unknown: sender_died"]
    posts = [call.json["text"] for call in stack.slack.calls if call.json.get("channel") == "K6"]
    assert posts == [f"echo: {each}" for each in (said, behind, later)]


@pytest.mark.slow
def test_a_message_that_kills_its_process_is_given_up(stack: Stack) -> None:
    """After ``lanes.deaths_max`` deaths the turn is a dead letter, the user is told, and the lane moves on."""
    said, behind = word(), word()
    holds = [Hold(says("never said")) for _ in range(3)]
    stack.assistant.will(said, *holds)
    stack.slack.event(said, channel="K4").send(stack.alive().port)
    for hold in holds:
        hold.wait_reached()
        [turn] = stack.ledger.turns(said)
        # The process alone: gunicorn's master starts another, as it does in production.
        os.kill(stack.ledger.owner_pid(turn["conversation_id"]), signal.SIGKILL)
        hold.wait_gone()
    until("a gateway", stack.alive().listens)
    stack.slack.event(behind, channel="K4").send(stack.alive().port)

    stack.ledger.wait_outbox(behind, "sent")
    [turn] = stack.ledger.turns(said)
    assert (turn["state"], turn["reason"], turn["deaths"]) == ("failed", "poison", 3)
    assert [letter["reason"] for letter in stack.ledger.letters(said)] == ["poison"]
    assert len(stack.assistant.about(said)) == 3
    posts = [call.json["text"] for call in stack.slack.calls if call.json.get("channel") == "K4"]
    assert posts == [APOLOGY, f"echo: {behind}"]


def _ignoring_a_broken_connection(stack: Stack, said: str, port: int) -> None:
    try:
        stack.slack.command(said, channel="K5").send(port)
    except OSError:
        return
    raise AssertionError("a killed gateway gave an answer")
