"""A visitor's message: accepted with 202, or held until the answer is there."""

from __future__ import annotations

import gevent

from tests.support.assistant import says
from tests.support.stack import Stack, word
from tests.support.stand_in import Hold
from tests.support.visitor import Visitor, texts

#: Beside what was asked for: two ways through the machine.
SLACK_S = 1.5


def test_a_message_is_accepted(stack: Stack) -> None:
    """Without ``Prefer: wait`` the page is told at once that its message is safe, and under which number."""
    said = word()
    answer = Visitor().say(stack.port, said)

    assert answer.status == 202
    assert answer.json["seq"] == 1
    assert answer.json["duplicate"] is False
    [turn] = stack.ledger.wait_settled(said)
    assert str(turn["id"]) == answer.json["turn_id"]
    assert turn["reply"]["parts"][0]["text"] == f"echo: {said}"
    assert stack.ledger.outbox(said) == [], "the page reads the ledger: there is nothing to send"


def test_a_message_that_waits_gets_its_answer(stack: Stack) -> None:
    """With ``Prefer: wait`` the response is the reply."""
    said = word()
    answer = Visitor().say(stack.port, said, wait_s=20, message_id="my-own-id-1")

    assert answer.status == 200
    assert texts(answer) == [f"echo: {said}"]
    assert answer.json["id"] == "my-own-id-1"


def test_a_wait_is_no_longer_than_asked_for(stack: Stack) -> None:
    """When the time is up the page is told to look later; the turn goes on."""
    said = word()
    hold = Hold(says("in the end"))
    stack.assistant.will(said, hold)
    answer = Visitor().say(stack.port, said, wait_s=1)

    assert answer.status == 202
    assert 1 <= answer.took_s < 1 + SLACK_S
    hold.released.set()
    assert stack.ledger.wait_settled(said)[0]["state"] == "answered"


def test_repeats_get_the_same_answer(stack: Stack) -> None:
    """A page that sends its message again, while it is being answered and after, gets the one answer there is."""
    said = word()
    hold = Hold(says(f"only once, {said}"))
    stack.assistant.will(said, hold)
    visitor = Visitor()

    def send() -> list[str]:
        return texts(visitor.say(stack.port, said, wait_s=20, message_id="the-same-id"))

    callers = [gevent.spawn(send) for _ in range(4)]
    hold.wait_reached()
    hold.released.set()
    answers = [caller.get() for caller in callers] + [send()]

    assert answers == [[f"only once, {said}"]] * 5
    assert len(stack.assistant.about(said)) == 1
    assert len(stack.ledger.turns(said)) == 1
    repeated = visitor.say(stack.port, said, message_id="the-same-id")
    assert (repeated.status, repeated.json["duplicate"]) == (202, True)


def test_one_visitor_cannot_take_anothers_id(stack: Stack) -> None:
    """A message's id is the page's own choice: it names a message of this visitor only."""
    mine, yours = word(), word()
    first = Visitor().say(stack.port, mine, wait_s=20, message_id="chosen-by-both")
    second = Visitor().say(stack.port, yours, wait_s=20, message_id="chosen-by-both")

    assert texts(first) == [f"echo: {mine}"]
    assert texts(second) == [f"echo: {yours}"]


def test_a_visitors_messages_are_answered_in_order(stack: Stack) -> None:
    """A second message waits for the first one's answer, and both get their own."""
    first, second = word(), word()
    hold = Hold(says("first"))
    stack.assistant.will(first, hold)
    visitor = Visitor()
    one = gevent.spawn(visitor.say, stack.port, first, wait_s=20)
    hold.wait_reached()
    two = gevent.spawn(visitor.say, stack.port, second, wait_s=20)
    turns = stack.ledger
    gevent.wait([one, two], timeout=0)
    assert stack.assistant.about(second) == []
    hold.released.set()

    assert texts(one.get()) == ["first"]
    assert texts(two.get()) == [f"echo: {second}"]
    assert [turn["seq"] for turn in turns.turns(first) + turns.turns(second)] == [1, 2]
    [asked_first], [asked_second] = stack.assistant.about(first), stack.assistant.about(second)
    assert asked_first.ended <= asked_second.arrived
