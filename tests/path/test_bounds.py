"""Every bound, refused in the words of whoever can do something about it; afterwards service recovers alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tests.support.assistant import says
from tests.support.calling import Answer
from tests.support.stack import Stack, running_stack, word
from tests.support.stand_in import Hold, status
from tests.support.stores import Migrated, Stores
from tests.support.visitor import Visitor, texts
from tests.support.waiting import until

LANE_MAX, ACCOUNT_MAX, TENANT_MAX, PROCESS_MAX, OUTBOX_MAX, ATTEMPTS_MAX = 2, 4, 4, 6, 3, 3
BUSY = "I am still busy with your earlier messages. Please try again in a moment."


@pytest.fixture(scope="module")
def _narrow_stack(stores: Stores, migrated: Migrated) -> Iterator[Stack]:
    settings = {
        "lanes.lane_waiting_max": LANE_MAX,
        "lanes.account_turns_in_flight_max": ACCOUNT_MAX,
        "lanes.tenant_turns_in_flight_max": TENANT_MAX,
        "lanes.turns_in_flight_max": PROCESS_MAX,
        "outbox.outbox_rows_per_account_max": OUTBOX_MAX,
        "outbox.attempts_max": ATTEMPTS_MAX,
    }
    with migrated() as url, running_stack(url, stores.redis.url, settings=settings) as stack:
        yield stack


@pytest.fixture
def stack(_narrow_stack: Stack) -> Iterator[Stack]:
    """One gateway with narrow bounds and one worker; nothing is under way."""
    _narrow_stack.ledger.wait_quiet()
    yield _narrow_stack
    print(_narrow_stack.logs())


@contextlib.contextmanager
def held(stack: Stack, count: int, **place: str) -> Iterator[list[str]]:
    """Keep the assistant busy with *count* turns, each of a Slack conversation of its own; yield their words."""
    words, holds = [word() for _ in range(count)], []
    for said in words:
        holds.append(Hold(says(f"held {said}")))
        stack.assistant.will(said, holds[-1])
        assert stack.slack.event(said, channel=f"C{said}", **place).send(stack.port).status == 200
    for hold in holds:
        hold.wait_reached()
    try:
        yield words
    finally:
        for hold in holds:
            hold.released.set()


def assert_refused_event(answer: Answer, reason: str) -> None:
    """Slack is asked to come again."""
    assert (answer.status, answer.body.decode()) == (503, reason)
    assert int(answer.headers["retry-after"]) >= 1


def assert_refused_page(answer: Answer, reason: str) -> None:
    """The page is told why, when to come again, and what to say to its user."""
    assert (answer.status, answer.json["error"]) == (503, reason)
    assert answer.json["message"] == BUSY
    assert int(answer.headers["retry-after"]) == answer.json["retry_after_s"] >= 1


def test_turns_that_wait_in_one_conversation(stack: Stack) -> None:
    """``lane_waiting_max``: one more is refused and not stored; the same delivery succeeds once there is room."""
    with held(stack, 1) as [first]:
        channel, second, third, asked = f"C{first}", word(), word(), word()
        assert stack.slack.event(second, channel=channel).send(stack.port).status == 200
        delivery = stack.slack.event(third, channel=channel)
        assert_refused_event(delivery.send(stack.port), "lane_full")
        # Slack does not repeat a command: its user is told, in the language of a 200.
        command = stack.slack.command(asked, channel=channel).send(stack.port)
        assert (command.status, command.json["text"]) == (200, BUSY)
        assert stack.ledger.turns(third) == stack.ledger.turns(asked) == []

    stack.slack.wait_for(second)
    assert delivery.send(stack.port).status == 200
    assert stack.slack.wait_for(third)[0].json["text"] == f"echo: {third}"


def test_a_visitors_lane(stack: Stack) -> None:
    """The same for a page, whose repeat under the same id is a new message, not a duplicate."""
    visitor, said = Visitor(), word()
    hold = Hold(says("done"))
    stack.assistant.will(said, hold)
    for number in range(LANE_MAX):
        assert visitor.say(stack.port, f"{said} {number}").status == 202
    hold.wait_reached()
    assert_refused_page(visitor.say(stack.port, f"{said} last", message_id="the-last-one"), "lane_full")
    hold.released.set()
    stack.ledger.wait_settled(said, count=LANE_MAX)

    again = visitor.say(stack.port, f"{said} last", message_id="the-last-one", wait_s=20)
    assert texts(again) == [f"echo: {said} last"]


def test_turns_of_one_account(stack: Stack) -> None:
    """``account_turns_in_flight_max``: a busy account is refused more, and takes nothing from the others."""
    with held(stack, ACCOUNT_MAX):
        refused, other = word(), word()
        delivery = stack.slack.event(refused, channel="B2")
        assert_refused_event(delivery.send(stack.port), "account_full")
        stack.slack.event(other, channel="B2", account="hasty").send(stack.port)
        assert stack.slack.wait_for(other)[0].json["text"] == f"echo: {other}"
        assert texts(Visitor().say(stack.port, "hello", wait_s=20)) == ["echo: hello"]
    stack.ledger.wait_quiet()

    assert delivery.send(stack.port).status == 200
    stack.slack.wait_for(refused)


def test_turns_of_one_tenant(stack: Stack) -> None:
    """``tenant_turns_in_flight_max``: all accounts of one tenant together; one that names none is not among them."""
    one, three = {"account": "app", "team": "T0ONE"}, {"account": "app", "team": "T0THREE"}
    with held(stack, TENANT_MAX - 1, **one), held(stack, 1, **three):
        refused, other = word(), word()
        delivery = stack.slack.event(refused, channel="B9", **three)
        assert_refused_event(delivery.send(stack.port), "tenant_full")
        stack.slack.event(other, channel="B9").send(stack.port)
        assert stack.slack.wait_for(other)[0].json["text"] == f"echo: {other}"
    stack.ledger.wait_quiet()

    assert delivery.send(stack.port).status == 200
    stack.slack.wait_for(refused)


def test_turns_of_one_process(stack: Stack) -> None:
    """``turns_in_flight_max``: whoever comes next is refused, whatever the account."""
    said = word()
    holds = [Hold(says("done")) for _ in range(PROCESS_MAX - ACCOUNT_MAX)]
    stack.assistant.will(said, *holds)
    with held(stack, ACCOUNT_MAX):
        for _ in holds:
            Visitor().say(stack.port, said)
        for hold in holds:
            hold.wait_reached()
        assert_refused_page(Visitor().say(stack.port, "hello"), "process_full")
        assert_refused_event(
            stack.slack.event("hello", channel="B3", account="hasty").send(stack.port), "process_full"
        )
        for hold in holds:
            hold.released.set()
    stack.ledger.wait_quiet()

    assert texts(Visitor().say(stack.port, "hello", wait_s=20)) == ["echo: hello"]


def test_unsent_replies_of_one_account(stack: Stack) -> None:
    """``outbox_rows_per_account_max``: while Slack does not take replies, no more are made for it."""
    said = word()
    holds = [Hold(lambda call: call.answer(b'{"ok": true, "ts": "1.1"}')) for _ in range(OUTBOX_MAX)]
    stack.slack.will(said, *holds)
    for number in range(OUTBOX_MAX):
        stack.slack.event(said, channel=f"B4{number}").send(stack.port)
    for hold in holds:
        hold.wait_reached()

    # The rows are counted once a second.
    answer = until("a refusal", lambda: _refusal(stack.slack.event(word(), channel="B5").send(stack.port)))
    assert_refused_event(answer, "outbox_full")
    assert stack.slack.command(word(), channel="B6").send(stack.port).json["text"] == BUSY
    assert texts(Visitor().say(stack.port, "hello", wait_s=20)) == ["echo: hello"]
    for hold in holds:
        hold.released.set()
    stack.ledger.wait_outbox(said, "sent", count=OUTBOX_MAX)
    until("service again", lambda: stack.slack.event(word(), channel="B7").send(stack.port).status == 200)


def test_tries_of_one_reply(stack: Stack) -> None:
    """``attempts_max``: a platform that never takes it gets so many tries; then it is a dead letter, and the next
    message of the conversation has its turn."""
    said, behind = word(), word()
    trouble = status("503 Service Unavailable", b'{"ok": false, "error": "service_unavailable"}')
    stack.slack.will(said, *[trouble] * (ATTEMPTS_MAX + 1))
    stack.slack.event(said, channel="B8").send(stack.port)
    stack.slack.event(behind, channel="B8").send(stack.port)

    [row] = stack.ledger.wait_outbox(said, "not_sent")
    assert (row["reason"], row["attempts"]) == ("attempts_exhausted", ATTEMPTS_MAX)
    [letter] = stack.ledger.letters(said)
    assert letter["reason"] == "not_sent: attempts_exhausted"
    assert "service_unavailable" in letter["detail"]
    stack.ledger.wait_outbox(behind, "sent")
    assert len(stack.slack.about(said)) == ATTEMPTS_MAX


def _refusal(answer: Answer) -> Answer | None:
    return answer if answer.status != 200 else None
