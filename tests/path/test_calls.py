"""What an assistant is told with each turn, and what it may leave behind for the next one."""

from __future__ import annotations

import re

from gateway.domain.reply import Reply, Text
from tests.support.assistant import says
from tests.support.stack import Stack, word
from tests.support.visitor import Visitor

TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-01")


def test_a_call_carries_trace_deadline_turn_and_fence(stack: Stack) -> None:
    """The ledger's trace id, turn id and fence, and a deadline that has begun to run, reach the assistant."""
    said = word()
    stack.slack.event(said, channel="E1").send(stack.port)
    [call] = stack.assistant.wait_for(said)
    [turn] = stack.ledger.wait_settled(said)
    [asked] = stack.assistant.turns(said)

    trace = TRACEPARENT.fullmatch(call.headers["traceparent"])
    assert trace
    assert trace[1] == turn["trace_id"] == stack.ledger.outbox(said)[0]["trace_id"]
    assert call.headers["switchboard-turn"] == asked.turn_id == str(turn["id"])
    assert call.headers["switchboard-fence"] == str(asked.fence) == str(turn["fence"])
    assert call.headers["idempotency-key"] == f"turn-{turn['id']}"
    assert 0 < asked.deadline_ms < 120_000, "Slack's turns have two minutes"
    left_ms = int(call.headers["switchboard-deadline-ms"])
    assert asked.deadline_ms - 10_000 < left_ms <= asked.deadline_ms, "what was left when it was sent"
    assert (asked.sequence, asked.attempt) == (1, 1)


def test_what_is_left_behind_comes_back(stack: Stack) -> None:
    """State belongs to the conversation and memory to the user: the next turn brings what the last one left."""
    first, second, elsewhere = word(), word(), word()
    kept = Reply((Text("noted"),), state={"step": 2}, memory={"likes": ["gin", "🍋"]})
    stack.assistant.will(first, says(kept))
    visitor = Visitor()
    visitor.say(stack.port, first, wait_s=20)
    visitor.say(stack.port, second, wait_s=20)
    visitor.say(stack.port, elsewhere, wait_s=20, chat="another")

    [before], [after], [other] = (stack.assistant.turns(said) for said in (first, second, elsewhere))
    assert (before.conversation.state, before.user.memory) == (None, None)
    assert after.conversation.state == {"step": 2}
    assert after.user.memory == other.user.memory == {"likes": ["gin", "🍋"]}
    assert other.conversation.state is None
    assert after.user.id == other.user.id


def test_state_is_kept_replaced_and_cleared(stack: Stack) -> None:
    """A reply that does not speak of state leaves it, an object replaces it, null clears it."""
    replies = [Reply(state={"a": 1}), Reply(), Reply(state={"b": 2}), Reply(state=None)]
    visitor, said = Visitor(), word()
    stack.assistant.will(said, *(says(reply) for reply in replies))
    for number in range(5):
        visitor.say(stack.port, f"{said} {number}", wait_s=20)

    states = [asked.conversation.state for asked in stack.assistant.turns(said)]
    assert states == [None, {"a": 1}, {"a": 1}, {"b": 2}, None]
