"""Jobs in the hands of operators: retried at their lane's end, dropped with what they carry, paused, listed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
import pytest

from gateway.domain.errors import Conflict, NotFound, Overloaded, StoreUnavailable
from gateway.domain.job import Draft, Enqueued, Fate, Job, JobEnd
from gateway.domain.resilience.priority import Priority
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store import job_admin
from gateway.store.job_admin import PAUSES_MAX
from gateway.store.job_views import JobView, list_jobs, show
from gateway.store.ledger import job_partitions, jobs
from gateway.store.ledger.jobs import Pull
from gateway.store.postgres import Database
from tests.support.actor import Actor


class Worker:
    """One that owns every partition, and reads and settles as it is told."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self.cursor = actor.cursor
        self.fences = job_partitions.take(self.cursor, actor.process, 32)

    def ask(self, kind: str = "greet", **draft: Any) -> Enqueued:
        return jobs.enqueue(self.cursor, [Draft(kind=kind, payload=draft.pop("payload", {}), **draft)])[0]

    def read(self) -> list[Job]:
        pulls = [Pull(part, priority, 0, 100) for part in self.fences for priority in Priority]
        found = jobs.scan(self.cursor, self.actor.process, pulls, self.fences).jobs
        return sorted(found, key=lambda job: job.place)

    def settle(self, job_id: int, fate: Fate, *, attempts: int = 3, reason: str = "why", **end: Any) -> None:
        [job] = [job for job in self.read() if job.job_id == job_id]
        settled = jobs.settle(
            self.cursor, self.actor.process, [JobEnd(job, fate, attempts, reason=reason, **end)], [job.claim]
        )
        assert settled.changed == {job_id}

    def bury(self, kind: str = "greet", **draft: Any) -> Enqueued:
        asked = self.ask(kind, **draft)
        self.settle(asked.job_id, "bury", detail="it broke")
        return asked

    def view(self, job_id: int) -> JobView:
        found = show(self.cursor, job_id)
        assert isinstance(found, JobView)
        return found

    def letters(self, job_id: int) -> list[tuple[Any, ...]]:
        return self.actor.rows(
            "SELECT reason, closed_as, closed_at IS NULL FROM dead_letters WHERE job_id = %s ORDER BY id", job_id
        )


@pytest.fixture
def worker(actors: Callable[..., Actor]) -> Worker:
    return Worker(actors("worker"))


# Retry


def test_a_retried_job_starts_anew_at_its_lanes_end(worker: Worker) -> None:
    """Law: what came behind it went on, and is not held up a second time."""
    first = worker.bury(lane="l")
    second, third = worker.ask(lane="l"), worker.ask(lane="l")
    retried = job_admin.retry(worker.cursor, first.job_id, by="ada@desk")
    assert (retried.job_id, retried.partition, retried.priority) == (first.job_id, first.partition, Priority.NORMAL)
    fourth = worker.ask(lane="l")
    assert [job.job_id for job in worker.read()] == [second.job_id, third.job_id, first.job_id, fourth.job_id]


def test_a_retried_job_has_neither_failed_nor_killed_anybody(worker: Worker) -> None:
    asked = worker.bury()
    worker.actor.cursor.execute("UPDATE jobs SET deaths = 2, progress = '7'")
    job_admin.retry(worker.cursor, asked.job_id, by="ada@desk")
    view = worker.view(asked.job_id)
    assert (view.state, view.attempts, view.deaths, view.progress, view.finished_at) == ("ready", 0, 0, None, None)
    assert (view.reason, view.detail) == ("retried_by_hand", "by ada@desk")
    [job] = worker.read()
    assert (job.attempts, job.deaths, job.wait_s) == (0, 0, 0)


def test_its_dead_letter_is_closed_and_a_second_end_writes_another(worker: Worker) -> None:
    asked = worker.bury()
    assert worker.letters(asked.job_id) == [("why", None, True)]
    job_admin.retry(worker.cursor, asked.job_id, by="ada")
    assert worker.letters(asked.job_id) == [("why", "retried", False)]
    worker.settle(asked.job_id, "bury", reason="again")
    assert worker.letters(asked.job_id) == [("why", "retried", False), ("again", None, True)]
    assert [(one.reason, one.detail, one.closed_as) for one in worker.view(asked.job_id).letters] == [
        ("why", "it broke", "retried"),
        ("again", "", ""),
    ]


@pytest.mark.parametrize(("draft", "fate", "state"), [({}, None, "ready"), ({"run_at": 4e9}, None, "scheduled"),
                                                      ({"keep_s": 60.0}, "done", "done")])  # fmt: skip
def test_only_what_is_buried_is_retried(worker: Worker, draft: dict[str, Any], fate: Fate, state: str) -> None:
    """Law: a running job must not become two."""
    asked = worker.ask(**draft)
    if fate:
        worker.settle(asked.job_id, fate)
    before = worker.view(asked.job_id)
    with pytest.raises(Conflict, match=f"job {asked.job_id} is {state}: only what was buried") as refused:
        job_admin.retry(worker.cursor, asked.job_id, by="ada")
    assert refused.value.reason == f"job_{state}"
    assert worker.view(asked.job_id) == before


def test_a_unique_key_that_is_taken_meanwhile_is_told_and_changes_nothing(worker: Worker) -> None:
    """Law: at most one unfinished job bears a key."""
    asked = worker.bury(unique="k")
    other = worker.ask(unique="k")
    with pytest.raises(Conflict, match=f"job {other.job_id} bears its unique key"):
        job_admin.retry(worker.cursor, asked.job_id, by="ada")
    assert worker.view(asked.job_id).state == "buried"
    assert worker.letters(asked.job_id) == [("why", None, True)]
    worker.settle(other.job_id, "done")
    assert job_admin.retry(worker.cursor, asked.job_id, by="ada").job_id == asked.job_id


def test_two_who_retry_at_once_retry_once(worker: Worker, actors: Callable[..., Actor]) -> None:
    asked, other = worker.bury(), actors()
    with worker.actor.transaction():
        job_admin.retry(worker.cursor, asked.job_id, by="ada")
        second = gevent.spawn(job_admin.retry, other.cursor, asked.job_id, by="bob")
        worker.actor.holds_up(other, second)
    with pytest.raises(Conflict, match="is ready"):
        second.get()
    assert worker.view(asked.job_id).detail == "by ada"


def test_what_is_not_there_is_told(worker: Worker) -> None:
    for act in (job_admin.retry, job_admin.drop):
        with pytest.raises(NotFound, match="there is no job 77"):
            act(worker.cursor, 77, by="ada")


# Drop


@pytest.mark.parametrize("draft", [{}, {"run_at": 4e9}, {"lane": "l"}])
def test_a_waiting_job_is_dropped_and_who_did_it_is_kept(worker: Worker, draft: dict[str, Any]) -> None:
    asked = worker.ask(**draft)
    dropped = job_admin.drop(worker.cursor, asked.job_id, by="ada@desk")
    assert (dropped.job_id, dropped.partition, dropped.holder) == (asked.job_id, asked.partition, None)
    assert worker.actor.rows("SELECT 1 FROM jobs") == []
    [letter] = show(worker.cursor, asked.job_id)  # type: ignore[misc]  # only the letters are left
    state = "scheduled" if "run_at" in draft else "ready"
    assert (letter.reason, letter.detail) == ("dropped", f"greet ({state}) by ada@desk")
    assert letter.closed_as == "dropped"
    assert letter.closed_at


def test_a_buried_job_is_dropped_with_its_dead_letter(worker: Worker) -> None:
    asked = worker.bury()
    job_admin.drop(worker.cursor, asked.job_id, by="ada")
    assert worker.letters(asked.job_id) == [("why", "dropped", False), ("dropped", "dropped", False)]


def test_a_kept_result_is_not_dropped(worker: Worker) -> None:
    asked = worker.ask(keep_s=60.0)
    worker.settle(asked.job_id, "done")
    with pytest.raises(Conflict, match="is done"):
        job_admin.drop(worker.cursor, asked.job_id, by="ada")
    assert worker.view(asked.job_id).state == "done"


def test_who_had_read_a_dropped_job_is_named_and_its_end_is_not_written(worker: Worker) -> None:
    asked = worker.ask()
    [job] = worker.read()
    assert job_admin.drop(worker.cursor, asked.job_id, by="ada").holder == "test"
    settled = jobs.settle(worker.cursor, worker.actor.process, [JobEnd(job, "retry", 1, after_s=1.0)])
    assert settled.changed == set()
    assert worker.actor.rows("SELECT 1 FROM jobs") == []


def test_a_drop_waits_for_a_settle_and_finds_what_it_made(worker: Worker, actors: Callable[..., Actor]) -> None:
    asked, other = worker.ask(), actors()
    with worker.actor.transaction():
        worker.settle(asked.job_id, "done")
        drop = gevent.spawn(job_admin.drop, other.cursor, asked.job_id, by="ada")
        worker.actor.holds_up(other, drop)
    with pytest.raises(NotFound):
        drop.get()
    assert worker.letters(asked.job_id) == []


# The replies that jobs carry


def carrier(worker: Worker, state: str, reason: str | None = None) -> tuple[Enqueued, int]:
    """A reply's row in the outbox, and the job that carries it."""
    box = worker.actor.one(
        "INSERT INTO outbox (conversation_id, turn_id, channel, account, kind, state, payload, due_at, reason)"
        " VALUES (5, 6, 'slack', 'bot', 'push', %s, '{}', clock_timestamp(), %s) RETURNING id",
        state,
        reason,
    )
    job = worker.ask("reply.send", payload={"outbox_id": box}, lane="conversation:5", unique=f"outbox:{box}")
    return job, box


def test_the_reply_of_a_dropped_job_is_not_sent(worker: Worker) -> None:
    """Law: a pending row without its job would hold back its conversation, or get another job."""
    job, box = carrier(worker, "pending")
    job_admin.drop(worker.cursor, job.job_id, by="ada")
    row = worker.actor.one("SELECT state, reason, finished_at IS NOT NULL FROM outbox WHERE id = %s", box)
    assert row == ("not_sent", "dropped", True)
    letters = "SELECT kind, reason, closed_as, turn_id, conversation_id FROM dead_letters WHERE outbox_id = %s"
    assert worker.actor.rows(letters, box) == [("outbox", "not_sent: dropped", "dropped", 6, 5)]


@pytest.mark.parametrize("state", ["sending", "sent", "unknown"])
def test_a_reply_that_is_on_the_wire_or_ended_keeps_its_state(worker: Worker, state: str) -> None:
    job, box = carrier(worker, state)
    job_admin.drop(worker.cursor, job.job_id, by="ada")
    assert worker.actor.one("SELECT state FROM outbox WHERE id = %s", box) == state


def test_a_reply_that_was_given_up_with_its_job_is_sent_after_all_when_that_is_retried(worker: Worker) -> None:
    job, box = carrier(worker, "not_sent", "job_buried")
    worker.settle(job.job_id, "bury")
    worker.cursor.execute(
        "INSERT INTO dead_letters (kind, channel, account, outbox_id, reason)"
        " VALUES ('outbox', 'slack', 'bot', %s, 'not_sent: job_buried')",
        (box,),
    )
    job_admin.retry(worker.cursor, job.job_id, by="ada")
    assert worker.actor.one("SELECT state, reason FROM outbox WHERE id = %s", box) == ("pending", None)
    assert worker.actor.one("SELECT closed_as FROM dead_letters WHERE outbox_id = %s", box) == "retried"


@pytest.mark.parametrize(("state", "reason"), [("unknown", "sender_died"), ("not_sent", "refused"), ("sent", None)])
def test_no_other_end_of_a_reply_is_undone(worker: Worker, state: str, reason: str | None) -> None:
    """Law: nothing that may have been sent is sent again in silence."""
    job, box = carrier(worker, state, reason)
    worker.settle(job.job_id, "bury")
    job_admin.retry(worker.cursor, job.job_id, by="ada")
    assert worker.actor.one("SELECT state, reason FROM outbox WHERE id = %s", box) == (state, reason)


def test_a_drop_and_the_end_of_a_send_do_not_lock_each_other_out(
    worker: Worker, actors: Callable[..., Actor]
) -> None:
    """Law: the row before its job, as whoever ends a send and gives its row another job."""
    (job, box), sender = carrier(worker, "sending"), actors()
    with sender.transaction():
        sender.cursor.execute("SELECT 1 FROM outbox WHERE id = %s FOR UPDATE", (box,))
        drop = gevent.spawn(job_admin.drop, worker.cursor, job.job_id, by="ada")
        sender.holds_up(worker.actor, drop)
        again = jobs.enqueue(sender.cursor, [Draft(kind="reply.send", payload={}, unique=f"outbox:{box}")])
    assert not again[0].fresh, "the job was not locked yet"
    assert drop.get().job_id == job.job_id


# Pauses


def test_a_pause_stands_until_it_is_taken_back(worker: Worker, pool: Database) -> None:
    assert job_admin.read_pauses(pool) == frozenset()
    paused = job_admin.pause(worker.cursor, "a", by="ada", reason="it burns")
    assert (paused.kind, paused.by, paused.reason) == ("a", "ada", "it burns")
    again = job_admin.pause(worker.cursor, "a", by="bob", reason="still")
    assert (again.by, again.reason) == ("bob", "still")
    assert again.at > paused.at
    assert job_admin.list_pauses(worker.cursor) == [again]
    assert job_admin.read_pauses(pool) == {"a"}
    assert job_admin.resume(worker.cursor, "a") is True
    assert job_admin.resume(worker.cursor, "a") is False
    assert job_admin.list_pauses(worker.cursor) == []


def test_pauses_are_bounded_and_those_that_stand_can_be_changed(worker: Worker) -> None:
    worker.cursor.execute(
        "INSERT INTO job_pauses (kind, by, reason) SELECT 'k' || n, 'ada', 'why' FROM generate_series(1, %s) AS n",
        (PAUSES_MAX,),
    )
    with pytest.raises(Overloaded, match="resume some"):
        job_admin.pause(worker.cursor, "one.more", by="ada", reason="why")
    assert job_admin.pause(worker.cursor, "k1", by="bob", reason="why").by == "bob"


def test_a_database_that_is_not_migrated_yet_is_one_to_wait_for(empty_database: str) -> None:
    """Law: a worker that runs before its migration must not die of that."""
    pool = Database(StoreSettings(database_url=Secret(empty_database)))
    try:
        with pytest.raises(StoreUnavailable, match="switchboard migrate"):
            job_admin.read_pauses(pool)
    finally:
        pool.close()


# Lists


def test_lists_are_newest_first_and_narrowed_by_what_is_asked(worker: Worker) -> None:
    buried = worker.bury("a", lane="x")
    ready = worker.ask("a", lane="x")
    scheduled = worker.ask("b", run_at=4e9)
    every = [scheduled.job_id, ready.job_id, buried.job_id]

    def ids(**asked: Any) -> list[int]:
        return [one.job_id for one in list_jobs(worker.cursor, **asked)]

    assert ids() == every
    assert ids(kind="a") == every[1:]
    assert ids(state="buried") == [buried.job_id]
    assert ids(kind="a", state="ready", lane="x") == [ready.job_id]
    assert ids(lane="nobody's") == []
    assert ids(rows_max=1) == every[:1]
    assert ids(before=ready.job_id) == [buried.job_id]


def test_a_list_says_which_kinds_are_paused_and_why_tries_failed(worker: Worker) -> None:
    asked = worker.ask("a", priority=Priority.LOW)
    worker.ask("b")
    worker.settle(asked.job_id, "retry", attempts=2, reason="timeout", after_s=60.0)
    job_admin.pause(worker.cursor, "a", by="ada", reason="why")
    b, a = list_jobs(worker.cursor)
    assert (a.paused, b.paused) == (True, False)
    assert (a.state, a.attempts, a.reason, a.priority) == ("ready", 2, "timeout", "low")
    assert a.due_at - a.created_at > 50
    assert (b.due_at - b.created_at, b.finished_at) == (pytest.approx(0, abs=5), None)


def test_one_job_is_shown_with_its_place_in_its_lane_and_who_has_it(
    worker: Worker, actors: Callable[..., Actor]
) -> None:
    first, second = worker.ask(lane="l", payload={"to": "Ada"}, keep_s=9.0), worker.ask(lane="l")
    later, other = worker.ask(lane="l", run_at=4e9), worker.ask(lane="another")
    assert [worker.view(one.job_id).ahead for one in (first, second, later, other)] == [0, 1, 2, 0]
    assert worker.view(first.job_id).holder is None
    worker.read()
    view = worker.view(first.job_id)
    assert (view.owner, view.holder, bytes(view.payload), view.keep_s) == ("test", "test", b'{"to":"Ada"}', 9.0)
    worker.actor.die(actors())
    view = worker.view(first.job_id)
    assert (view.owner, view.holder, view.deaths) == (None, None, 1)


def test_results_and_progress_are_shown_as_they_were_written(worker: Worker) -> None:
    asked = worker.ask(keep_s=60.0)
    worker.cursor.execute("UPDATE jobs SET progress = '{\"done\": 3}'")
    worker.settle(asked.job_id, "done", result='["Ada"]')
    view = worker.view(asked.job_id)
    assert (view.state, bytes(view.progress or b""), bytes(view.result or b"")) == ("done", b'{"done": 3}', b'["Ada"]')
    assert view.finished_at
    assert view.expires_at == pytest.approx(view.finished_at + 60, abs=5)
