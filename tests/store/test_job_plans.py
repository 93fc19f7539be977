"""Plans of the jobs' statements: none reads the queue to find what it could probe for, however long it is.

As in test_plans.py the table is filled *behind* connections that have cached their plans, and what counts is rows read.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from gateway.store.ledger import job_status, jobs
from gateway.store.ledger.jobs import Pull
from tests.store.rows_read import Call, Read, assert_probed, rows_read
from tests.support.job_actor import JobActor, asked, end

pytestmark = pytest.mark.new_database

QUEUE = 40_000
#: Rows read by one call for a handful of jobs; far below the queue, far above what probing takes.
READ_MAX = 600
ROWS_MAX = 4

#: Of a hundred jobs: fifty wait in ten thousand lanes or in one long one, ten in none, twenty are scheduled, ten are
#: kept for their result, ten are buried.  A tenth bears a unique key.
_FILL = f"""
    INSERT INTO jobs (id, place, partition, priority, state, kind, lane, payload, due_at, unique_key, expires_at)
    SELECT id, id, job_partition(lane, id), CASE WHEN n % 7 = 0 THEN 2 ELSE 1 END, state, 'test.old', lane, '{{}}',
           clock_timestamp() + CASE WHEN state = 'scheduled' THEN make_interval(secs => 3600 + n) ELSE '0' END,
           CASE WHEN n % 10 = 3 THEN 'old ' || n END,
           CASE WHEN state = 'done' THEN clock_timestamp() + interval '1 day' END
    FROM (
        SELECT nextval('job_places') AS id, n,
               CASE WHEN n % 100 < 60 THEN 'ready' WHEN n % 100 < 80 THEN 'scheduled'
                    WHEN n % 100 < 90 THEN 'done' ELSE 'buried' END AS state,
               CASE WHEN n % 100 < 25 THEN 'long' WHEN n % 100 BETWEEN 50 AND 59 THEN NULL
                    ELSE 'lane ' || n % 10007 END AS lane
        FROM generate_series(1, {QUEUE}) AS n
    ) AS old
    ON CONFLICT DO NOTHING
"""
TABLES = ["jobs", "job_claims", "job_partitions", "dead_letters"]


class Queue:
    """Every statement about jobs, on connections that know the table only as it was when these were opened."""

    def __init__(self, url: str) -> None:
        self.gateway, self.worker, self.other = JobActor(url), JobActor(url), JobActor(url)
        self.rounds = 0

    def calls(self) -> Iterator[Call]:
        """One round of everything, in an order in which each finds something to do."""
        gateway, worker = self.gateway, self.worker
        self.rounds += 1
        now = self.rounds
        lanes = [f"{now} {n % 4}" for n in range(8)]
        yield "enqueue", gateway, lambda: gateway.ask(*[asked(n, lane=lanes[n]) for n in range(8)])
        keys = [*(f"new {now} {n}" for n in range(4)), "old 3", "old 13", "old 23", "old 33"]
        yield "enqueue unique", gateway, lambda: gateway.ask(*[asked(unique=key) for key in keys])
        newest = int(gateway.one("SELECT max(id) FROM jobs"))
        worker.take()
        yield "scan", worker, lambda: worker.scan(rows_max=ROWS_MAX)
        yield "scan beside a paused kind", worker, lambda: worker.scan(behind=newest - 12, skip_kinds=["paused"])
        yield "scan what is new", worker, lambda: worker.scan(behind=newest - 12, rows_max=ROWS_MAX)
        lane = {lanes[0]: 0, "long": newest // 2, "lane 99": 0}
        yield (
            "scan lanes",
            worker,
            lambda: jobs.scan_lanes(worker.cursor, worker.process, lane, worker.fences, ROWS_MAX),
        )
        pulls = [Pull(partition, 1, newest - 12, ROWS_MAX) for partition in worker.fences]
        found = jobs.scan(worker.cursor, worker.process, pulls, worker.fences).jobs
        fates = ("done", "retry", "snooze", "bury")
        ends = [end(job, fates[n % 4], after_s=0.0) for n, job in enumerate(found)]  # type: ignore[arg-type]
        yield "settle", worker, lambda: worker.settle(*ends, ended_claims=[found[0].claim])
        yield "promote", worker, worker.promote
        gateway.ask(asked(run_at=time.time() + 600))
        yield "promote nothing", worker, worker.promote
        ids = [job.job_id for job in found]
        yield "status", gateway, lambda: job_status.statuses(gateway.cursor, ids)
        worker.fall_silent()
        yield "bury", self.other, self.other.bury
        worker.revive()
        worker.fences = {}

    def round(self) -> Read:
        """Make every call once."""
        return rows_read(self.calls(), TABLES)


def fill(url: str) -> None:
    JobActor(url).cursor.execute(_FILL)


@pytest.mark.parametrize("statistics", ["none", "of a long queue", "known to be empty"])
def test_plans_cached_on_an_empty_queue_do_not_read_a_long_one(database: str, statistics: str) -> None:
    """Law: a worker that was started on a new database works as well when tens of thousands of jobs wait."""
    if statistics == "known to be empty":
        # Autovacuum has been there: no row is assumed where none is.
        JobActor(database).cursor.execute("VACUUM")
    queue = Queue(database)
    for _ in range(8):
        queue.round()  # PostgreSQL keeps a plan after five runs.
    fill(database)
    if statistics == "of a long queue":
        JobActor(database).cursor.execute("ANALYZE")
    for _ in range(3):
        assert_probed(queue.round(), rows_max=READ_MAX)


@pytest.mark.parametrize("statistics", ["none", "of a long queue", "of an empty queue"])
def test_plans_made_on_a_long_queue_do_not_read_it(database: str, statistics: str) -> None:
    keeper = JobActor(database)
    if statistics == "of an empty queue":
        keeper.cursor.execute("VACUUM ANALYZE")
    fill(database)
    if statistics == "of a long queue":
        keeper.cursor.execute("ANALYZE")
    queue = Queue(database)
    for _ in range(8):
        assert_probed(queue.round(), rows_max=READ_MAX)
