"""Of suspects only the one that was about to run counts the death of its process: all others were but read."""

from __future__ import annotations

import pytest

from gateway.domain.job import SUSPECTS_FROM, Job
from gateway.store.ledger import job_partitions, jobs
from tests.support.job_actor import JobActor, asked, end


@pytest.fixture
def here(database: str) -> JobActor:
    return JobActor(database)


@pytest.fixture
def there(database: str) -> JobActor:
    return JobActor(database)


def suspects(worker: JobActor, count: int, **how: object) -> list[Job]:
    """Jobs that have seen just as many deaths, in the hands of a worker that owns everything."""
    worker.ask(*[asked(n, **how) for n in range(count)])
    worker.rows("UPDATE jobs SET deaths = %s RETURNING id", SUSPECTS_FROM)
    worker.take()
    return worker.scan()


def accuse(worker: JobActor, job: Job) -> bool:
    return jobs.accuse(worker.cursor, worker.process, job)


def deaths_after(dead: JobActor, other: JobActor) -> dict[int, int]:
    dead.die(buried_by=other)
    return dict(other.rows("SELECT id, deaths FROM jobs"))


def test_the_death_is_of_the_one_that_was_about_to_run(here: JobActor, there: JobActor) -> None:
    guilty, *_ = suspects(here, 5)
    assert accuse(here, guilty)
    assert deaths_after(here, there)[guilty.job_id] == SUSPECTS_FROM + 1


def test_the_death_of_one_clears_the_other_suspects_of_the_same_process(here: JobActor, there: JobActor) -> None:
    """Law: a death too many makes them suspects again, and nobody has to run thousands of them one at a time."""
    there.take(1)
    guilty, *others = suspects(here, 40)
    elsewhere = there.scan()
    assert elsewhere
    [told] = here.ask(asked(lane="fresh"))
    here.scan(behind=told.job_id - 1)
    twice = others.pop()
    here.rows("UPDATE jobs SET deaths = %s WHERE id = %s RETURNING id", SUSPECTS_FROM + 1, twice.job_id)
    assert accuse(here, guilty)
    assert deaths_after(here, there) == {
        guilty.job_id: SUSPECTS_FROM + 1,
        **{job.job_id: SUSPECTS_FROM - 1 for job in others},
        # Another process holds these, and that one has died by itself before.
        **{job.job_id: SUSPECTS_FROM for job in elsewhere},
        twice.job_id: SUSPECTS_FROM + 1,
        # It may have been running beside the guilty one: nobody has said that it was not.
        told.job_id: 1,
    }


def test_one_death_less_is_no_suspect(here: JobActor, there: JobActor) -> None:
    """Law: up to there everything that may have been running counts, as nobody has said what was."""
    (job,) = suspects(here, 1)
    here.rows("UPDATE jobs SET deaths = %s RETURNING id", SUSPECTS_FROM - 1)
    assert deaths_after(here, there) == {job.job_id: SUSPECTS_FROM}


@pytest.mark.parametrize("fate", ["retry", "snooze"])
def test_an_accusation_ends_with_its_run(here: JobActor, there: JobActor, fate: str) -> None:
    (job,) = suspects(here, 1)
    assert accuse(here, job)
    here.settle(end(job, fate, attempts=1))  # type: ignore[arg-type]
    here.promote()
    here.scan()
    assert deaths_after(here, there) == {job.job_id: SUSPECTS_FROM}


def test_an_accusation_ends_with_its_ownership(here: JobActor, there: JobActor) -> None:
    (job,) = suspects(here, 1)
    assert accuse(here, job)
    job_partitions.release(here.cursor, here.process, {job.partition: job.fence})
    here.take()
    here.scan()
    assert deaths_after(here, there) == {job.job_id: SUSPECTS_FROM}


def test_who_has_lost_the_partition_accuses_nobody(here: JobActor, there: JobActor) -> None:
    (job,) = suspects(here, 1)
    job_partitions.release(here.cursor, here.process, {job.partition: job.fence})
    assert not accuse(here, job)
    there.take()
    there.scan()
    assert deaths_after(there, here) == {job.job_id: SUSPECTS_FROM}


def test_behind_a_suspect_that_was_but_read_nothing_counts(here: JobActor, there: JobActor) -> None:
    """Law: the suspect was the first of its lane, and did not run: so nothing of its lane did."""
    here.ask(asked(1, lane="lane"), asked(2, lane="lane"))
    here.rows("UPDATE jobs SET deaths = %s WHERE payload->>'n' = '1' RETURNING id", SUSPECTS_FROM)
    here.take()
    first, second = here.scan()
    assert deaths_after(here, there) == {first.job_id: SUSPECTS_FROM, second.job_id: 0}
