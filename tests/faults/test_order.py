"""Promise 2: a conversation's turns run in order, one at a time, across all processes."""

from __future__ import annotations

import gevent

from tests.support.stack import GatewayProcess, Stack, word

MESSAGES = 50


def test_fifty_messages_at_once_at_two_gateways(
    stack: Stack, gateways: tuple[GatewayProcess, GatewayProcess]
) -> None:
    """They are asked in the order of their sequence numbers, never two at once, and posted in the same order.

    Fails when ``ledger_accept`` grants a lane that has an owner: both gateways ask at the same time.
    """
    said = word()
    deliveries = [stack.slack.event(f"{said} {number:02d}", channel="O1") for number in range(MESSAGES)]
    senders = [
        gevent.spawn(delivery.send, gateways[number % 2].port) for number, delivery in enumerate(deliveries)
    ]
    assert {sender.get().status for sender in senders} == {200}
    stack.ledger.wait_outbox(said, "sent", count=MESSAGES)

    turns = sorted(stack.ledger.turns(said), key=lambda turn: turn["seq"])
    assert [turn["seq"] for turn in turns] == list(range(1, MESSAGES + 1))
    assert len({turn["accepted_by"] for turn in turns}) == 2, "both gateways took part"
    in_order = [turn["message"]["text"] for turn in turns]
    assert [asked.message.text for asked in stack.assistant.turns(said)] == in_order
    assert stack.assistant.overlaps(said) == []
    assert [post.json["text"] for post in stack.slack.about(said)] == [f"echo: {text}" for text in in_order]


def test_many_conversations_at_once(stack: Stack, gateways: tuple[GatewayProcess, GatewayProcess]) -> None:
    """Conversations do not wait for one another, and none loses its order among the others."""
    said = word()
    deliveries = [
        stack.slack.event(f"{said} {lane} {number}", channel=f"O2{lane}")
        for number in range(5)
        for lane in range(10)
    ]
    senders = [gevent.spawn(each.send, gateways[at % 3 % 2].port) for at, each in enumerate(deliveries)]
    assert {sender.get().status for sender in senders} == {200}
    stack.ledger.wait_outbox(said, "sent", count=len(deliveries))

    assert stack.assistant.overlaps(said) == []
    for lane in range(10):
        turns = sorted(stack.ledger.turns(f"{said} {lane} "), key=lambda turn: turn["seq"])
        posts = [post.json["text"] for post in stack.slack.about(f"{said} {lane} ")]
        assert posts == [f"echo: {turn['message']['text']}" for turn in turns]
