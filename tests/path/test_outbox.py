"""Replies on their way to the platform: sent once, tried again, or honestly unknown."""

from __future__ import annotations

from tests.support.slack_platform import too_many
from tests.support.stack import Stack, word
from tests.support.stand_in import Hold, cut, status


def test_a_rate_limit_is_heeded(stack: Stack) -> None:
    """After 429 the post is repeated no sooner than ``Retry-After`` says, and then it is sent, once."""
    said = word()
    stack.slack.will(said, too_many(1))
    stack.slack.event(said, channel="G1").send(stack.port)

    [row] = stack.ledger.wait_outbox(said, "sent")
    refused, taken = stack.slack.about(said)
    # Not from when it "ended": on a full machine the sender has read the refusal before the fake notes that it is out.
    assert taken.arrived - refused.arrived >= 1.0
    assert row["attempts"] == 2
    assert row["platform_id"]


def test_what_is_said_behind_a_refused_reply_stays_behind_it(stack: Stack) -> None:
    """The gateway, which sends what it settles, leaves both to a worker from there on: once each, and in order."""
    said, behind = word(), word()
    stack.slack.will(said, too_many(1))
    stack.slack.event(said, channel="G11").send(stack.port)
    stack.ledger.wait_outbox(said, "pending")
    stack.slack.event(behind, channel="G11").send(stack.port)

    rows = [stack.ledger.wait_outbox(each, "sent")[0] for each in (said, behind)]
    posts = [call.json["text"] for call in stack.slack.calls if call.json.get("channel") == "G11"]
    assert posts == [f"echo: {each}" for each in (said, said, behind)]
    assert [row["attempts"] for row in rows] == [2, 1]


def test_a_passing_trouble_is_tried_again(stack: Stack) -> None:
    """An error that Slack documents as "not done" is repeated, with pauses."""
    said = word()
    trouble = status("503 Service Unavailable", b'{"ok": false, "error": "service_unavailable"}')
    stack.slack.will(said, trouble, trouble)
    stack.slack.event(said, channel="G2").send(stack.port)

    [row] = stack.ledger.wait_outbox(said, "sent")
    assert row["attempts"] == len(stack.slack.about(said)) == 3
    assert stack.ledger.letters(said) == []


def test_a_refusal_for_good_is_a_dead_letter(stack: Stack) -> None:
    """What Slack will never take is not tried again; the letter says why."""
    said = word()
    stack.slack.will(said, status("200 OK", b'{"ok": false, "error": "channel_not_found"}'))
    stack.slack.event(said, channel="G3").send(stack.port)

    [row] = stack.ledger.wait_outbox(said, "not_sent")
    assert (row["reason"], row["attempts"]) == ("channel_not_found", 1)
    [letter] = stack.ledger.letters(said)
    assert (letter["kind"], letter["outbox_id"]) == ("outbox", row["id"])
    assert letter["reason"] == "not_sent: channel_not_found"
    assert stack.ledger.turns(said)[0]["state"] == "answered"


def test_a_post_without_an_answer_is_unknown_and_not_repeated(stack: Stack) -> None:
    """A connection that breaks after the post was written leaves nobody knowing: that is said, and not posted again."""
    said, behind = word(), word()
    stack.slack.will(said, cut)
    stack.slack.event(said, channel="G4").send(stack.port)

    [row] = stack.ledger.wait_outbox(said, "unknown")
    assert row["attempts"] == 1
    [letter] = stack.ledger.letters(said)
    assert letter["reason"].startswith("unknown: ")
    # The conversation's next message is not held back by it.
    stack.slack.event(behind, channel="G4").send(stack.port)
    stack.ledger.wait_outbox(behind, "sent")
    assert len(stack.slack.about(said)) == 1


def test_an_error_that_may_have_been_a_success_is_unknown(stack: Stack) -> None:
    """A bare 500 says nothing about what Slack did."""
    said = word()
    stack.slack.will(said, status("500 Internal Server Error"))
    stack.slack.event(said, channel="G5").send(stack.port)

    [row] = stack.ledger.wait_outbox(said, "unknown")
    assert row["reason"] == "http_500"
    assert len(stack.slack.about(said)) == 1


def test_replies_of_a_conversation_are_posted_in_order(stack: Stack) -> None:
    """A reply that is stuck holds back the next one of its conversation, and of no other."""
    first, second, elsewhere = word(), word(), word()
    hold = Hold(lambda call: call.answer(b'{"ok": true, "ts": "1.1"}'))
    stack.slack.will(first, hold)
    stack.slack.event(first, channel="G6").send(stack.port)
    hold.wait_reached()
    stack.slack.event(second, channel="G6").send(stack.port)
    stack.slack.event(elsewhere, channel="G7").send(stack.port)

    stack.ledger.wait_outbox(elsewhere, "sent")
    # In the hands of the same gateway behind the first, or left to the workers.
    stack.ledger.wait_settled(second)
    assert stack.slack.about(second) == []
    hold.released.set()
    stack.ledger.wait_outbox(second, "sent")
    assert stack.slack.about(first)[0].ended <= stack.slack.about(second)[0].arrived
