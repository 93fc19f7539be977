"""An assistant that fails, in every way: the user is told, the turn says why, and the conversation goes on."""

from __future__ import annotations

import time

import pytest

from tests.support.slack_platform import Delivery
from tests.support.stack import Stack, word
from tests.support.stand_in import Behaviour, Call, Hold, cut, status
from tests.support.visitor import Visitor, texts

APOLOGY = "Sorry, I could not answer that just now. Please try again in a moment."
#: The account's assistant is given a second to its first byte and half a second more.
HASTY_S = 1.5


def raw(body: bytes, media: str = "application/json") -> Behaviour:
    """Answer 200 with *body*."""
    return lambda call: call.answer(body, media=media)


def endless(call: Call) -> None:
    """Stream pieces, none of which is the reply, for as long as the caller listens."""
    call.connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    )
    while True:
        call.connection.sendall(b'event: delta\ndata: {"text": "' + b"and " * 500 + b'"}\n\n')


def trickling(call: Call) -> None:
    """Send a byte now and then: never silent, never done."""
    call.connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    )
    while True:
        call.connection.sendall(b" ")
        time.sleep(0.2)


def half(call: Call) -> None:
    """Announce more than is sent, and hang up."""
    call.connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
    )
    cut(call)


FAILURES: dict[str, tuple[Behaviour, str]] = {
    "error": (status("500 Internal Server Error"), "http_500"),
    "refusal": (status("403 Forbidden"), "http_403"),
    "redirect": (status("302 Found", b"", "Location: http://127.0.0.1:1/"), "http_302"),
    "not JSON": (raw(b"<html>Oops</html>"), "not_json"),
    "wrong media type": (raw(b"<html>Oops</html>", "text/html"), "wrong_content_type"),
    "wrong schema": (raw(b'{"parts": [{"type": "hologram"}]}'), "wrong_schema"),
    "no parts": (raw(b"[]"), "wrong_schema"),
    "10 MB": (raw(b'{"parts": [{"type": "text", "text": "' + b"a" * 10_000_000 + b'"}]}'), "too_large"),
    "endless stream": (endless, "stream_too_long"),
    "silence": (Hold(cut), "timeout"),
    "trickle": (trickling, "timeout"),
    "cut": (cut, "connection_lost"),
    "half": (half, "connection_lost"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_is_told_and_the_lane_moves_on(stack: Stack, name: str) -> None:
    """The page gets the apology, the turn fails for this reason, a dead letter is kept, the next turn is answered."""
    behaviour, reason = FAILURES[name]
    said, behind = word(), word()
    stack.assistant.will(said, behaviour)
    visitor = Visitor("hasty")
    answer = visitor.say(stack.port, said, wait_s=20)

    assert texts(answer) == [APOLOGY]
    assert answer.took_s < HASTY_S + 2
    [turn] = stack.ledger.turns(said)
    assert (turn["state"], turn["reason"]) == ("failed", reason)
    [letter] = stack.ledger.letters(said)
    assert (letter["kind"], letter["turn_id"], letter["reason"]) == ("turn", turn["id"], reason)
    assert len(stack.assistant.about(said)) == 1, "a call that may have been received is not repeated"
    assert texts(visitor.say(stack.port, behind, wait_s=20)) == [f"echo: {behind}"]


def test_an_assistant_that_is_not_there(stack: Stack) -> None:
    """A refused connection is the same to the user."""
    said = word()
    answer = Visitor("nowhere").say(stack.port, said, wait_s=20)

    assert texts(answer) == [APOLOGY]
    [turn] = stack.ledger.turns(said)
    assert (turn["state"], turn["reason"]) == ("failed", "unreachable")


def test_slack_is_told_by_a_post(stack: Stack) -> None:
    """The apology takes the way that the reply would have taken."""
    said = word()
    stack.assistant.will(said, status("500 Internal Server Error"))
    delivery: Delivery = stack.slack.event(said, channel="F1", account="hasty", thread_ts="1763800001.000100")
    assert delivery.send(stack.port).status == 200

    [row] = stack.ledger.wait_outbox(said, "sent")
    [post] = [call for call in stack.slack.calls if call.json.get("channel") == "F1"]
    assert post.json["text"] == APOLOGY
    assert post.json["thread_ts"] == "1763800001.000100"
    assert row["kind"] == "push"


def test_what_no_store_can_keep_is_cleaned_in_replies(stack: Stack) -> None:
    """An assistant's NUL or lone surrogate reaches neither PostgreSQL nor the user: the rest of the reply does."""
    said = word()
    body = rb'{"parts": [{"type": "text", "text": "be\u0000fore \ud800 after"}], "state": {"k\u0000": "v\udfff"}}'
    stack.assistant.will(said, raw(body))
    answer = Visitor("hasty").say(stack.port, said, wait_s=20)

    [text] = texts(answer)
    assert text.startswith("be")
    assert text.endswith("after")
    assert "\0" not in text
    assert stack.ledger.turns(said)[0]["state"] == "answered"
