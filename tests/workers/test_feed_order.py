"""The order of a lane is the ledger's: no look brings a job without those that were committed before it came."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.domain.job import partition_of
from gateway.domain.resilience.priority import Priority
from tests.support.job_actor import JobActor, asked
from tests.workers.reading import Reading

NORMAL = Priority.NORMAL
LANE = "lane"
PART = partition_of(LANE)


@pytest.fixture
def it(database: str) -> Iterator[Reading]:
    reading = Reading(database, batch_rows_max=4)
    yield reading
    reading.close()


@pytest.mark.parametrize("hinted", [True, False])
def test_what_was_committed_late_comes_before_what_was_asked_for_after_that(
    it: Reading, database: str, hinted: bool
) -> None:
    """Law: of two jobs of which the second was asked for after the first was committed, the first runs first.

    The first one's hint is lost, and a third one, written while the first was being written, has been read already.
    """
    slow = JobActor(database)
    with slow.transaction():
        (first,) = slow.ask(asked(1, lane=LANE))
        it.actor.ask(asked(2, lane=LANE))
        it.look()
        it.end(it.take())
    (second,) = it.actor.ask(asked(3, lane=LANE))
    if hinted:
        it.feed.hint(PART, NORMAL, [second.job_id])
    else:
        it.feed.hint(PART, NORMAL, [])

    assert [job.job_id for job in it.run_all()] == [first.job_id, second.job_id]


def test_what_is_in_memory_fills_no_look(it: Reading, database: str) -> None:
    """Law: while somebody's transaction holds the floor where it is, all that is new is found all the same."""
    slow = JobActor(database)
    with slow.transaction():
        slow.ask(asked(lane=LANE))
        wanted = [it.actor.ask(asked(n, lane=f"lane {n}"))[0].job_id for n in range(20)]
        it.look()
        runs = it.take()
        assert sorted(job.job_id for job in runs) == wanted
        more = [it.actor.ask(asked(n, lane=f"lane {n}"))[0].job_id for n in range(20)]
        it.full_look()
        it.end(runs)
        assert sorted(job.job_id for job in it.take()) == more
