"""A whole worker while its stores go away: nothing is lost, nothing is done twice without need, and it goes on."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator

import psutil
import pytest
from gevent.event import Event

from gateway.domain.job import Done, Draft
from gateway.store.migrate import migrate
from tests.server.telling import told
from tests.support.stores import Stores, own_stores
from tests.support.waiting import GUARD_S, until
from tests.workers.crew import Crew, Gate
from workers.executor import Stopped
from workers.processes.parent import LEAVING_S


@pytest.fixture
def own() -> Iterator[Stores]:
    """A pair of stores to be killed, durable as in production."""
    with own_stores() as stores:
        migrate(stores.postgres.url("postgres"))
        yield stores


@pytest.fixture
def crew(own: Stores) -> Iterator[Crew]:
    crew = Crew(own.postgres.url("postgres"), own.redis.url)
    crew.on("a")
    yield crew
    crew.close()


def kill_postgres(own: Stores) -> None:
    # Immediate shutdown: sessions are cut off where they are, and the next start recovers from the log.
    assert own.postgres_process.pid is not None
    psutil.Process(own.postgres_process.pid).send_signal(signal.SIGQUIT)
    until("the end of PostgreSQL", lambda: own.postgres_process.poll() is not None)


def start_postgres(own: Stores, crew: Crew) -> None:
    # The test's own connections were cut off, too.
    crew.pool._close_idle()
    own.postgres_process.start()
    own.postgres_process.wait_ready(time.monotonic() + GUARD_S)


@pytest.mark.slow
def test_what_ends_while_postgresql_is_away_is_written_when_it_is_back(own: Stores, crew: Crew) -> None:
    """Law: within the lease nothing need be run again; lanes go on where they were."""
    gate = Gate(Done(then=(Draft(kind="a", payload="follows", lane="f"),)))
    crew.on("g", gate)
    worker = crew.start()
    crew.jobs.enqueue_many(
        [Draft(kind="g", payload=1, lane="l"), *[Draft(kind="a", payload=n, lane="l") for n in range(20)]]
    )
    until("the first to run", lambda: gate.inside == 1)
    kill_postgres(own)
    gate.open.set()
    until("its end to wait", lambda: worker._engine._settler._unwritten == 1)
    crew.turns()
    assert crew.ran() == [1], "its lane waits for the commit"
    start_postgres(own, crew)
    crew.finish()
    assert [payload for payload in crew.ran() if payload != "follows"] == [1, *range(20)]
    assert crew.ran().count("follows") == 1


@pytest.mark.slow
def test_postgresql_is_gone_for_longer_than_the_lease(own: Stores, crew: Crew) -> None:
    """Law: what runs is ended; when it is back the worker is, too, and runs everything in order."""
    gate = Gate()
    crew.on("g", gate)
    worker = crew.start()
    drafts = [Draft(kind="g", payload=0, lane="l")]
    crew.jobs.enqueue_many([*drafts, *[Draft(kind="a", payload=n, lane="l") for n in range(1, 20)]])
    until("the first to run", lambda: gate.inside == 1)
    kill_postgres(own)
    until("the lease to be out", lambda: not worker.owner.holds())
    until("the job to be ended", lambda: gate.cut == ["Stopped"])
    gate.open.set()
    start_postgres(own, crew)
    crew.finish()
    assert crew.ran() == [0, *range(20)]


@pytest.mark.slow
def test_redis_dies_with_what_it_knew_and_comes_back_empty(own: Stores, crew: Crew) -> None:
    """Law: fail-open.  Looks find what no hint told of, and hints are heard again afterwards."""
    worker = crew.start()
    crew.leave_to(worker)
    assert own.redis_process.pid is not None
    psutil.Process(own.redis_process.pid).kill()
    until("the end of Redis", lambda: own.redis_process.poll() is not None)
    crew.jobs.enqueue_many([Draft(kind="a", payload=n, lane="l") for n in range(20)])
    crew.finish()
    own.redis_process.start()
    own.redis_process.wait_ready(time.monotonic() + GUARD_S)
    crew.jobs.enqueue_many([Draft(kind="a", payload=n, lane="l") for n in range(20, 40)])
    crew.finish()
    assert crew.ran() == list(range(40))


@pytest.mark.slow
def test_postgresql_falls_silent_and_the_drain_ends_all_the_same(own: Stores, crew: Crew) -> None:
    """Law: soon after its deadline, before the parent kills it for being late."""
    worker = crew.start()
    crew.leave_to(worker)
    assert own.postgres_process.pid is not None
    root = psutil.Process(own.postgres_process.pid)
    family = [process for process in (root, *root.children(recursive=True)) if process.name() == "postgres"]
    for process in family:
        process.suspend()
    try:
        deadline = time.monotonic() + 0.5
        worker.stop(deadline)
        assert time.monotonic() < deadline + LEAVING_S
    finally:
        for process in family:
            process.resume()


def test_a_second_stop_does_not_wait_for_what_the_first_could_not_end(database: str, redis_url: str) -> None:
    """Law: a handler that holds on costs one deadline, not one for each that stops its worker."""
    crew, ended, held = Crew(database, redis_url), Event(), []

    def holds_on(context: object, payload: object) -> Done:
        held.append(payload)
        while not ended.is_set():
            with contextlib.suppress(Stopped):
                ended.wait(GUARD_S)
        return Done()

    crew.on("holds.on", holds_on)
    try:
        worker = crew.start()
        crew.jobs.enqueue("holds.on", 1)
        until("it to run", lambda: held)
        with told("jobs.drained") as drained:
            worker.stop(time.monotonic() + 0.3)
        assert [event["released"] for event in drained.events] == [False]
        begun = time.monotonic()
        worker.stop(begun + GUARD_S)
        assert time.monotonic() < begun + GUARD_S / 2
    finally:
        ended.set()
        crew.close()


def test_a_worker_that_was_started_before_the_migration_waits_for_it(
    empty_database: str, redis_url: str
) -> None:
    """Law: no part of it takes a schema that is not there yet for a fault that a new process would mend."""
    crew = Crew(empty_database, redis_url)
    crew.on("a")
    try:
        with told("supervisor.restarted") as restarted, told("store.unavailable") as away:
            worker = crew.start()
            until("its parts to have asked", lambda: len(away.events) > 20)
            migrate(empty_database)
            crew.leave_to(worker)
            crew.jobs.enqueue("a", "job")
            crew.finish()
        assert restarted.events == []
    finally:
        crew.close()
