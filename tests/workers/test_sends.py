"""Rows in a worker's hands: in one pair at a time, each with an end that gets to the ledger, none forgotten there."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import gevent
import psycopg2
import pytest

from gateway.domain.errors import StoreUnavailable
from gateway.domain.job import Draft, Enqueued
from gateway.domain.turn import OutboxDraft
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store.ledger.asking import SentMessage
from gateway.store.ledger.outbox import Finish
from gateway.store.ledger.process import Process
from gateway.store.postgres import Database
from gateway.supervision import Supervisor
from tests.support.actor import Actor
from tests.support.waiting import GUARD_S, until
from workers.sends import Sends


class Worker:
    """A worker process: its sends, and a hand of the test's own in its name."""

    def __init__(self, database_url: str, actor: Actor, follow_ups: Any = None) -> None:
        self.actor = actor
        self.away = False
        settings = StoreSettings(database_url=Secret(database_url))
        self.database = Database(settings)
        self.sends = Sends(self.database, self._process, settings, look_every_s=0.02, follow_ups=follow_ups)
        self.supervisor = Supervisor()
        self.sends.supervise(self.supervisor)

    def _process(self) -> Process:
        if self.away:
            raise StoreUnavailable("away", reason="away", retry_after_s=1)
        return self.actor.process

    def look(self) -> None:
        """Look after what is lost, from now on."""
        self.supervisor.start()

    def stop(self) -> None:
        self.supervisor.stop(time.monotonic() + GUARD_S)
        self.database.close()


@pytest.fixture
def here(database: str) -> Actor:
    """A gateway process."""
    return Actor(database)


@pytest.fixture
def worker(database: str) -> Iterator[Worker]:
    worker = Worker(database, Actor(database, "worker"))
    yield worker
    worker.stop()


def filled(actor: Actor, *texts: str, lane: str = "lane") -> list[int]:
    """A settled turn with these replies to push; their rows."""
    drafts = [OutboxDraft(kind="push", payload={"text": text}) for text in texts]
    return list(actor.answer(actor.say(lane=lane).conversation_id, drafts=drafts).outbox_ids)


def rows(actor: Actor) -> list[tuple[str, int]]:
    return actor.rows("SELECT state, attempts FROM outbox ORDER BY id")


def test_a_row_is_taken_sent_and_ended(here: Actor, worker: Worker) -> None:
    (outbox_id,) = filled(here, "hello")
    taking = worker.sends.take(outbox_id)
    assert taking.row is not None
    assert (taking.row.payload, taking.row.attempts) == ({"text": "hello"}, 1)
    assert outbox_id in worker.sends
    assert worker.sends.end(Finish(outbox_id, "sent", epoch=taking.row.epoch))
    assert outbox_id not in worker.sends
    assert rows(here) == [("sent", 1)]
    assert worker.sends.take(outbox_id).found == "ended"
    assert len(worker.sends) == 0


def test_a_row_is_in_one_pair_of_hands(here: Actor, worker: Worker) -> None:
    """Law: the ledger would give it again to the process that has it; the process knows better."""
    (outbox_id,) = filled(here, "hello")
    assert worker.sends.take(outbox_id).found == "taken"
    assert worker.sends.take(outbox_id).found == "elsewhere"
    assert worker.sends.take(outbox_id).found == "elsewhere", "and what was found changes nothing"


def test_many_that_are_taken_at_once_each_get_their_own(here: Actor, worker: Worker) -> None:
    ids = [filled(here, f"{n}", lane=f"lane {n}")[0] for n in range(30)]
    taken = [gevent.spawn(worker.sends.take, outbox_id) for outbox_id in ids]
    gevent.joinall(taken, timeout=GUARD_S, raise_error=True)
    found = [greenlet.value.row for greenlet in taken]
    assert [(row.outbox_id, row.payload["text"]) for row in found] == [
        (outbox_id, f"{n}") for n, outbox_id in enumerate(ids)
    ]


def test_a_taking_whose_answer_was_lost_is_made_again(here: Actor, worker: Worker) -> None:
    """Law: and counts as one try."""
    (outbox_id,) = filled(here, "hello")
    worker.actor.take(outbox_id)
    worker.away = True
    with pytest.raises(StoreUnavailable):
        worker.sends.take(outbox_id)
    worker.away = False
    taking = worker.sends.take(outbox_id)
    assert taking.row is not None
    assert taking.row.attempts == 1


@pytest.mark.parametrize("cut", [gevent.GreenletExit, gevent.Timeout])
def test_a_row_whose_taking_is_cut_off_is_given_back_before_its_worker_leaves(
    here: Actor, worker: Worker, cut: type[BaseException]
) -> None:
    """Law: it was certainly not sent; left behind it would be called unknown, and perhaps be sent never."""
    (outbox_id,) = filled(here, "hello")
    with here.transaction():
        here.rows("SELECT 1 FROM outbox WHERE id = %s FOR UPDATE", outbox_id)
        taking = gevent.spawn(worker.sends.take, outbox_id)
        until("the taking to be under way", lambda: here.rows("SELECT 1 FROM pg_locks WHERE NOT granted"))
        taking.kill(cut)
        assert worker.sends.take(outbox_id).found == "elsewhere", "it may have been taken"
        assert not worker.sends.flush(time.monotonic() + 0.01)
    assert worker.sends.flush(time.monotonic() + GUARD_S)
    assert rows(here) == [("pending", 0)]
    worker.actor.leave()
    assert rows(here) == [("pending", 0)]
    assert outbox_id not in worker.sends


def test_a_row_whose_taking_failed_is_given_back_before_its_worker_leaves(here: Actor, worker: Worker) -> None:
    """Law: the answer may have been lost of a taking that was done; its job begins elsewhere when its worker ends."""
    (lost,), (sent,) = filled(here, "lost", lane="a"), filled(here, "sent", lane="b")
    assert worker.sends.take(sent).found == "taken"
    worker.actor.take(lost)
    worker.away = True
    with pytest.raises(StoreUnavailable):
        worker.sends.take(lost)
    assert worker.sends.flush(time.monotonic() + GUARD_S), "without PostgreSQL there is nothing to wait for"
    worker.away = False
    assert worker.sends.flush(time.monotonic() + GUARD_S)
    assert rows(here) == [("pending", 0), ("sending", 1)]
    worker.actor.leave()
    assert rows(here) == [("pending", 0), ("unknown", 1)], "what may be on the wire is not given back"


def test_a_last_look_for_what_was_lost_ends_although_postgresql_is_silent(
    here: Actor, worker: Worker, database: str
) -> None:
    """Law: a drain has an end."""
    blocker = psycopg2.connect(database)
    with blocker.cursor() as cursor:
        cursor.execute("LOCK TABLE outbox")
    begun = time.monotonic()
    assert worker.sends.flush(begun)
    assert time.monotonic() < begun + StoreSettings().lock_timeout_s, "it did not wait for PostgreSQL's own word"
    blocker.close()


def test_what_was_not_taken_when_its_taking_was_cut_off_is_let_go(here: Actor, worker: Worker) -> None:
    (outbox_id,) = filled(here, "hello")
    here.take(outbox_id)
    with here.transaction():
        here.rows("SELECT 1 FROM outbox WHERE id = %s FOR UPDATE", outbox_id)
        taking = gevent.spawn(worker.sends.take, outbox_id)
        until("the taking to be under way", lambda: here.rows("SELECT 1 FROM pg_locks WHERE NOT granted"))
        taking.kill()
    assert worker.sends.flush(time.monotonic() + GUARD_S)
    assert outbox_id not in worker.sends
    assert rows(here) == [("sending", 1)]


def test_an_end_is_written_until_it_is_taken(here: Actor, worker: Worker) -> None:
    """Law: a store that blinks must not make a sent row look unsent; nor may the end of the job that waits for it."""
    (outbox_id,) = filled(here, "hello")
    worker.sends.take(outbox_id)
    worker.away = True
    job = gevent.spawn(worker.sends.end, Finish(outbox_id, "sent"))
    gevent.sleep(0)
    job.kill()
    worker.away = False
    assert worker.sends.take(outbox_id).found == "elsewhere", "it would be sent twice"
    until("the end", lambda: rows(here) == [("sent", 1)])
    until("the row to be let go", lambda: outbox_id not in worker.sends)


def test_who_leaves_waits_for_the_ends_that_are_being_written(here: Actor, worker: Worker) -> None:
    """Law: what has no end when its process leaves is called unknown, and a reply that was sent goes out again."""
    (outbox_id,) = filled(here, "hello")
    assert worker.sends.take(outbox_id).found == "taken"
    worker.away = True
    worker.sends.put(Finish(outbox_id, "sent"))
    assert not worker.sends.flush(time.monotonic() + 0.01)
    worker.away = False
    assert worker.sends.flush(time.monotonic() + GUARD_S)
    assert rows(here) == [("sent", 1)]
    assert worker.sends.flush(time.monotonic())


def test_an_end_that_cannot_be_written_is_written_without_its_words(here: Actor, worker: Worker) -> None:
    """Law: a platform's own words may be none that PostgreSQL keeps; that it was sent is written all the same."""
    (outbox_id,) = filled(here, "hello")
    worker.sends.take(outbox_id)
    assert worker.sends.end(Finish(outbox_id, "sent", platform_id="1\0"))
    assert here.one("SELECT state, reason, platform_id FROM outbox") == ("sent", "unwritable", None)


def test_who_was_declared_dead_ends_nothing(here: Actor, worker: Worker) -> None:
    """Law: the others have said that its fate is unknown, and that is what it was."""
    (outbox_id,) = filled(here, "hello")
    taking = worker.sends.take(outbox_id)
    assert taking.row is not None
    worker.actor.die(buried_by=here)
    worker.actor.revive()
    assert not worker.sends.end(Finish(outbox_id, "sent", epoch=taking.row.epoch))
    assert rows(here) == [("unknown", 1)]
    assert outbox_id not in worker.sends


def test_what_was_taken_without_being_heard_of_is_given_back(here: Actor, worker: Worker) -> None:
    """Law: its job may run elsewhere by now, and would wait for this process's end; it was no try, and what this
    process knows that it sends is not touched."""
    (lost,), (known,) = filled(here, "lost", lane="a"), filled(here, "known", lane="b")
    worker.actor.take(lost)
    worker.sends.take(known)
    worker.look()
    until("the stray to be given back", lambda: rows(here)[0] == ("pending", 0))
    assert here.one("SELECT state FROM outbox WHERE id = %s", known) == "sending"
    assert here.one("SELECT count(*) FROM jobs WHERE unique_key = %s", f"outbox:{lost}") == 1


def test_what_is_being_given_back_is_not_taken(here: Actor, worker: Worker) -> None:
    """Law: it would be sent here and, given back meanwhile, by somebody else once more."""
    (lost,) = filled(here, "lost")
    worker.actor.take(lost)
    with here.transaction():
        here.rows("SELECT 1 FROM outbox WHERE id = %s FOR UPDATE", lost)
        worker.look()
        until("the give-back to be under way", lambda: lost in worker.sends)
        assert worker.sends.take(lost).found == "elsewhere"
    until("the end of it", lambda: lost not in worker.sends)
    assert worker.sends.take(lost).found == "taken"


def test_a_reply_without_a_job_that_carries_it_gets_one(here: Actor, worker: Worker) -> None:
    (outbox_id,) = filled(here, "hello")
    here.rows("DELETE FROM jobs RETURNING id")
    worker.look()
    until("the job", lambda: here.rows("SELECT 1 FROM jobs WHERE unique_key = %s", f"outbox:{outbox_id}"))


class Telling:
    """What follows of sends: a job for each."""

    follow_sends = True

    def __init__(self) -> None:
        self.told: list[Enqueued] = []

    def of_sends(self, messages: Sequence[SentMessage]) -> list[Draft]:
        return [Draft(kind="test.told", payload={"id": message.outbox_id}) for message in messages]

    def asked(self, enqueued: Sequence[Enqueued], *_: object) -> None:
        self.told += enqueued


def test_what_follows_of_a_send_is_one_commit_with_its_end(here: Actor, database: str) -> None:
    """Law: of what was sent, and of nothing else."""
    telling = Telling()
    worker = Worker(database, Actor(database, "worker"), telling)
    sent, refused = filled(here, "sent", lane="a"), filled(here, "refused", lane="b")
    for outbox_id, fate in ((sent[0], "sent"), (refused[0], "not_sent")):
        worker.sends.take(outbox_id)
        worker.sends.end(Finish(outbox_id, fate))  # type: ignore[arg-type]
    assert here.rows("SELECT payload FROM jobs WHERE kind = 'test.told'") == [({"id": sent[0]},)]
    assert len(telling.told) == 1
    worker.stop()
