"""A message on Slack, from its signed delivery to ``chat.postMessage``."""

from __future__ import annotations

import itertools

import gevent
import msgspec

from gateway.domain.reply import Reply, Text
from tests.support.assistant import says
from tests.support.slack_platform import BOT_TOKEN, Delivery
from tests.support.stack import Stack, word
from tests.support.stand_in import Hold

#: Slack counts 3 s to the end of our answer; nothing here needs a third of that, even on a busy machine.
AT_ONCE_S = 1.0


def test_a_message_is_answered_by_a_post(stack: Stack) -> None:
    """An event is acknowledged at once and empty, and answered where it was asked, by the account's own bot."""
    said = word()
    answer = stack.slack.event(said, channel="C1").send(stack.port)

    assert (answer.status, answer.body) == (200, b"")
    [post] = stack.slack.wait_for(said)
    assert post.path == "/api/chat.postMessage"
    assert post.headers["authorization"] == f"Bearer {BOT_TOKEN}"
    assert post.json["channel"] == "C1"
    assert post.json["text"] == f"echo: {said}"
    assert "thread_ts" not in post.json
    [row] = stack.ledger.wait_outbox(said, "sent")
    assert (row["kind"], row["attempts"]) == ("push", 1)


def test_a_thread_is_answered_in_the_thread(stack: Stack) -> None:
    """What is said in a thread is answered there, and is a conversation of its own."""
    said, aside = word(), word()
    stack.slack.event(said, channel="C2", thread_ts="1763800001.000100").send(stack.port)
    stack.slack.event(aside, channel="C2").send(stack.port)

    assert stack.slack.wait_for(said)[0].json["thread_ts"] == "1763800001.000100"
    assert "thread_ts" not in stack.slack.wait_for(aside)[0].json
    [threaded], [plain] = stack.assistant.turns(said), stack.assistant.turns(aside)
    assert threaded.conversation.id != plain.conversation.id


def test_slack_does_not_wait_for_the_assistant(stack: Stack) -> None:
    """The acknowledgement needs the ledger and nothing else: the assistant may take its time."""
    said = word()
    hold = Hold(says(f"late {said}"))
    stack.assistant.will(said, hold)
    answer = stack.slack.event(said, channel="C3").send(stack.port)

    assert answer.status == 200
    assert answer.took_s < AT_ONCE_S
    hold.wait_reached()
    assert stack.slack.about(said) == []
    hold.released.set()
    assert stack.slack.wait_for(said)[0].json["text"] == f"late {said}"


def test_a_redelivery_changes_nothing(stack: Stack) -> None:
    """Slack's retries, before and after the answer, are acknowledged and make no second turn and no second post."""
    said = word()
    hold = Hold(says(f"once {said}"))
    stack.assistant.will(said, hold)
    delivery = stack.slack.event(said, channel="C4")
    retry = {"X-Slack-Retry-Num": "1", "X-Slack-Retry-Reason": "http_timeout"}
    assert delivery.send(stack.port).status == 200
    hold.wait_reached()
    assert delivery.send(stack.port, retry).status == 200
    hold.released.set()
    stack.ledger.wait_outbox(said, "sent")
    assert delivery.send(stack.port, {**retry, "X-Slack-Retry-Num": "2"}).status == 200

    # A message behind it in the same conversation: when that one is answered, a repeat would have been too.
    behind = word()
    stack.slack.event(behind, channel="C4").send(stack.port)
    stack.slack.wait_for(behind)
    assert (
        len(stack.ledger.turns(said)) == len(stack.assistant.about(said)) == len(stack.slack.about(said)) == 1
    )


def test_a_retry_that_is_the_first_to_arrive_is_a_message(stack: Stack) -> None:
    """That Slack calls it a retry says nothing about what reached us before."""
    said = word()
    retry = {"X-Slack-Retry-Num": "1", "X-Slack-Retry-Reason": "connection_failed"}
    assert stack.slack.event(said, channel="C5").send(stack.port, retry).status == 200
    assert stack.slack.wait_for(said)[0].json["text"] == f"echo: {said}"


def test_twins_are_one_message(stack: Stack) -> None:
    """A mention arrives as ``message`` and as ``app_mention``, with two event ids: it is answered once."""
    said = word()
    message = stack.slack.event(said, channel="C6", ts="1763800009.000100")
    mention = stack.slack.event(said, channel="C6", ts="1763800009.000100", type="app_mention")
    sent = [gevent.spawn(delivery.send, stack.port) for delivery in (message, mention)]
    assert [each.get().status for each in sent] == [200, 200]

    behind = word()
    stack.slack.event(behind, channel="C6").send(stack.port)
    stack.slack.wait_for(behind)
    assert len(stack.ledger.turns(said)) == len(stack.slack.about(said)) == 1


def test_a_handshake_is_answered_on_the_spot(stack: Stack) -> None:
    """``url_verification`` gets its challenge back, and nothing is stored."""
    before = stack.ledger.counts()
    answer = Delivery(msgspec.json.encode({"type": "url_verification", "challenge": "3eZbrw1aB"})).send(
        stack.port
    )

    assert (answer.status, answer.json) == (200, {"challenge": "3eZbrw1aB"})
    assert stack.ledger.counts() == before


def test_our_own_words_are_not_answered(stack: Stack) -> None:
    """A bot that answers bots answers itself in the end: acknowledged, and nothing is stored."""
    before = stack.ledger.counts()
    answer = stack.slack.event(word(), channel="C7", subtype="bot_message", bot_id="B1").send(stack.port)

    assert answer.status == 200
    assert stack.ledger.counts() == before


def test_a_long_reply_arrives_whole_and_in_order(stack: Stack) -> None:
    """A reply that needs several messages is posted one after the other, in order, each once."""
    said = word()
    paragraphs = [f"{said} {number} " + "lorem ipsum " * 700 for number in range(3)]
    stack.assistant.will(said, says(Reply(tuple(Text(each) for each in paragraphs))))
    stack.slack.event(said, channel="C8").send(stack.port)

    rows = stack.ledger.wait_outbox(said, "sent", count=2)
    posts = [call for call in stack.slack.calls if call.json.get("channel") == "C8"]
    assert len(posts) == len(rows)
    whole = "".join(msgspec.json.encode(post.json["blocks"]).decode() for post in posts)
    places = [whole.index(f"{said} {number}") for number in range(3)]
    assert places == sorted(places)
    for earlier, later in itertools.pairwise(posts):
        assert earlier.ended <= later.arrived
