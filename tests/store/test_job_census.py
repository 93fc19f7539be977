"""How many jobs there are: exact while they are few, an estimate of bounded cost when they are very many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.domain.job import Draft
from gateway.store.job_admin import unowned_partitions
from gateway.store.job_views import census
from gateway.store.ledger import job_partitions, jobs
from tests.support.actor import Actor

pytestmark = pytest.mark.new_database

_FILL = """
    INSERT INTO jobs (id, place, partition, state, kind, payload, due_at, finished_at)
    SELECT n, n, n %% 32, %s, CASE WHEN n %% 4 = 0 THEN 'rare' ELSE 'often' END, '{}',
           clock_timestamp() - interval '90 s', CASE WHEN %s = 'done' THEN clock_timestamp() - interval '5 s' END
    FROM generate_series(%s, %s) AS n"""


@pytest.fixture
def worker(actors: Callable[..., Actor]) -> Actor:
    return actors("worker")


def counts(actor: Actor, rows_max: int = 1_000, pages_max: int = 1_000) -> dict[tuple[str, str], int]:
    rows = actor.rows("SELECT kind, state, jobs FROM jobs_census(%s, %s)", rows_max, pages_max)
    assert len({row[:2] for row in rows}) == len(rows), "one row each"
    return {(kind, state): found for kind, state, found in rows}


def test_jobs_are_counted_by_kind_and_state(worker: Actor) -> None:
    jobs.enqueue(
        worker.cursor,
        [
            Draft(kind="b", payload={}),
            Draft(kind="a", payload={}),
            Draft(kind="a", payload={}),
            Draft(kind="a", payload={}, run_at=4e9),
        ],
    )
    worker.cursor.execute(_FILL, ("done", "done", 1_000_000, 1_000_003))
    assert [(one.kind, one.state, one.jobs) for one in census(worker.cursor)] == [
        ("a", "ready", 2),
        ("a", "scheduled", 1),
        ("b", "ready", 1),
        ("often", "done", 3),
        ("rare", "done", 1),
    ]


def test_nothing_is_counted_where_nothing_is(worker: Actor) -> None:
    assert census(worker.cursor) == []


def test_the_oldest_tells_how_long_it_has_been_due_or_ended(worker: Actor) -> None:
    """Law: what is due later is not late, and a retry that holds its lane is not either."""
    worker.cursor.execute(_FILL, ("ready", "ready", 1_001, 1_001))
    worker.cursor.execute(_FILL, ("done", "done", 1_002, 1_002))
    jobs.enqueue(worker.cursor, [Draft(kind="later", payload={}, run_at=4e9)])
    oldest = {(one.kind, one.state): one.oldest_s for one in census(worker.cursor)}
    assert oldest["often", "ready"] == pytest.approx(90, abs=30)
    assert oldest["often", "done"] == pytest.approx(5, abs=4.9)
    assert oldest["later", "scheduled"] == 0


def test_many_are_estimated_and_the_few_beside_them_are_not(worker: Actor) -> None:
    """Law: the count of a million costs what that of some thousands does."""
    worker.cursor.execute(_FILL, ("ready", "ready", 1, 40_000))
    worker.cursor.execute(_FILL, ("buried", "buried", 100_001, 100_008))
    found = counts(worker, rows_max=1_000, pages_max=100)
    assert found["often", "buried"] == 6
    assert found["rare", "buried"] == 2
    # A hundred pages of some hundreds: far from exact, and far from a tenth.
    assert found["often", "ready"] == pytest.approx(30_000, rel=0.5)
    assert found["rare", "ready"] == pytest.approx(10_000, rel=0.5)


def test_an_estimate_reads_a_part_of_the_table(worker: Actor) -> None:
    worker.cursor.execute(_FILL, ("ready", "ready", 1, 40_000))
    with worker.transaction():
        before = reads(worker)
        counts(worker, rows_max=500, pages_max=50)
        assert reads(worker) - before < 8_000


def test_up_to_the_bound_all_are_counted_one_by_one(worker: Actor) -> None:
    worker.cursor.execute(_FILL, ("ready", "ready", 1, 1_000))
    assert counts(worker, rows_max=1_000, pages_max=1) == {("often", "ready"): 750, ("rare", "ready"): 250}


def test_one_worker_counts_for_all(actors: Callable[..., Actor]) -> None:
    """Law: a sum over all workers' pages tells each job once."""
    gateway, first, second = actors(), actors("worker"), actors("worker")

    def unowned(actor: Actor) -> int | None:
        return unowned_partitions(actor.cursor, actor.process, 5.0)

    assert [unowned(one) for one in (gateway, first, second)] == [None, 32, None]
    job_partitions.take(second.cursor, second.process, 30)
    assert unowned(first) == 2
    job_partitions.drain(first.cursor, first.process)
    assert [unowned(first), unowned(second)] == [None, 2]
    second.fall_silent()
    third = actors("worker")
    assert [unowned(second), unowned(third)] == [None, 2]
    third.bury()
    assert unowned(third) == 32, "the dead own nothing"


def reads(actor: Actor) -> Any:
    return actor.one(
        "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables"
        " WHERE relname = 'jobs'"
    )
