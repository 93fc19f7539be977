"""One worker shows what all of them see; whoever has lost its turn, and whatever is gone, shows zeros."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest

from gateway import telemetry
from gateway.domain.errors import StoreUnavailable
from gateway.domain.job import Draft
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store.ledger import job_partitions, jobs
from gateway.store.ledger.process import Process, leave, register
from gateway.store.postgres import Database
from gateway.telemetry.metrics import Metrics
from tests.support.waiting import until
from workers.job_census import JobCensus


class Pages:
    """The sink of this process: both workers of a test write to it, as to one page."""

    def __init__(self, sink: Metrics) -> None:
        self._sink = sink

    def jobs(self) -> dict[str, float]:
        """Kind and state -> jobs, of what is not nothing."""
        found = {}
        for line in self._sink.scrape().decode().splitlines():
            if line.startswith("switchboard_jobs{"):
                labels, _, value = line.rpartition(" ")
                found[labels.removeprefix("switchboard_jobs")] = float(value)
        return {labels: value for labels, value in found.items() if value}

    def unowned(self) -> float:
        [line] = [
            line
            for line in self._sink.scrape().decode().splitlines()
            if line.startswith("switchboard_partitions_unowned ")
        ]
        return float(line.split()[1])


@pytest.fixture
def pages() -> Iterator[Pages]:
    sink = Metrics()
    telemetry.attach(sink)
    yield Pages(sink)
    telemetry.detach(sink)


@pytest.fixture
def database(database: str) -> Iterator[Database]:
    pool = Database(StoreSettings(database_url=Secret(database)))
    yield pool
    pool.close()


@pytest.fixture
def me(database: Database) -> Process:
    return database.run(lambda cursor: register(cursor, "worker", "me"))


@pytest.fixture
def census(database: Database, me: Process) -> Iterator[JobCensus]:
    counting = JobCensus(database, lambda: me, 60.0, every_s=0.01)
    greenlet = gevent.spawn(counting.count_forever)
    yield counting
    greenlet.kill()


def ask(database: Database, kind: str, count: int) -> None:
    database.run(lambda cursor: jobs.enqueue(cursor, [Draft(kind=kind, payload={})] * count))


READY = '{{kind="{}",state="ready"}}'


def test_what_there_is_is_shown_and_what_is_gone_is_zero(pages: Pages, database: Database, census: JobCensus) -> None:
    ask(database, "a", 3)
    ask(database, "b", 1)
    until("both kinds", lambda: pages.jobs() == {READY.format("a"): 3, READY.format("b"): 1})
    database.run(lambda cursor: cursor.execute("DELETE FROM jobs WHERE kind = 'a'"))
    until("one kind", lambda: pages.jobs() == {READY.format("b"): 1})


def test_partitions_without_owner_are_shown(pages: Pages, database: Database, me: Process, census: JobCensus) -> None:
    until("all of them", lambda: pages.unowned() == 32)
    database.run(lambda cursor: job_partitions.take(cursor, me, 31))
    until("one of them", lambda: pages.unowned() == 1)


def test_who_drains_shows_zeros_and_the_next_one_counts(
    pages: Pages, database: Database, me: Process, census: JobCensus
) -> None:
    """Law: a sum over all workers' pages tells each job once."""
    ask(database, "a", 3)
    until("the count", lambda: pages.jobs() == {READY.format("a"): 3})
    database.run(lambda cursor: job_partitions.drain(cursor, me))
    until("zeros", lambda: pages.jobs() == {} and pages.unowned() == 0)
    other = database.run(lambda cursor: register(cursor, "worker", "other"))
    taking_its_turn = gevent.spawn(JobCensus(database, lambda: other, 60.0, every_s=0.01).count_forever)
    until("the other's count", lambda: pages.jobs() == {READY.format("a"): 3})
    taking_its_turn.kill()


def test_who_is_not_registered_yet_waits_for_it(pages: Pages, database: Database) -> None:
    known: list[Process] = []
    asked = []

    def me() -> Process:
        asked.append(True)
        if not known:
            raise StoreUnavailable("not yet", reason="not_registered", retry_after_s=1)
        return known[0]

    ask(database, "a", 1)
    waiting = gevent.spawn(JobCensus(database, me, 60.0, every_s=0.01).count_forever)
    until("it to ask twice", lambda: len(asked) >= 2)
    assert pages.jobs() == {}
    known.append(database.run(lambda cursor: register(cursor, "worker", "me")))
    until("its count", lambda: pages.jobs() == {READY.format("a"): 1})
    waiting.kill()
    database.run(lambda cursor: leave(cursor, known[0]))
