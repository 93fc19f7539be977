"""Slash commands and buttons: answered in the response while there is time, through ``response_url`` after."""

from __future__ import annotations

import gevent

from tests.support.assistant import says
from tests.support.slack_platform import Delivery
from tests.support.stack import Stack, word
from tests.support.stand_in import Hold, status

#: When Slack gives up, counted at its own end.
PATIENCE_S = 3.0


def test_a_command_is_answered_in_its_response(stack: Stack) -> None:
    """A reply that is ready in time leaves in the response, seen by the user alone, and is not posted as well."""
    said = word()
    answer = stack.slack.command(said, channel="D1").send(stack.port)

    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["text"] == f"echo: /drink {said}"
    assert answer.json["response_type"] == "ephemeral"
    [row] = stack.ledger.wait_outbox(said, "sent")
    assert (row["kind"], row["attempts"]) == ("response", 1)
    assert stack.slack.about(said) == []


def test_a_tap_is_answered_through_its_response_url(stack: Stack) -> None:
    """A tap carries its value to the assistant; the answer, which Slack's clients would not show in the response, goes
    to the response_url and leaves the tapped message in its place."""
    said = word()
    answer = stack.slack.tap(said, channel="D2").send(stack.port)

    assert (answer.status, answer.body) == (200, b"")
    [post] = stack.slack.wait_for(said)
    assert post.path.startswith("/response/")
    assert post.json["text"] == f"echo: button:1 {said} This one"
    assert post.json["replace_original"] is False
    assert stack.assistant.turns(said)[0].message.kind == "tap"
    stack.ledger.wait_outbox(said, "sent")


def test_a_slow_command_is_answered_later_and_once(stack: Stack) -> None:
    """Slack gets an empty 200 before its 3 s are over; the reply follows through the response URL, exactly once."""
    said = word()
    hold = Hold(says(f"at last {said}"))
    stack.assistant.will(said, hold)
    answer = stack.slack.command(said, channel="D3").send(stack.port)

    assert (answer.status, answer.body) == (200, b"")
    assert answer.took_s < PATIENCE_S
    assert not hold.gone.is_set(), "an accepted turn goes on when its response has left"
    hold.released.set()
    [post] = stack.slack.wait_for(said)
    assert post.path.startswith("/response/")
    assert post.json["text"] == f"at last {said}"
    assert "authorization" not in post.headers
    [row] = stack.ledger.wait_outbox(said, "sent")
    assert (row["kind"], row["attempts"]) == ("push", 1)
    assert len(stack.slack.about(said)) == 1


def test_a_caller_that_hangs_up_cancels_nothing(stack: Stack) -> None:
    """The turn of a command whose connection broke goes on to its end, and is told at most once.

    Not more: what was written to a socket whose other end is gone looks sent.
    """
    said = word()
    hold = Hold(says(f"still {said}"))
    stack.assistant.will(said, hold)
    command = stack.slack.command(said, channel="D4")
    caller = gevent.spawn(command.send, stack.port)
    hold.wait_reached()
    caller.kill()
    hold.released.set()

    [turn] = stack.ledger.wait_settled(said)
    assert turn["state"] == "answered"
    stack.ledger.wait_finished(said)
    assert len(stack.slack.about(said)) <= 1


def test_the_same_command_again_gets_the_same_answer(stack: Stack) -> None:
    """Where the platform wants the answer in the response, a repeat gets it again, without a second turn."""
    said = word()
    hold = Hold(says(f"one answer for {said}"))
    stack.assistant.will(said, hold)
    command = stack.slack.command(said, channel="D5")
    callers = [gevent.spawn(command.send, stack.port) for _ in range(3)]
    hold.wait_reached()
    hold.released.set()
    answers = [each.get() for each in callers] + [command.send(stack.port)]

    assert {answer.json["text"] for answer in answers} == {f"one answer for {said}"}
    assert len(stack.assistant.about(said)) == 1
    [row] = stack.ledger.wait_outbox(said, "sent")
    assert row["kind"] == "response"
    assert stack.slack.about(said) == []


def test_a_failure_is_an_apology_in_the_response(stack: Stack) -> None:
    """A command whose assistant fails gets the account's apology, in time."""
    said = word()
    stack.assistant.will(said, status("500 Internal Server Error"))
    answer = stack.slack.command(said, channel="D6", account="hasty").send(stack.port)

    assert answer.status == 200
    assert answer.json["text"].startswith("Sorry")
    assert stack.ledger.wait_settled(said)[0]["state"] == "failed"


def test_a_certificate_check_is_answered(stack: Stack) -> None:
    """``ssl_check`` has no user behind it: 200, and nothing is stored."""
    before = stack.ledger.counts()
    answer = Delivery(b"ssl_check=1&token=abc", "application/x-www-form-urlencoded").send(stack.port)

    assert answer.status == 200
    assert stack.ledger.counts() == before
