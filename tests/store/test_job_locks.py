"""Order of locks: whoever locks several jobs does so by their ids, so that two who do it at once wait and never die."""

from __future__ import annotations

from collections.abc import Callable

import gevent
import pytest

from gateway.domain.job import Draft
from gateway.store.ledger import erase, push
from tests.support.job_actor import JobActor, asked, end
from tests.support.waiting import GUARD_S


class Two:
    """Two jobs of one partition, of which the second lies in front of the first; their worker, and an operator."""

    def __init__(self, url: str) -> None:
        self.worker, self.operator = JobActor(url), JobActor(url)
        self.worker.take()
        self.low, self.high = [
            done.job_id
            for done in self.worker.ask(asked(1, lane="l", unique="low"), asked(2, lane="l", unique="high"))
        ]
        self.worker.rows("UPDATE jobs SET expires_at = now() WHERE id = %s RETURNING id", self.low)
        self.jobs = {job.job_id: job for job in self.worker.scan()}

    def meet(self, what: Callable[[], object]) -> None:
        """Have the operator take the first job away, and the second one while *what* waits for the first."""
        with self.operator.transaction():
            push.cancel(self.operator.cursor, ["low"])
            waiting = gevent.spawn(what)
            self.operator.holds_up(self.worker, waiting)
            push.cancel(self.operator.cursor, ["high"])
        waiting.get(timeout=GUARD_S)
        assert self.worker.states() == {}


@pytest.fixture
def two(database: str) -> Two:
    return Two(database)


@pytest.mark.parametrize(
    "fates", [("retry", "retry"), ("retry", "done"), ("done", "retry"), ("done", "done")]
)
def test_a_settle_locks_jobs_in_order(two: Two, fates: tuple[str, str]) -> None:
    low, high = fates
    ends = [end(two.jobs[two.high], high), end(two.jobs[two.low], low)]  # type: ignore[arg-type]
    two.meet(lambda: two.worker.settle(*ends))


def test_an_erasure_locks_jobs_in_order(two: Two) -> None:
    two.meet(lambda: erase.drop_jobs(two.worker.cursor, [two.high, two.low]))


def test_a_death_locks_jobs_in_order(two: Two, database: str) -> None:
    """Law: of each lane its first job counts the death of who had it in hands."""
    dead = JobActor(database)
    two.worker.leave()
    dead.take()
    lanes = [
        Draft(kind="test.noop", payload={}, lane=f"lane {n}", unique=key) for n, key in enumerate(("a", "b"))
    ]
    low, high = [done.job_id for done in dead.ask(*lanes)]
    dead.rows("UPDATE jobs SET expires_at = now() WHERE id = %s RETURNING id", low)
    dead.scan()
    dead.fall_silent()
    with two.operator.transaction():
        push.cancel(two.operator.cursor, ["a"])
        burial = gevent.spawn(two.worker.bury)
        two.operator.holds_up(two.worker, burial)
        push.cancel(two.operator.cursor, ["b"])
    burial.get(timeout=GUARD_S)
    assert not {low, high} & set(two.worker.states())
