"""What only a real worker promises: pauses, limits of time and room, deaths, operators' orders, company."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event

from gateway.domain.job import PARTITIONS, Done, Draft, Retry
from gateway.jobs.admin import JobAdmin, Tellers
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store.signals import Signals
from tests.contracts.job_queues import ATTEMPTS_MAX, Perform, RealQueue
from tests.support.waiting import GUARD_S, until


@pytest.fixture
def queue(database: str, redis_url: str) -> Iterator[RealQueue]:
    queue = RealQueue(database, redis_url)
    queue.on("a")
    yield queue
    queue.close()


@pytest.fixture
def operator(queue: RealQueue, redis_url: str) -> Iterator[JobAdmin]:
    signals = Signals(
        StoreSettings(redis_url=Secret(redis_url)), audience="gateways", on_hint=lambda _: None
    )
    publishing = gevent.spawn(signals.publish_forever)
    yield JobAdmin(queue.pool, Tellers(signals, queue.hints))
    publishing.kill()
    signals.close()


def reason(queue: RealQueue, job_id: int) -> str:
    status = queue.jobs.status(job_id)
    assert status is not None
    assert status.state == "buried"
    return status.reason


def waits_for(event: Event) -> Perform:
    def perform(context: Any, payload: Any) -> Done:
        assert event.wait(GUARD_S)
        return Done()

    return perform


def until_known(queue: RealQueue, kind: str) -> None:
    until("the worker to know", lambda: kind in repr(queue.workers[0]._engine._pauses))


# What operators order


def test_of_a_paused_kind_none_is_started_until_it_is_resumed(queue: RealQueue, operator: JobAdmin) -> None:
    """Law: a lane whose next job is of that kind waits behind it, and no other lane does."""
    queue.on("b")
    operator.pause("b", by="ada", reason="it burns")
    queue.jobs.enqueue("b", "paused", lane="l")
    queue.jobs.enqueue("a", "behind", lane="l")
    queue.jobs.enqueue("b", "paused, in no lane")
    queue.jobs.enqueue("a", "elsewhere", lane="m")
    queue.start()
    until("what is not paused to have run", lambda: queue.ran() == ["elsewhere"])
    # Two more rounds, so that what would be wrongly started has been.
    for n in range(2):
        queue.jobs.enqueue("a", n, lane="m")
        until("another round", lambda n=n: queue.ran()[-1] == n)
    assert queue.ran() == ["elsewhere", 0, 1]
    operator.resume("b")
    queue.finish()
    assert queue.ran().index("behind") > queue.ran().index("paused")
    assert "paused, in no lane" in queue.ran()


def test_a_kind_that_is_paused_while_its_jobs_run_goes_no_further(queue: RealQueue, operator: JobAdmin) -> None:
    going_on = Event()
    queue.on("b", waits_for(going_on))
    queue.jobs.enqueue_many([Draft(kind="b", payload=n, lane="l") for n in range(5)])
    queue.start()
    until("the first to run", lambda: queue.ran() == [0])
    operator.pause("b", by="ada", reason="it burns")
    until_known(queue, "b")
    queue.jobs.enqueue("b", "new")
    queue.jobs.enqueue("a", "other")
    until("the others to go on", lambda: "other" in queue.ran())
    going_on.set()
    until("what ran to end", lambda: queue.one("SELECT count(*) FROM jobs") == 5)
    assert queue.ran("b") == [0]
    operator.resume("b")
    queue.finish()
    assert [n for n in queue.ran("b") if n != "new"] == list(range(5))


def test_a_dropped_job_does_not_run_although_its_worker_had_read_it(queue: RealQueue, operator: JobAdmin) -> None:
    going_on = Event()
    queue.on("b", waits_for(going_on))
    done = queue.jobs.enqueue_many([Draft(kind="b", payload=n, lane="l") for n in range(3)])
    queue.start()
    until("the first to run", lambda: queue.ran() == [0])
    board = queue.workers[0]._engine._board
    until("the second to be read", lambda: done[1].job_id in board)
    dropped = operator.drop(done[1].job_id, by="ada")
    assert dropped.holder == "contract 0"
    until("the worker to hear of it", lambda: done[1].job_id not in board)
    going_on.set()
    queue.finish()
    assert queue.ran() == [0, 2]


def test_a_buried_job_that_is_retried_runs_again(queue: RealQueue, operator: JobAdmin) -> None:
    queue.on("b", lambda context, payload: Retry("x"), attempts_max=1)
    job_id = queue.jobs.enqueue("b", None).job_id
    queue.finish()
    assert reason(queue, job_id) == "attempts_exhausted"
    operator.retry(job_id, by="ada")
    queue.finish()
    assert [run.attempt for run in queue.runs] == [1, 1]


# Bounds


def test_a_run_that_takes_too_long_is_ended_and_counts_as_failed(queue: RealQueue) -> None:
    """Law: whatever it catches; and it may clean up."""
    cleaned: list[int] = []

    def perform(context: Any, payload: Any) -> Done:
        try:
            gevent.sleep(GUARD_S)
        except Exception:
            pytest.fail("a handler's own except must not keep it")
        finally:
            cleaned.append(context.attempt)
        return Done()

    queue.on("slow", perform, time_limit_s=0.2)
    slow = queue.jobs.enqueue("slow", None, lane="l").job_id
    queue.jobs.enqueue("a", "behind", lane="l")
    queue.finish()
    assert reason(queue, slow) == "attempts_exhausted"
    status = queue.jobs.status(slow)
    assert status is not None
    assert "time_limit. it took more than its time limit of 0.2 s" in status.detail
    assert cleaned == list(range(1, ATTEMPTS_MAX + 1))
    assert queue.ran("a") == ["behind"]


def test_of_a_kind_no_more_run_at_once_than_it_allows(queue: RealQueue) -> None:
    inside, most = 0, 0

    def perform(context: Any, payload: Any) -> Done:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        gevent.sleep(0.01)
        inside -= 1
        return Done()

    queue.on("b", perform, in_flight_max=3)
    queue.jobs.enqueue_many([Draft(kind="b", payload=n, lane=str(n) if n % 2 else None) for n in range(40)])
    queue.finish()
    assert most == 3
    assert sorted(queue.ran()) == list(range(40))


def test_a_backlog_larger_than_memory_runs_to_its_end_in_order(database: str, redis_url: str) -> None:
    """Law: what has no room stands in the ledger, and is read when there is."""
    queue = RealQueue(
        database, redis_url, jobs_in_flight_max=8, jobs_buffered_max=20, lane_buffered_max=4, batch_rows_max=10
    )
    queue.on("a")
    drafts = [Draft(kind="a", payload=["long", n], lane="long") for n in range(150)]
    drafts += [Draft(kind="a", payload=[f"lane {n % 7}", n], lane=f"lane {n % 7}") for n in range(150)]
    drafts += [Draft(kind="a", payload=["none", n]) for n in range(100)]
    queue.jobs.enqueue_many(drafts)
    queue.finish()
    for lane in ["long", *(f"lane {n}" for n in range(7))]:
        found = [n for name, n in queue.ran() if name == lane]
        assert found == sorted(found)
    assert Counter(map(tuple, queue.ran())) == Counter(tuple(draft.payload) for draft in drafts)
    queue.close()


# Deaths


def test_a_job_that_has_killed_too_many_workers_is_never_started_again(queue: RealQueue) -> None:
    def asked_with(deaths: int) -> int:
        def work(cursor: Any) -> int:
            cursor.execute("BEGIN")
            [done] = queue.jobs.write(cursor, [Draft(kind="a", payload=deaths)])
            cursor.execute("UPDATE jobs SET deaths = %s WHERE id = %s", (deaths, done.job_id))
            cursor.execute("COMMIT")
            return done.job_id

        return queue.pool.run(work)

    killers = [asked_with(deaths) for deaths in (1, 2, 3, 4)]
    queue.finish()
    assert sorted(queue.ran()) == [1, 2], "below jobs.deaths_max it gets another chance"
    assert [reason(queue, job_id) for job_id in killers[2:]] == ["deaths", "deaths"]


# In company, and alone


def test_workers_that_come_and_go_run_each_job_once_and_in_order(queue: RealQueue) -> None:
    """Law: whoever stops finishes what it has begun, and the rest is the others'."""

    def perform(context: Any, payload: Any) -> Done:
        gevent.sleep(0.001)
        return Done()

    queue.on("step", perform)
    queue.jobs.enqueue_many(
        [Draft(kind="step", payload=[lane, n], lane=f"lane {lane}") for n in range(20) for lane in range(40)]
    )
    first, _ = queue.start(), queue.start()
    until("some to have run", lambda: len(queue.runs) > 100)
    first.stop(time.monotonic() + GUARD_S)
    queue.start()
    queue.finish()
    for lane in range(40):
        assert [n for one, n in queue.ran() if one == lane] == list(range(20))


def test_a_hint_alone_starts_a_job(database: str, redis_url: str) -> None:
    """Law: a job need not wait for the next look."""
    queue = RealQueue(database, redis_url, poll_s=600.0)
    queue.on("b", lambda context, payload: Done(then=(Draft(kind="a", payload="follows", lane="m"),)))
    queue.on("a")
    worker = queue.start()
    owned = "SELECT count(*) FROM job_partitions WHERE owner_process IS NOT NULL"
    until("it to own all", lambda: queue.one(owned) == PARTITIONS)
    until("it to have looked", lambda: "0 hungry" in repr(worker._engine._feed))
    for n in range(3):
        queue.jobs.enqueue("b", n, lane="l")
        assert queue.hints.flush()
        until("it to run, and what follows", lambda n=n: queue.ran("b")[-1:] == [n] and len(queue.ran("a")) == n + 1)
    queue.close()


def test_without_redis_everything_is_performed_all_the_same(database: str) -> None:
    """Law: fail-open.  Looks find what no hint told of."""
    queue = RealQueue(database, "redis://127.0.0.1:1")
    queue.on("b", lambda context, payload: Done(then=(Draft(kind="a", payload=payload),)))
    queue.on("a")
    queue.jobs.enqueue("b", 1)
    queue.finish()
    queue.jobs.enqueue("b", 2, delay_s=0.2)
    queue.finish()
    assert queue.ran("a") == [1, 2]
    queue.close()
