"""A message that answers nothing: once, behind what its conversation has to do, by the way that its channel has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from gateway.domain.job import Bury, Done, Job, Retry, partition_of
from gateway.domain.reply import Reply, Text
from gateway.jobs.pushes import MESSAGE_PUSH, MessagePush
from gateway.settings.accounts import Account, SlackAccount, WebchatAccount
from gateway.store.ledger import push as rows
from gateway.store.ledger.accept import Accepted
from gateway.store.ledger.arrange import Arrival
from tests.support.actor import Actor, arrival
from tests.support.handling import Handling, job
from workers.handlers import message_push
from workers.registry import handlers

HANDLER = handlers()[MESSAGE_PUSH]
assert message_push.message_push is HANDLER.perform
TEA = Reply((Text("Your tea is ready."),))
ACCOUNTS: dict[tuple[str, str], Account] = {
    ("slack", "bot"): SlackAccount(channel="slack", name="bot", assistant="a"),
    ("webchat", "bot"): WebchatAccount(channel="webchat", name="bot", assistant="a"),
}


@pytest.fixture
def worker(database: str, redis_url: str) -> Iterator[Handling]:
    with Handling(database, redis_url, accounts=ACCOUNTS) as at_work:
        yield at_work


@pytest.fixture
def gateway(database: str) -> Actor:
    return Actor(database)


def begun(gateway: Actor, **place: Any) -> Accepted:
    """A conversation in which a question was answered."""
    accepted = gateway.say("hello", **place)
    gateway.answer(accepted.conversation_id)
    return accepted


def push(conversation_id: int, *, once: str = "", reply: Reply = TEA, job_id: int = 7) -> Job:
    return job(HANDLER, MessagePush(conversation_id, once, reply), job_id=job_id, trace_id="f" * 32)


def turns(gateway: Actor, conversation_id: int) -> list[tuple[Any, ...]]:
    return gateway.rows(
        "SELECT seq, state, message ->> 'kind', reply -> 'parts' -> 0 ->> 'text' FROM turns"
        " WHERE conversation_id = %s ORDER BY seq",
        conversation_id,
    )


def outbox(gateway: Actor) -> list[dict[str, Any]]:
    return [msgspec.json.decode(row[0]) for row in gateway.rows("SELECT payload FROM outbox ORDER BY id")]


def test_it_is_a_turn_of_its_own_with_a_reply_to_be_sent(worker: Handling, gateway: Actor) -> None:
    accepted = begun(gateway, lane="C1")

    outcome = worker.run(HANDLER, push(accepted.conversation_id))

    assert isinstance(outcome, Done)
    assert outcome.result["seq"] == 2
    assert turns(gateway, accepted.conversation_id)[1] == (2, "answered", "event", "Your tea is ready.")
    (payload,) = outbox(gateway)
    assert (payload["via"], payload["body"]["channel"]) == ("chat.postMessage", "C1")
    lane = f"conversation:{accepted.conversation_id}"
    (carrier,) = gateway.rows("SELECT kind, lane, partition, trace_id FROM jobs")
    assert carrier == ("reply.send", lane, partition_of(lane), "f" * 32)
    lane_row = gateway.lane(accepted.conversation_id)
    assert (lane_row.last_seq, lane_row.done_seq, lane_row.owner) == (2, 2, None)


def test_the_conversation_goes_on_behind_it(worker: Handling, gateway: Actor) -> None:
    accepted = begun(gateway)
    worker.run(HANDLER, push(accepted.conversation_id))

    again = gateway.say("thanks")
    gateway.answer(again.conversation_id)

    assert [seq for seq, *_ in turns(gateway, accepted.conversation_id)] == [1, 2, 3]


def test_it_waits_for_a_turn_that_waits_or_runs(worker: Handling, gateway: Actor) -> None:
    accepted = begun(gateway)
    running = gateway.say("and milk?")

    outcome = worker.run(HANDLER, push(accepted.conversation_id))

    assert isinstance(outcome, Retry)
    assert (outcome.reason, outcome.counted) == ("busy", False)
    assert len(turns(gateway, accepted.conversation_id)) == 2
    gateway.answer(running.conversation_id, pushes=["with milk"])
    assert isinstance(worker.run(HANDLER, push(accepted.conversation_id)), Done)
    assert [payload.get("text", "the push") for payload in outbox(gateway)] == ["with milk", "the push"]


@pytest.mark.parametrize("once", ["", "tea"])
def test_a_job_that_runs_again_writes_nothing_twice(worker: Handling, gateway: Actor, once: str) -> None:
    """Its worker died behind the commit."""
    accepted = begun(gateway)
    first = worker.run(HANDLER, push(accepted.conversation_id, once=once))

    assert worker.run(HANDLER, push(accepted.conversation_id, once=once)) == first
    assert len(outbox(gateway)) == 1


def test_what_was_written_under_a_key_is_not_written_by_another_job(worker: Handling, gateway: Actor) -> None:
    accepted = begun(gateway)
    worker.run(HANDLER, push(accepted.conversation_id, once="tea"))

    worker.run(HANDLER, push(accepted.conversation_id, once="tea", job_id=8))

    assert len(outbox(gateway)) == 1


def test_two_messages_are_two(worker: Handling, gateway: Actor) -> None:
    accepted = begun(gateway)
    for job_id in (7, 8):
        worker.run(HANDLER, push(accepted.conversation_id, job_id=job_id))

    assert len(outbox(gateway)) == 2


def test_an_address_that_only_answers_its_delivery_is_not_used(worker: Handling, gateway: Actor) -> None:
    """Slack's response_url is void after half an hour, and works five times."""
    command = arrival(lane="C1")
    address = {"channel": "C1", "response_url": "https://hooks.slack.com/x", "visibility": "ephemeral"}
    inbound = msgspec.structs.replace(command.inbound, surface="command", address=address)
    (accepted,) = gateway.accept(Arrival(command.channel, command.account, inbound, command.trace_id))
    gateway.answer(accepted.conversation_id)

    assert isinstance(worker.run(HANDLER, push(accepted.conversation_id)), Done)
    assert outbox(gateway)[0]["via"] == "chat.postMessage"
    # The next one goes by the last turn, which is this one.
    assert isinstance(worker.run(HANDLER, push(accepted.conversation_id, job_id=8)), Done)
    assert outbox(gateway)[1] == outbox(gateway)[0]


def test_web_chat_is_sent_nothing_because_its_page_shows_the_turn(worker: Handling, gateway: Actor) -> None:
    question = arrival(channel="webchat")
    inbound = msgspec.structs.replace(question.inbound, surface="message", address={"id": "m1"})
    (accepted,) = gateway.accept(Arrival("webchat", "bot", inbound, question.trace_id))
    gateway.answer(accepted.conversation_id)

    assert isinstance(worker.run(HANDLER, push(accepted.conversation_id)), Done)
    assert outbox(gateway) == []
    assert turns(gateway, accepted.conversation_id)[1][3] == "Your tea is ready."


def test_many_messages_in_a_row_do_not_make_the_next_one_slower(worker: Handling, gateway: Actor) -> None:
    """Law: each is found its place by the one before it, whoever spoke last, and names no message of the page's own."""
    question = arrival(channel="webchat")
    inbound = msgspec.structs.replace(question.inbound, surface="message", address={"id": "m1", "chat": "c"})
    (accepted,) = gateway.accept(Arrival("webchat", "bot", inbound, question.trace_id))
    gateway.answer(accepted.conversation_id)
    for job_id in range(7, 27):
        worker.run(HANDLER, push(accepted.conversation_id, job_id=job_id))

    read = "SELECT coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables WHERE relname = 'turns'"
    with gateway.transaction():
        before = gateway.one(read)
        place = rows.place(gateway.cursor, accepted.conversation_id)
        assert gateway.one(read) - before <= 1
    assert place is not None
    assert place.address == {"chat": "c"}


def test_a_message_to_nobody_is_a_dead_letter(worker: Handling) -> None:
    outcome = worker.run(HANDLER, push(12_345))

    assert isinstance(outcome, Bury)
    assert outcome.reason == "no_such_conversation"


def test_a_turn_whose_user_was_erased_shows_no_way(worker: Handling, gateway: Actor) -> None:
    """The conversation is others' too: what is left of the erased one's turn says nothing."""
    accepted = begun(gateway, lane="C1")
    erased = begun(gateway, lane="C1", user="another")
    gateway.rows("UPDATE turns SET address = '{}' WHERE id = %s RETURNING id", erased.turn_id)

    assert isinstance(worker.run(HANDLER, push(accepted.conversation_id)), Done)
    assert outbox(gateway)[0]["body"]["channel"] == "C1"

    gateway.rows("UPDATE turns SET address = '{}' RETURNING id")
    assert isinstance(worker.run(HANDLER, push(accepted.conversation_id, job_id=8)), Bury)


def test_an_account_that_left_the_settings_is_a_dead_letter(worker: Handling, gateway: Actor) -> None:
    accepted = begun(gateway, account="gone")

    outcome = worker.run(HANDLER, push(accepted.conversation_id))

    assert isinstance(outcome, Bury)
    assert outcome.reason == "account_gone"
    assert len(turns(gateway, accepted.conversation_id)) == 1
