"""A suspect runs only after the ledger knows which one it is: a death of this process is then no other's."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest

from gateway.domain.job import SUSPECTS_FROM, Done, Draft
from tests.support.handling import Handling
from tests.support.job_actor import JobActor
from tests.support.waiting import GUARD_S, until
from tests.workers.board_jobs import job
from tests.workers.crew import Crew, Gate
from tests.workers.dispatching import Dispatching, done
from workers.context import Context


@pytest.fixture
def dispatching(database: str, redis_url: str) -> Iterator[Dispatching]:
    with gevent.Timeout(2 * GUARD_S), Handling(database, redis_url) as handling:
        dispatching = Dispatching(handling.tools)
        dispatching.on("k", done)
        yield dispatching
        dispatching.close()


@pytest.fixture
def crew(database: str, redis_url: str) -> Iterator[Crew]:
    with gevent.Timeout(2 * GUARD_S):
        crew = Crew(database, redis_url)
        yield crew
        crew.close()


def test_a_suspect_is_named_before_it_runs_and_nobody_else_is(dispatching: Dispatching) -> None:
    named: list[list[int]] = []

    def run(context: Context) -> Done:
        named.append(list(dispatching.accused))
        return Done()

    dispatching.on("k", run)
    dispatching.give(job(1, deaths=SUSPECTS_FROM - 1), job(2, deaths=SUSPECTS_FROM))
    dispatching.wait_ends(2)

    assert dispatching.accused == [2]
    assert named[dispatching.started.index(2)] == [2]


def test_a_suspect_that_cannot_be_named_waits(dispatching: Dispatching) -> None:
    """Law: PostgreSQL is away, or the partition is not ours any more: nothing of it may start."""
    dispatching.may_accuse = False
    dispatching.give(job(1, deaths=SUSPECTS_FROM), job(2))
    dispatching.wait_ends(1)
    dispatching.turns()
    assert dispatching.started == [2]
    dispatching.may_accuse = True
    dispatching.it.wake()
    dispatching.wait_started(2, 1)


def test_a_lease_that_runs_out_while_a_suspect_is_named_keeps_it_from_running(
    dispatching: Dispatching,
) -> None:
    dispatching.accuses_slowly = True
    dispatching.give(job(1, deaths=SUSPECTS_FROM))
    dispatching.turns()
    assert (dispatching.accused, dispatching.started) == ([1], [])


@pytest.mark.parametrize("taken_anew", [False, True])
def test_a_suspect_whose_partition_was_given_up_while_that_was_said_does_not_run(
    dispatching: Dispatching, taken_anew: bool
) -> None:
    """Law: nothing of a partition begins once it is being given up, nor under the fence of an earlier ownership."""

    def give_up() -> None:
        del dispatching.fences[0]
        dispatching.board.drop_partitions({0})
        if taken_anew:
            dispatching.fences[0] = 2

    dispatching.on("k", lambda _: Done())
    dispatching.while_accusing = give_up
    dispatching.give(job(1, deaths=SUSPECTS_FROM))
    dispatching.turns()
    assert (dispatching.accused, dispatching.started, dispatching.board.running) == ([1], [], 0)


def test_a_fault_of_ours_before_a_run_is_a_failed_try(dispatching: Dispatching) -> None:
    """Law: whatever happens around its handler, a job gets an end: its lane must not stand still without a word."""

    def fail(_: object) -> bool:
        raise RuntimeError

    dispatching.it._accuse = fail
    dispatching.give(job(1, deaths=SUSPECTS_FROM))
    (end,) = dispatching.wait_ends()
    assert (end.fate, end.reason, end.attempts, dispatching.started) == ("retry", "RuntimeError", 1, [])


def test_an_accusation_is_in_the_ledger_while_the_suspect_runs(crew: Crew, database: str) -> None:
    """Law: whoever finds this process dead reads there which job it was."""
    watcher = JobActor(database)
    gate = Gate()
    crew.on("g", gate)
    (asked,) = crew.jobs.enqueue_many([Draft(kind="g", payload=1)])
    watcher.rows("UPDATE jobs SET deaths = %s RETURNING id", SUSPECTS_FROM)
    crew.start()
    until("the suspect to run", lambda: gate.inside == 1)

    accused = watcher.one(
        "SELECT j.suspect_fence = p.fence FROM jobs j JOIN job_partitions p USING (partition) WHERE j.id = %s",
        asked.job_id,
    )

    gate.open.set()
    assert accused is True
    until("it to be done", lambda: watcher.rows("SELECT 1 FROM jobs") == [])
