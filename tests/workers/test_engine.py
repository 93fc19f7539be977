"""The parts together, in one worker: when jobs start, when they may not, and in which order it all ends."""

from __future__ import annotations

import time
from collections.abc import Iterator

import gevent
import psycopg2
import pytest

from gateway.domain.hint import JobDropped
from gateway.domain.job import PARTITIONS, Done, Draft, partition_of
from tests.server.telling import told
from tests.support.waiting import GUARD_S, until
from tests.workers.crew import Crew, Gate


@pytest.fixture
def crew(database: str, redis_url: str) -> Iterator[Crew]:
    crew = Crew(database, redis_url)
    crew.on("a")
    yield crew
    crew.close()


# Starts


def test_nothing_starts_before_it_is_known_what_is_paused(crew: Crew, database: str) -> None:
    """Law: a worker that comes while a kind is paused would run some of it."""
    holder = psycopg2.connect(database)
    with holder.cursor() as cursor:
        cursor.execute("LOCK TABLE job_pauses IN ACCESS EXCLUSIVE MODE")
    crew.jobs.enqueue("a", 1)
    worker = crew.start()
    until("it to have read the job", lambda: worker._engine._board.ready == 1)
    crew.jobs.enqueue("a", 2)
    until("it to have read the other", lambda: worker._engine._board.ready == 2)
    assert crew.ran() == []
    holder.close()
    crew.finish()
    assert sorted(crew.ran()) == [1, 2]


def test_of_a_paused_kind_nothing_starts_while_the_pauses_cannot_be_read_nor_after(
    crew: Crew, database: str
) -> None:
    """Law: what an operator has paused stays so, whoever starts anew in the meantime."""
    crew.on("paused")
    crew.one("INSERT INTO job_pauses (kind, by, reason) VALUES ('paused', 'test', '') RETURNING kind")
    holder = psycopg2.connect(database)
    with holder.cursor() as cursor:
        cursor.execute("LOCK TABLE job_pauses IN ACCESS EXCLUSIVE MODE")
    crew.jobs.enqueue_many([Draft(kind=kind, payload=kind) for kind in ("paused", "a")])
    worker = crew.start()
    until("it to have read both", lambda: worker._engine._board.ready == 2)
    until("its lease", worker.owner.holds)
    worker._engine._dispatcher.wake()
    crew.turns()
    assert crew.ran() == []
    holder.close()
    until("the other to have run", lambda: crew.ran() == ["a"])
    assert (worker._engine._board.held, worker._engine._board.ready) == (1, 0)
    crew.one("DELETE FROM job_pauses RETURNING kind")
    crew.finish()
    assert crew.ran() == ["a", "paused"]


def test_what_has_killed_two_runs_beside_others_but_not_beside_another_such(crew: Crew) -> None:
    """Law: an innocent one that ran beside the guilty would count the next death with it."""
    suspects, others = Gate(), Gate()
    crew.on("s", suspects)
    crew.on("o", others)
    crew.jobs.enqueue_many([Draft(kind="s", payload=n) for n in range(4)])
    crew.one("UPDATE jobs SET deaths = 2 RETURNING id")
    crew.jobs.enqueue_many([Draft(kind="o", payload=n) for n in range(4)])
    crew.start()
    until("the others, and one of them", lambda: (suspects.inside, others.inside) == (1, 4))
    others.open.set()
    crew.jobs.enqueue("a", "more")
    until("more to have run", lambda: crew.ran("a") == ["more"])
    assert suspects.inside == 1
    suspects.open.set()
    crew.finish()
    assert (suspects.most, sorted(crew.ran("s"))) == (1, [0, 1, 2, 3])


def test_a_dropped_job_is_forgotten_by_the_hint_alone(crew: Crew) -> None:
    gate = Gate()
    crew.on("g", gate)
    drafts = [Draft(kind="g", payload=n, lane="l") for n in range(3)]
    done = crew.jobs.enqueue_many(drafts)
    worker = crew.start()
    until("all to be in memory", lambda: worker._engine._board.buffered == 2)
    crew.one("DELETE FROM jobs WHERE id = %s RETURNING id", done[1].job_id)
    worker._engine.hear(JobDropped(done[1].job_id, done[1].partition))
    assert worker._engine._board.buffered == 1
    gate.open.set()
    crew.finish()
    assert crew.ran() == [0, 2]


def test_claims_are_gone_when_all_is_done(crew: Crew) -> None:
    """Law: what is left of them counts deaths for what had ended."""
    crew.jobs.enqueue_many([Draft(kind="a", payload=n, lane=f"l{n % 5}") for n in range(300)])
    crew.start()
    crew.finish()
    until("no claims", lambda: not crew.one("SELECT count(*) FROM job_claims"))
    assert repr(crew.workers[0]._engine._board).startswith(
        "<Board: 0 ready, 0 buffered, 0 of them held, 0 running"
    )


# The end


def test_what_is_idle_is_handed_over_while_what_runs_is_finished(crew: Crew) -> None:
    """Law: the others share at once; a lane that runs is nobody else's until its end was written."""
    gate = Gate(Done())
    crew.on("g", gate)
    first = crew.start()
    crew.jobs.enqueue("g", "running", lane="l")
    crew.jobs.enqueue("a", "behind it", lane="l")
    until("it to run", lambda: gate.inside)
    second = crew.hire()
    stopping = gevent.spawn(first.stop, time.monotonic() + GUARD_S)
    second.start()
    crew.leave_to(second, partitions=PARTITIONS - 1)
    assert crew.owned(first) == {partition_of("l")}
    crew.jobs.enqueue("a", "elsewhere", lane="m")
    until("the other to work", lambda: crew.ran("a") == ["elsewhere"])
    assert not stopping.ready()
    gate.open.set()
    stopping.get(timeout=GUARD_S)
    crew.finish()
    assert crew.ran() == ["running", "elsewhere", "behind it"]
    assert crew.owned(first) == set()


def test_what_does_not_end_by_the_deadline_is_cut_off_and_runs_elsewhere(crew: Crew) -> None:
    """Law: it counts neither as a try nor as a death."""
    gate = Gate()
    crew.on("g", gate)
    first = crew.start()
    job_id = crew.jobs.enqueue("g", 1, lane="l", keep_s=60).job_id
    until("it to run", lambda: gate.inside)
    with told("jobs.cut_off", "jobs.drained") as heard:
        first.stop(time.monotonic() + 0.5)
    cut, drained = heard.events
    assert cut["jobs"] == 1
    assert (drained["finished"], drained["written"], drained["released"]) == (False, True, True)
    assert gate.cut == ["Stopped"]
    assert crew.one("SELECT count(*) FROM job_partitions WHERE owner_process IS NOT NULL") == 0
    assert crew.one("SELECT array[attempts, deaths] FROM jobs WHERE id = %s", job_id) == [0, 0]
    gate.open.set()
    crew.start()
    until("its end", lambda: (status := crew.jobs.status(job_id)) and status.state == "done")
    assert [run.attempt for run in crew.runs] == [1, 1]


def test_ends_that_come_at_the_last_moment_are_written_before_it_leaves(crew: Crew, database: str) -> None:
    """Law: a job that is done and not written would be run again."""
    gate = Gate()
    crew.on("g", gate)
    worker = crew.start()
    crew.jobs.enqueue("g", 1, lane="l")
    until("it to run", lambda: gate.inside)
    blocker = psycopg2.connect(database)
    with blocker.cursor() as cursor:
        cursor.execute("SELECT 1 FROM jobs FOR UPDATE")
    stopping = gevent.spawn(worker.stop, time.monotonic() + GUARD_S)
    gate.open.set()
    until("its end to be on its way", lambda: worker._engine._settler._unwritten == 1)
    until("its run to be over", lambda: len(worker._engine._dispatcher) == 0)
    crew.turns()
    assert not stopping.ready()
    blocker.close()
    stopping.get(timeout=GUARD_S)
    assert crew.one("SELECT count(*) FROM jobs") == 0
    assert crew.ran() == [1]


def test_a_drain_says_what_it_could_not_write(crew: Crew, database: str) -> None:
    """Law: it ends at its deadline all the same; whoever owns the partition next runs the job again."""
    gate = Gate()
    crew.on("g", gate)
    worker = crew.start()
    crew.jobs.enqueue("g", 1, lane="l")
    until("it to run", lambda: gate.inside)
    blocker = psycopg2.connect(database)
    with blocker.cursor() as cursor:
        cursor.execute("SELECT 1 FROM jobs FOR UPDATE")
    gate.open.set()
    until("its end to be on its way", lambda: worker._engine._settler._unwritten == 1)
    with told("jobs.drained") as heard:
        worker._engine.stop(time.monotonic() + 0.5)
    blocker.close()
    [drained] = heard.events
    assert (drained["finished"], drained["written"], drained["released"]) == (True, False, False)
    assert crew.owned(worker) == {partition_of("l")}, "what is idle was handed over"


def test_a_stop_is_safe_twice_and_if_never_started(crew: Crew) -> None:
    worker = crew.hire()
    worker.stop(time.monotonic() + 1)
    worker.stop(time.monotonic() + 1)
    started = crew.start()
    crew.leave_to(started)
    started.stop(time.monotonic() + GUARD_S)
    started.stop(time.monotonic() + GUARD_S)
    assert crew.one("SELECT count(*) FROM job_partitions WHERE owner_process IS NOT NULL") == 0


def test_a_stopped_worker_is_counted_out_by_the_others_at_once(crew: Crew) -> None:
    first, second = crew.start(), crew.start()
    crew.leave_to(first, second)
    until("even shares", lambda: len(crew.owned(first)) == PARTITIONS // 2)
    first.stop(time.monotonic() + GUARD_S)
    crew.leave_to(second)


# Death and return


def test_a_worker_that_was_declared_dead_comes_back_and_takes_its_share_again(crew: Crew) -> None:
    gate = Gate()
    crew.on("g", gate)
    first, second = crew.start(), crew.start()
    until("even shares", lambda: len(crew.owned(first)) == len(crew.owned(second)) == PARTITIONS // 2)
    lane = next(f"l{n}" for n in range(1_000) if partition_of(f"l{n}") in crew.owned(first))
    job_id = crew.jobs.enqueue("g", 1, lane=lane, keep_s=60).job_id
    until("it to run", lambda: gate.inside == 1)
    epoch = first.owner.epoch
    crew.declare_dead(first)
    until("it to know", lambda: gate.cut == ["Stopped"])
    until("it to be back", lambda: first.owner.epoch > epoch and first.owner.holds())
    until("even shares again", lambda: len(crew.owned(first)) == len(crew.owned(second)) == PARTITIONS // 2)
    gate.open.set()
    until("the job's end", lambda: (status := crew.jobs.status(job_id)) and status.state == "done")
    assert len(crew.runs) == 2, "it was cut off here, and run by whoever owned its partition then"
    assert crew.one("SELECT deaths FROM jobs WHERE id = %s", job_id) == 1


def test_what_may_finish_although_its_worker_was_declared_dead_marks_nothing(crew: Crew) -> None:
    """Law: it ends under its old fence; whoever owns its partition now runs it, and its end is the one that counts."""
    gate = Gate(Done(result="whose", then=(Draft(kind="a", payload="follows"),)))
    crew.on("g", gate, on_lease_lost="finish")
    worker = crew.start()
    job_id = crew.jobs.enqueue("g", 1, lane="l", keep_s=60).job_id
    until("it to run", lambda: gate.inside == 1)
    crew.declare_dead(worker)
    until("it to run again beside itself", lambda: gate.inside == 2)
    gate.open.set()
    until("its end", lambda: (status := crew.jobs.status(job_id)) and status.state == "done")
    crew.finish()
    until("what follows", lambda: crew.ran("a") == ["follows"])
    until("nothing to run", lambda: worker._engine._board.running == 0)
    assert len(worker._engine._dispatcher) == 0


def test_without_a_lease_nothing_runs_and_with_it_everything_does(crew: Crew, database: str) -> None:
    """Law: who cannot renew its lease may be dead for the others.  Here its beats wait for a lock."""
    gate = Gate()
    crew.on("g", gate)
    worker = crew.start()
    crew.leave_to(worker)
    crew.jobs.enqueue("g", 1, lane="l")
    until("it to run", lambda: gate.inside == 1)
    blocker = psycopg2.connect(database)
    with blocker.cursor() as cursor:
        cursor.execute("SELECT 1 FROM processes FOR UPDATE")
    until("its lease to be out", lambda: not worker.owner.holds())
    until("the job to be ended", lambda: gate.cut == ["Stopped"])
    crew.jobs.enqueue("a", "new")
    until("it to have read that", lambda: worker._engine._board.ready == 2)
    assert crew.ran() == [1]
    gate.open.set()
    blocker.close()
    crew.finish()
    assert sorted(map(str, crew.ran())) == ["1", "1", "new"]


def test_what_is_free_is_heard_of_before_the_next_look(database: str, redis_url: str) -> None:
    """Law: who comes or goes tells the others: its share need not wait for their next look."""
    crew = Crew(database, redis_url, share_every_s=GUARD_S * 4)
    crew.on("a")
    first = crew.start()
    crew.leave_to(first)
    second = crew.start()
    until("even shares", lambda: len(crew.owned(first)) == len(crew.owned(second)) == PARTITIONS // 2)
    first.stop(time.monotonic() + GUARD_S)
    crew.leave_to(second)
    crew.close()
