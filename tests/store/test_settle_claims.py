"""Pushes that the settling process sends itself: only where nothing of the conversation is in others' hands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.domain.turn import OutboxDraft
from gateway.store.ledger.outbox import Finish
from gateway.store.ledger.settle import Settled
from tests.support.actor import Actor

MINE = OutboxDraft(kind="push", payload={"text": "mine"}, claimed=True)
OTHERS = OutboxDraft(kind="push", payload={"text": "anybody's"})


def settled(actor: Actor, *drafts: OutboxDraft, lane: str = "lane") -> Settled:
    """The next turn of the lane, settled with these."""
    return actor.answer(actor.say(lane=lane).conversation_id, drafts=drafts)


def rows(actor: Actor) -> list[tuple[Any, ...]]:
    return actor.rows("SELECT state, attempts, claimed_process, claimed_epoch FROM outbox ORDER BY id")


def jobs(actor: Actor) -> int:
    return int(actor.one("SELECT count(*) FROM jobs"))


@pytest.fixture
def worker(actors: Callable[..., Actor]) -> Actor:
    return actors("worker")


def test_a_turns_pushes_are_being_sent_from_the_commit_on(here: Actor) -> None:
    """Law: they need no job, and count as tried."""
    answered = settled(here, MINE, MINE)
    assert answered.push_jobs == ()
    assert here.sending() == set(answered.outbox_ids)
    assert rows(here) == [("sending", 1, here.id, here.process.epoch)] * 2
    assert jobs(here) == 0
    assert here.finish(*(Finish(each, "sent") for each in answered.outbox_ids)) == [True, True]


def test_behind_others_they_wait_for_a_worker(here: Actor) -> None:
    """Law: rows of a conversation are sent in the order of their ids, whoever sends them."""
    first = settled(here, OTHERS)
    behind = settled(here, MINE, MINE)
    assert len(first.push_jobs) == 1
    assert len(behind.push_jobs) == 2, "all of a turn's or none"
    assert rows(here)[1:] == [("pending", 0, None, None)] * 2
    assert settled(here, MINE, lane="another one").push_jobs == (), "a conversation waits for its own alone"


def test_behind_what_a_worker_is_sending_they_wait_too(here: Actor, worker: Actor) -> None:
    """Law: it may come back."""
    (first,) = settled(here, OTHERS).outbox_ids
    assert worker.take(first)[0].found == "taken"
    assert len(settled(here, MINE).push_jobs) == 1


def test_behind_a_response_that_this_process_is_writing_they_wait(here: Actor) -> None:
    """Law: it becomes a push, and somebody else's, if its caller has left."""
    settled(here, OutboxDraft(kind="response", payload={"text": "a"}, claimed=True))
    assert len(settled(here, MINE).push_jobs) == 1


def test_behind_pushes_of_the_same_process_they_follow(here: Actor, there: Actor) -> None:
    """Law: and behind those of another one, or of an earlier life of this one, they wait."""
    settled(here, MINE)
    assert settled(here, MINE).push_jobs == ()
    assert len(settled(there, MINE).push_jobs) == 1


def test_behind_what_has_ended_or_is_kept_they_are_the_first(here: Actor) -> None:
    (first,) = settled(here, MINE).outbox_ids
    here.finish(Finish(first, "not_sent", reason="gone"))
    settled(here, OutboxDraft(kind="response", payload={"text": "kept"}, kept_s=60.0))
    assert settled(here, MINE).push_jobs == ()


def test_behind_one_of_theirs_that_went_back_they_wait(here: Actor) -> None:
    (first,) = settled(here, MINE).outbox_ids
    here.finish(Finish(first, "retry", reason="busy", after_s=60.0))
    assert len(settled(here, MINE).push_jobs) == 1
    assert jobs(here) == 2, "what went back has got a carrier"


def test_those_of_a_process_that_died_are_unknown(here: Actor, there: Actor) -> None:
    """Law: and one that may be sent again is sent again, marked."""
    settled(here, MINE)
    settled(here, OutboxDraft(kind="push", payload={"text": "b"}, claimed=True, resend_unknown=True), lane="another")
    here.die(buried_by=there)
    assert there.rows("SELECT state, maybe_repeat FROM outbox ORDER BY id") == [("unknown", False), ("pending", True)]
    assert jobs(there) == 1


def test_only_the_first_of_a_conversation_may_have_been_on_the_wire(here: Actor, there: Actor) -> None:
    """Law: those behind it are lost to nobody: they go back, unmarked and as no try, and in order."""
    settled(here, MINE, MINE)
    settled(here, MINE)
    settled(here, MINE, lane="another")
    here.die(buried_by=there)
    assert there.rows("SELECT state, attempts, maybe_repeat FROM outbox ORDER BY id") == [
        ("unknown", 1, False), ("pending", 0, False), ("pending", 0, False), ("unknown", 1, False),
    ]  # fmt: skip
    assert [row[0] for row in there.rows("SELECT payload ->> 'outbox_id' FROM jobs ORDER BY place")] == ["2", "3"]
    assert there.one("SELECT count(*) FROM dead_letters") == 2
