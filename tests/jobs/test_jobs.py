"""Asking for jobs: committed when it returns, in order, once or not at all, and refused with the setting to change."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import gevent
import msgspec
import psycopg2
import pytest
import redis

from gateway import telemetry
from gateway.domain.errors import BadRequest, Overloaded, StoreRefused, StoreUnavailable, TryLater
from gateway.domain.job import Draft
from gateway.domain.resilience.priority import Priority
from gateway.jobs.jobs import Jobs
from gateway.settings.jobs import JobSettings
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store.job_hints import JobHints
from gateway.store.postgres import Database
from gateway.telemetry.catalogue import Event
from gateway.telemetry.emit import Writer
from tests.jobs.cut_line import CutLine
from tests.support.job_actor import JobActor, asked, end
from tests.support.waiting import GUARD_S, until


@pytest.fixture
def hints(store_settings: StoreSettings) -> Iterator[JobHints]:
    hints = JobHints(store_settings, 1_000)
    yield hints
    hints.close()


@pytest.fixture
def make(pool: Database, hints: JobHints) -> Callable[..., Jobs]:
    return lambda **settings: Jobs(pool, JobSettings(**settings), hints)


@pytest.fixture
def jobs(make: Callable[..., Jobs]) -> Jobs:
    return make()


@pytest.fixture
def worker(database: str) -> JobActor:
    """Whoever else looks into the ledger, and owns every partition."""
    worker = JobActor(database)
    worker.take()
    return worker


#: Whether anybody waits for a lock of this one.
BLOCKED = """
    SELECT EXISTS (SELECT 1 FROM pg_locks l WHERE NOT l.granted AND %s = ANY (pg_blocking_pids(l.pid)))
"""


class Batches:
    """Counts the statements of each batcher."""

    def __init__(self) -> None:
        self.rows: dict[str, list[int]] = {}

    def writer(self, event: Event) -> Writer | None:
        return self._count if event.name == "batch.committed" else None

    def _count(self, fields: dict[str, Any]) -> None:
        self.rows.setdefault(fields["kind"], []).append(fields["rows"])


@pytest.fixture
def batches() -> Iterator[Batches]:
    batches = Batches()
    telemetry.attach(batches)
    yield batches
    telemetry.detach(batches)


def told(redis_url: str) -> set[tuple[int, str]]:
    """By partition, what its owner would hear."""
    with redis.Redis.from_url(redis_url) as client:
        return {
            (partition, fields[b"j"].decode())
            for partition in range(32)
            for _, fields in client.xrange(f"switchboard:jobs:{{{partition}}}")
        }


# A job of its own


def test_a_job_is_committed_when_it_was_asked_for(jobs: Jobs, worker: JobActor) -> None:
    done = jobs.enqueue(
        "report.make", {"n": 1}, lane="l", priority=Priority.LOW, keep_s=9.5, trace_id="trace", unique="k"
    )
    [job] = worker.scan()
    assert (job.job_id, job.partition) == (done.job_id, done.partition)
    assert (job.kind, job.payload, job.lane, job.priority) == ("report.make", '{"n":1}', "l", Priority.LOW)
    assert (job.keep_s, job.trace_id) == (9.5, "trace")
    again = jobs.enqueue("report.make", {"n": 2}, unique="k")
    assert (again.job_id, again.fresh) == (done.job_id, False)


@pytest.mark.parametrize(
    "when",
    [
        lambda: {"delay_s": 600},
        lambda: {"run_at": time.time() + 600},
        lambda: {"run_at": datetime.now(UTC) + timedelta(minutes=10)},
    ],
)
def test_a_job_for_later_is_scheduled(jobs: Jobs, worker: JobActor, when: Callable[[], dict[str, Any]]) -> None:
    done = jobs.enqueue("a", {}, **when())
    assert worker.states() == {done.job_id: "scheduled"}
    status = jobs.status(done.job_id)
    assert status is not None
    assert status.due_at - status.created_at == pytest.approx(600, abs=GUARD_S)


def test_those_who_ask_at_once_share_a_statement_and_each_gets_its_own_answer(
    jobs: Jobs, worker: JobActor, batches: Batches
) -> None:
    asking = [gevent.spawn(jobs.enqueue, "a", {"n": n}) for n in range(300)]
    ids = [one.get().job_id for one in asking]
    assert [job.payload for job in sorted(worker.scan(), key=lambda job: ids.index(job.job_id))] == [
        f'{{"n":{n}}}' for n in range(300)
    ]
    assert sum(batches.rows["jobs"]) == 300
    assert len(batches.rows["jobs"]) <= 3


def test_what_postgresql_refuses_is_refused_alone(jobs: Jobs, worker: JobActor) -> None:
    """Law: one caller's payload is that caller's error, also where only PostgreSQL finds it."""
    asking = [
        gevent.spawn(jobs.enqueue, "a", msgspec.Raw(b"no json") if n == 3 else {"n": n}) for n in range(8)
    ]
    gevent.joinall(asking)
    assert [n for n, one in enumerate(asking) if one.exception] == [3]
    assert isinstance(asking[3].exception, StoreRefused)
    assert len(worker.states()) == 7


def test_what_can_never_be_written_is_refused_before_anything_is(jobs: Jobs, worker: JobActor) -> None:
    drafts = [asked(1), Draft(kind="Two Words", payload={})]
    for ask in (
        lambda: jobs.enqueue("Two Words", {}),
        lambda: jobs.enqueue("a", {}, lane=""),
        lambda: jobs.enqueue("a", {}, run_at=1.0, delay_s=1.0),
        lambda: jobs.enqueue_many(drafts),
        lambda: jobs.write(worker.cursor, drafts),
    ):
        with pytest.raises(BadRequest):
            ask()
    assert worker.states() == {}


# Many, and in the caller's own transaction


def test_many_are_written_in_order_and_each_statement_is_bounded(
    make: Callable[..., Jobs], worker: JobActor, batches: Batches
) -> None:
    done = make(batch_rows_max=10).enqueue_many([asked(n, lane="l") for n in range(25)])
    found = worker.scan()
    assert [job.payload for job in found] == [f'{{"n":{n}}}' for n in range(25)]
    assert [job.job_id for job in found] == [one.job_id for one in done]
    assert len(batches.rows["jobs_bulk"]) == 3


def test_of_many_what_was_written_before_the_one_that_is_refused_stays(
    make: Callable[..., Jobs], worker: JobActor
) -> None:
    """Law: a statement is written whole or not; what came before it has been committed."""
    drafts = [asked(n) for n in range(5)]
    drafts[3] = Draft(kind="a", payload=msgspec.Raw(b"no json"))
    with pytest.raises(StoreRefused):
        make(batch_rows_max=2).enqueue_many(drafts)
    assert [job.payload for job in worker.scan()] == ['{"n":0}', '{"n":1}']


def test_a_statement_takes_fewer_jobs_where_their_payloads_are_large(
    jobs: Jobs, worker: JobActor, batches: Batches
) -> None:
    """Law: a statement is quoted in one turn of the event loop, so that its bytes have a bound."""
    done = jobs.enqueue_many([Draft(kind="a", payload="x" * 200_000) for _ in range(10)])
    assert list(worker.states()) == [one.job_id for one in done]
    assert len(batches.rows["jobs_bulk"]) == 2


@pytest.mark.parametrize("in_a_transaction", [False, True])
def test_while_many_are_checked_others_run(
    pool: Database, hints: JobHints, worker: JobActor, *, in_a_transaction: bool
) -> None:
    """Law: the turn of the event loop is bounded, however many are asked for at once."""
    turns, looks = 0, []

    def clock() -> float:
        looks.append(turns)
        return len(looks) * 0.001

    def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            gevent.sleep(0)

    jobs, drafts = Jobs(pool, JobSettings(), hints, clock=clock), [asked(n) for n in range(100)]
    other = gevent.spawn(others)
    done = jobs.write(worker.cursor, drafts) if in_a_transaction else jobs.enqueue_many(drafts)
    other.kill()
    assert list(worker.states()) == [one.job_id for one in done]
    assert len(looks) > 100
    assert max(Counter(looks).values()) <= 10, "a look takes a millisecond here"


def test_none_is_as_many_as_any(jobs: Jobs, worker: JobActor) -> None:
    assert jobs.enqueue_many([]) == []
    assert jobs.write(worker.cursor, []) == []


def test_a_job_in_its_callers_transaction_is_part_of_it(jobs: Jobs, worker: JobActor, database: str) -> None:
    caller = psycopg2.connect(database)
    with caller.cursor() as cursor:
        jobs.enqueue("a", {}, cursor=cursor)
        jobs.write(cursor, [asked(1), asked(2)])
        assert worker.scan() == []
        caller.rollback()
        assert worker.scan() == []
        one = jobs.enqueue("a", {}, cursor=cursor)
        two = jobs.write(cursor, [asked(1)])
        caller.commit()
    caller.close()
    assert list(worker.states()) == [one.job_id, two[0].job_id]


# Hints


def test_owners_are_told_of_what_can_be_started_and_of_nothing_else(
    jobs: Jobs, hints: JobHints, worker: JobActor, redis_url: str
) -> None:
    high = jobs.enqueue("a", {}, priority=Priority.HIGH, unique="k")
    past = jobs.enqueue("a", {}, run_at=1.0)
    jobs.enqueue("a", {}, delay_s=600)
    jobs.enqueue("a", {}, unique="k")
    hints.flush()
    assert told(redis_url) == {(high.partition, f"0 {high.job_id}"), (past.partition, f"1 {past.job_id}")}


def test_of_many_a_partition_is_told_once(jobs: Jobs, hints: JobHints, redis_url: str) -> None:
    done = jobs.enqueue_many([asked(n, lane="l") for n in range(20)])
    hints.flush()
    ids = " ".join(str(one.job_id) for one in done)
    assert told(redis_url) == {(done[0].partition, f"1 {ids}")}


def test_what_is_written_in_a_transaction_is_told_when_its_caller_says_so(
    jobs: Jobs, hints: JobHints, worker: JobActor, redis_url: str
) -> None:
    """Law: before the commit there is nothing to be found."""
    drafts = [asked(1), asked(2, run_at=time.time() + 600)]
    with worker.transaction():
        done = jobs.write(worker.cursor, drafts)
        hints.flush()
        assert told(redis_url) == set()
    jobs.hint(done, drafts)
    hints.flush()
    assert told(redis_url) == {(done[0].partition, f"1 {done[0].job_id}")}


# Bounds


def test_when_too_many_wait_to_be_written_the_next_is_refused_at_once(
    make: Callable[..., Jobs], worker: JobActor
) -> None:
    jobs = make(batch_rows_max=1, batch_waiting_max=2)
    with worker.transaction():
        worker.cursor.execute("LOCK TABLE jobs")
        asking = [gevent.spawn(jobs.enqueue, "a", {"n": 0})]
        until("the first to be under way", lambda: worker.one(BLOCKED, worker.pid))
        asking += [gevent.spawn(jobs.enqueue, "a", {"n": n}) for n in (1, 2)]
        gevent.sleep(0)
        with pytest.raises(Overloaded, match=r"2 jobs wait .*\(jobs\.batch_waiting_max\)") as error:
            jobs.enqueue("a", {})
        assert error.value.retry_after_s > 0
    gevent.joinall(asking, raise_error=True)
    assert len(worker.states()) == 3


def test_when_too_many_are_in_the_ledger_the_next_is_refused_and_what_belongs_to_something_is_not(
    make: Callable[..., Jobs], worker: JobActor
) -> None:
    jobs = make(waiting_max=10)
    jobs.enqueue_many([asked(n) for n in range(20)])

    def counted() -> bool:
        worker.cursor.execute("SELECT pg_stat_force_next_flush()")
        jobs.backlog.look()
        return "about 20" in repr(jobs.backlog)

    until("PostgreSQL to have counted them", counted)
    for ask in (lambda: jobs.enqueue("a", {}), lambda: jobs.enqueue_many([asked()])):
        with pytest.raises(Overloaded, match=r"jobs\.waiting_max is 10"):
            ask()
    assert len(jobs.write(worker.cursor, [asked()])) == 1


# Status


def test_a_job_is_seen_from_its_first_to_its_last_state(jobs: Jobs, worker: JobActor) -> None:
    done = jobs.enqueue("a", {}, lane="l", keep_s=60.0)
    status = jobs.status(done.job_id)
    assert status is not None
    assert (status.kind, status.lane, status.state, status.attempts, status.ended) == ("a", "l", "ready", 0, False)
    [job] = worker.scan()
    worker.settle(end(job, "retry", attempts=1, reason="timeout", detail="nobody there", after_s=600.0))
    status = jobs.status(done.job_id)
    assert status is not None
    assert (status.state, status.attempts, status.reason, status.detail) == ("ready", 1, "timeout", "nobody there")
    assert status.due_at > time.time() + 300
    worker.rows("UPDATE jobs SET progress = '[1, 2]' RETURNING id")
    worker.settle(end(job, "done", result='{"made":3}'))
    status = jobs.status(done.job_id)
    assert status is not None
    assert (status.state, status.result, status.progress, status.ended) == ("done", {"made": 3}, [1, 2], True)
    assert status.finished_at == pytest.approx(time.time(), abs=GUARD_S)


def test_of_what_is_gone_or_never_was_there_is_no_status(jobs: Jobs, worker: JobActor) -> None:
    done = jobs.enqueue("a", {})
    worker.settle(*map(end, worker.scan()))
    assert jobs.status(done.job_id) is None
    assert jobs.status(2**62) is None


def test_looks_at_once_share_a_statement_and_get_each_its_own(jobs: Jobs, batches: Batches) -> None:
    done = jobs.enqueue_many([asked(n) for n in range(100)])
    looks = [gevent.spawn(jobs.status, one.job_id) for one in reversed(done)]
    assert [look.get().job_id for look in looks] == [one.job_id for one in reversed(done)]
    assert len(batches.rows["job_status"]) <= 3


@pytest.mark.parametrize("keep_s", [0.0, 60.0])
def test_who_waits_for_a_job_is_told_when_it_has_ended(jobs: Jobs, worker: JobActor, keep_s: float) -> None:
    done = jobs.enqueue("a", {}, keep_s=keep_s)
    waiting = gevent.spawn(jobs.wait, done.job_id, GUARD_S)
    [job] = worker.scan()
    gevent.sleep(0)
    assert not waiting.dead
    worker.settle(end(job, result="7"))
    status = waiting.get()
    assert (None if status is None else status.result) == (7 if keep_s else None)


def test_who_has_waited_long_enough_is_told_how_it_stands(jobs: Jobs) -> None:
    done = jobs.enqueue("a", {})
    for timeout_s in (0.0, 0.05, -1.0):
        status = jobs.wait(done.job_id, timeout_s)
        assert status is not None
        assert status.state == "ready"


# When something is lost


@pytest.fixture
def line(database: str) -> Iterator[CutLine]:
    with CutLine(database) as line:
        yield line


@pytest.fixture
def far_jobs(line: CutLine, store_settings: StoreSettings, hints: JobHints) -> Iterator[Jobs]:
    pool = Database(msgspec.structs.replace(store_settings, database_url=Secret(line.url)))
    yield Jobs(pool, JobSettings(), hints)
    pool.close()


def many(jobs: Jobs) -> None:
    jobs.enqueue_many([Draft(kind="a", payload={})])


def one(jobs: Jobs) -> None:
    jobs.enqueue("a", {})


@pytest.mark.parametrize("ask", [one, many])
def test_where_the_answer_to_a_commit_is_lost_that_is_said_and_nothing_is_written_twice(
    far_jobs: Jobs, line: CutLine, worker: JobActor, ask: Callable[[Jobs], None]
) -> None:
    """Law: only the caller knows whether asking again does harm."""
    line.cut(b"COMMIT", "before its answer")
    with pytest.raises(TryLater) as error:
        ask(far_jobs)
    assert error.value.reason == "commit_unknown"
    assert line.cuts == 1
    until("the commit to have happened", worker.states)
    assert len(worker.states()) == 1
    ask(far_jobs)
    assert len(worker.states()) == 2, "the line that broke is used no more"


@pytest.mark.parametrize("ask", [one, many])
@pytest.mark.parametrize("when", ["before it arrives", "before its answer"])
def test_where_the_line_breaks_before_the_commit_it_is_written_once_all_the_same(
    far_jobs: Jobs, line: CutLine, worker: JobActor, ask: Callable[[Jobs], None], when: Any
) -> None:
    """Law: what was certainly not committed is asked for again by itself."""
    line.cut(b"jobs_enqueue", when)
    ask(far_jobs)
    assert line.cuts == 1
    assert len(worker.states()) == 1


def test_a_commit_that_never_arrives_is_as_unknown(far_jobs: Jobs, line: CutLine, worker: JobActor) -> None:
    line.cut(b"COMMIT", "before it arrives")
    with pytest.raises(TryLater) as error:
        one(far_jobs)
    assert error.value.reason == "commit_unknown"
    assert worker.states() == {}


def test_a_unique_key_makes_asking_again_harmless(far_jobs: Jobs, line: CutLine, worker: JobActor) -> None:
    line.cut(b"COMMIT", "before its answer")
    with pytest.raises(TryLater):
        far_jobs.enqueue("a", {}, unique="k")
    until("the commit to have happened", worker.states)
    assert not far_jobs.enqueue("a", {}, unique="k").fresh
    assert len(worker.states()) == 1


def test_without_postgresql_it_says_when_to_come_back(hints: JobHints) -> None:
    pool = Database(StoreSettings(database_url=Secret("postgresql://127.0.0.1:1/none")))
    jobs = Jobs(pool, JobSettings(), hints)
    for ask in (one, many, lambda jobs: jobs.status(1), lambda jobs: jobs.wait(1, 1.0)):
        with pytest.raises(StoreUnavailable) as error:
            ask(jobs)
        assert error.value.retry_after_s > 0
    pool.close()


@pytest.mark.parametrize("ask", [one, many, lambda jobs: jobs.status(1)])
def test_where_there_is_no_schema_it_says_what_makes_it(
    hints: JobHints, empty_database: str, ask: Callable[[Jobs], None]
) -> None:
    pool = Database(StoreSettings(database_url=Secret(empty_database)))
    with pytest.raises(StoreUnavailable, match="switchboard migrate") as error:
        ask(Jobs(pool, JobSettings(), hints))
    assert error.value.reason == "not_migrated"
    pool.close()


def test_without_redis_jobs_are_written_all_the_same(pool: Database, worker: JobActor) -> None:
    """Law: fail-open.  A look finds them."""
    hints = JobHints(StoreSettings(redis_url=Secret("redis://127.0.0.1:1")), 1_000)
    one(Jobs(pool, JobSettings(), hints))
    assert not hints.flush()
    assert len(worker.states()) == 1
    hints.close()
