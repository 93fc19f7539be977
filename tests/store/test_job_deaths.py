"""Whose death is counted for which job: only what the dead one may have been running, of partitions it still had."""

from __future__ import annotations

import pytest

from gateway.domain.resilience.priority import Priority
from gateway.store.ledger import job_partitions
from tests.support.job_actor import JobActor, asked, end


@pytest.fixture
def here(database: str) -> JobActor:
    return JobActor(database)


@pytest.fixture
def there(database: str) -> JobActor:
    return JobActor(database)


def test_behind_a_head_that_waits_for_its_next_try_no_death_is_counted(
    here: JobActor, there: JobActor
) -> None:
    """Law: the head holds its lane, so what was read behind it cannot have been running."""
    here.ask(asked(1, lane="lane"), asked(2, lane="lane"))
    here.take()
    head, _ = here.scan()
    here.settle(end(head, "retry", attempts=1, after_s=600.0))
    here.die(buried_by=there)
    there.take()
    assert [job.deaths for job in there.scan()] == [0, 0]


@pytest.mark.parametrize("due", [False, True])
def test_nor_is_one_behind_a_head_that_was_put_down_and_is_in_no_claim(
    here: JobActor, there: JobActor, due: bool
) -> None:
    """Law: a lane that sleeps goes on with its head, late or not, and not with what was read behind it."""
    here.ask(asked(1, lane="lane"))
    here.take()
    [head] = here.scan()
    here.settle(end(head, "retry", attempts=1, after_s=600.0), ended_claims=[head.claim])
    here.ask(asked(2, lane="lane"))
    here.scan(known=[head.place])
    if due:
        here.make_due(head.job_id)
    here.die(buried_by=there)
    there.take()
    assert [job.deaths for job in there.scan()] == [0, 0]


@pytest.mark.parametrize("priority", [Priority.HIGH, Priority.NORMAL])
def test_one_beside_which_an_earlier_one_was_committed_counts_a_death(
    here: JobActor, there: JobActor, priority: Priority
) -> None:
    """Law: it may have been running before that, and one of another priority is read by itself."""
    with there.transaction():
        [early] = there.ask(asked(1, lane="lane"))
        [late] = here.ask(asked(2, lane="lane", priority=priority))
        here.take()
        assert [job.job_id for job in here.scan()] == [late.job_id]
    if priority != Priority.NORMAL:
        here.rows("UPDATE jobs SET attempts = 1 WHERE id = %s RETURNING id", early.job_id)
    here.die(buried_by=there)
    there.take()
    assert {job.job_id: job.deaths for job in there.scan()} == {early.job_id: 0, late.job_id: 1}


def test_a_head_whose_next_try_is_due_counts_a_death(here: JobActor, there: JobActor) -> None:
    here.ask(asked(1, lane="lane"), asked(2, lane="lane"))
    here.take()
    head, _ = here.scan()
    here.settle(end(head, "retry", attempts=1, after_s=600.0))
    here.make_due(head.job_id)
    here.die(buried_by=there)
    there.take()
    assert [job.deaths for job in there.scan()] == [1, 0]


def test_what_was_given_back_before_counts_no_death(here: JobActor, there: JobActor) -> None:
    """Law: it is in another's hands by then; a claim that still names it says only who has read it once."""
    here.ask(asked(1, lane="lane"), asked(2))
    here.take()
    given, kept = (job.partition for job in here.scan())
    assert given != kept, "the lane's name is chosen for it"
    job_partitions.release(here.cursor, here.process, {given: here.fences[given]})
    there.take()
    here.die(buried_by=there)
    there.take()
    assert {job.partition: job.deaths for job in there.scan()} == {given: 0, kept: 1}


def test_what_an_earlier_life_claimed_after_its_death_goes_with_the_next_one(
    here: JobActor, there: JobActor
) -> None:
    """Law: nobody else would ever take it away."""
    here.take()
    here.ask(asked(1))
    here.die(buried_by=there)
    here.scan()
    here.revive()
    here.die(buried_by=there)
    assert here.claims() == 0
