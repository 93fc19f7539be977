"""Every reply that waits to be sent has a job that carries it, written by the same commit; and none is left without."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.job import Job, partition_of
from gateway.domain.turn import OutboxDraft
from gateway.store import migrate
from gateway.store.ledger import jobs, outbox
from gateway.store.ledger.outbox import Finish, send_lane
from gateway.store.ledger.settle import Settled
from tests.support.actor import Actor


@pytest.fixture
def worker(actors: Callable[..., Actor]) -> Actor:
    return actors("worker")


def settled(actor: Actor, *kinds: str, lane: str = "lane", **how: Any) -> tuple[int, Settled]:
    """A conversation, and a settled turn of it with a row of each kind."""
    drafts = [OutboxDraft(kind=kind, payload={"text": kind}, **how) for kind in kinds]  # type: ignore[arg-type]
    conversation_id = actor.say(lane=lane).conversation_id
    return conversation_id, actor.answer(conversation_id, drafts=drafts)


def carriers(actor: Actor) -> list[tuple[Any, ...]]:
    """Unfinished jobs: state, the row they carry, in the order of their places."""
    return actor.rows(
        "SELECT state, (payload->>'outbox_id')::bigint FROM jobs WHERE kind = 'reply.send'"
        " AND state IN ('ready', 'scheduled') ORDER BY place"
    )


def read(actor: Actor, partition: int) -> list[Job]:
    pulls = [jobs.Pull(partition, 0, behind=0, rows_max=100)]
    return jobs.scan(actor.cursor, actor.process, pulls, {partition: 1}).jobs


def test_a_reply_is_carried_by_a_job_in_the_lane_of_its_conversation(here: Actor, worker: Actor) -> None:
    """Law: first of all, in order, and told by name to those who hint."""
    conversation_id, result = settled(here, "push", "push")
    lane = send_lane(conversation_id)
    found = read(worker, partition_of(lane))
    assert [job.lane for job in found] == [lane] * 2
    assert [(job.kind, job.payload) for job in found] == [
        ("reply.send", f'{{"outbox_id":{outbox_id}}}') for outbox_id in result.outbox_ids
    ]
    assert tuple(job.job_id for job in found) == result.push_jobs
    assert found[0].trace_id == here.one("SELECT trace_id FROM turns")


def test_each_turn_of_a_batch_is_told_its_own(here: Actor) -> None:
    """Law: of several lanes in one statement each gets the names of its own jobs, and one without replies none."""
    conversations = [here.say(lane=f"lane {n}").conversation_id for n in range(3)]
    batch = []
    for n, conversation_id in enumerate(conversations):
        found = here.head(conversation_id)
        assert found is not None
        lane, turn = found
        drafts = tuple(OutboxDraft(kind="push", payload={"text": f"{n} {i}"}) for i in range(n))
        batch.append((lane, turn, drafts))
    results = here.settle_all([here.settling(lane, turn, drafts=drafts) for lane, turn, drafts in batch])
    for n, result in enumerate(results):
        named = here.rows("SELECT lane FROM jobs WHERE id = ANY (%s)", list(result.push_jobs))
        assert named == [(send_lane(conversations[n]),)] * n


def test_a_settle_that_runs_again_writes_no_second_carrier(here: Actor) -> None:
    """Law: the answer to its commit was lost."""
    conversation_id = here.say().conversation_id
    head = here.head(conversation_id)
    assert head is not None
    first = here.settle(*head, pushes=["hello"])
    again = here.settle(*head, pushes=["hello"])
    assert again.outbox_ids == first.outbox_ids
    assert carriers(here) == [("ready", first.outbox_ids[0])]


def test_what_is_rolled_back_leaves_no_carrier(here: Actor) -> None:
    """Law: the row and its job are one commit."""
    conversation_id = here.say().conversation_id
    here.cursor.execute("BEGIN")
    here.answer(conversation_id, pushes=["hello"])
    here.cursor.execute("ROLLBACK")
    assert carriers(here) == []


def test_a_response_that_may_still_be_taken_is_carried_once_it_is_due(here: Actor) -> None:
    _, result = settled(here, "response", "push", due_s=60.0)
    assert carriers(here) == [("scheduled", outbox_id) for outbox_id in result.outbox_ids]
    due = here.rows("SELECT j.due_at = o.due_at FROM jobs j JOIN outbox o ON j.unique_key = 'outbox:' || o.id")
    assert due == [(True,), (True,)]


def test_a_response_that_is_being_written_needs_none_until_it_becomes_a_push(here: Actor) -> None:
    _, result = settled(here, "response", claimed=True)
    assert result.push_jobs == ()
    assert carriers(here) == []
    here.finish(Finish(result.outbox_ids[0], "push", "caller_left"))
    assert carriers(here) == [("ready", result.outbox_ids[0])]


@pytest.mark.parametrize("fate", ["sent", "not_sent", "unknown"])
def test_an_end_needs_no_carrier(here: Actor, fate: Any) -> None:
    _, result = settled(here, "response", claimed=True)
    here.finish(Finish(result.outbox_ids[0], fate))
    assert carriers(here) == []


@pytest.mark.parametrize("fate", ["retry", "wait"])
def test_a_row_that_goes_back_keeps_the_carrier_that_it_has(here: Actor, worker: Actor, fate: Any) -> None:
    """Law: the job that is just sending it is the one that tries again."""
    _, result = settled(here, "push")
    worker.take(*result.outbox_ids)
    worker.finish(Finish(result.outbox_ids[0], fate, after_s=60.0))
    assert here.rows("SELECT id FROM jobs") == [(result.push_jobs[0],)]


@pytest.mark.parametrize("sender", ["gateway", "worker"])
def test_what_a_dead_process_may_have_sent_is_carried_again_where_the_policy_says_so(
    here: Actor, there: Actor, worker: Actor, sender: str
) -> None:
    """Law: the gateway's response had no carrier, the worker's push still has its own: one each, afterwards."""
    if sender == "gateway":
        _, result = settled(here, "response", claimed=True, resend_unknown=True)
        here.die(buried_by=there)
    else:
        _, result = settled(here, "push", resend_unknown=True)
        worker.take(*result.outbox_ids)
        worker.die(buried_by=there)
    assert carriers(there) == [("ready", result.outbox_ids[0])]
    assert there.one("SELECT state, maybe_repeat FROM outbox") == ("pending", True)


# Mending


def test_a_row_without_a_carrier_gets_one(here: Actor) -> None:
    """Law: whoever lost it (a process of an earlier version, an operator), no reply waits for ever."""
    _, first = settled(here, "push", lane="a")
    _, second = settled(here, "push", lane="b")
    here.rows("DELETE FROM jobs WHERE id = %s RETURNING id", first.push_jobs[0])
    mended = outbox.mend(here.cursor, None, 100)
    assert (mended.carried, mended.given_up, mended.behind) == (1, 0, None)
    assert sorted(carriers(here)) == [("ready", first.outbox_ids[0]), ("ready", second.outbox_ids[0])]
    assert outbox.mend(here.cursor, None, 100).carried == 0


def test_a_row_whose_carrier_was_buried_is_given_up(here: Actor, worker: Actor) -> None:
    """Law: it must not hold back the conversation's next ones; the letter says why."""
    conversation_id, result = settled(here, "push", "push")
    here.rows("UPDATE jobs SET state = 'buried' WHERE id = %s RETURNING id", result.push_jobs[0])
    assert worker.take(result.outbox_ids[1])[0].found == "earlier"
    mended = outbox.mend(here.cursor, None, 100)
    assert (mended.carried, mended.given_up) == (0, 1)
    assert here.rows("SELECT state, reason FROM outbox ORDER BY id") == [("not_sent", "job_buried"), ("pending", None)]
    letters = here.rows("SELECT kind, outbox_id, conversation_id, reason FROM dead_letters")
    assert letters == [("outbox", result.outbox_ids[0], conversation_id, "not_sent: job_buried")]
    assert worker.take(result.outbox_ids[1])[0].found == "taken"


def test_mending_goes_through_all_in_portions(here: Actor) -> None:
    """Law: a portion ends where the next one begins, and behind the last one it begins anew."""
    for n in range(5):
        settled(here, "push", lane=f"lane {n}")
    here.rows("DELETE FROM jobs RETURNING id")
    behind, carried = None, []
    for _ in range(3):
        mended = outbox.mend(here.cursor, behind, 2)
        behind = mended.behind
        carried.append(mended.carried)
    assert carried == [2, 2, 1]
    assert behind is None


def test_what_is_being_taken_is_not_mended(here: Actor, worker: Actor, there: Actor) -> None:
    """Law: mending waits for nobody, and does not touch what others have in their hands."""
    _, result = settled(here, "push")
    here.rows("DELETE FROM jobs RETURNING id")
    with worker.transaction():
        worker.take(*result.outbox_ids)
        assert outbox.mend(there.cursor, None, 100).carried == 0
    assert outbox.mend(there.cursor, None, 100).carried == 0


# The migration


def test_replies_that_waited_before_there_were_carriers_get_theirs(here: Actor, worker: Actor) -> None:
    """Law: in the order of their rows, where the functions look for them."""
    migration = Path(migrate.__file__).parent / "migrations"
    _, first = settled(here, "push", lane="a")
    _, second = settled(here, "response", due_s=60.0, lane="b")
    _, third = settled(here, "push", lane="a")
    _, taken = settled(here, "response", claimed=True, lane="c")
    here.cursor.execute((migration / "0005_carriers.rollback.sql").read_text())
    assert carriers(here) == []
    here.cursor.execute((migration / "0005_carriers.sql").read_text())
    assert carriers(here) == [
        ("ready", first.outbox_ids[0]), ("scheduled", second.outbox_ids[0]), ("ready", third.outbox_ids[0]),
    ]  # fmt: skip
    assert here.one("SELECT bool_and(partition = job_partition(lane, id)) FROM jobs")
    assert outbox.mend(here.cursor, None, 100).carried == 0
    here.finish(Finish(taken.outbox_ids[0], "push"))
    assert len(carriers(here)) == 4
