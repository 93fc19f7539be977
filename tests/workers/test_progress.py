"""Progress: the newest report of a running job is there to be read, and none of a job that is somebody else's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gevent
import msgspec
import pytest

from gateway.domain.errors import StoreUnavailable
from gateway.domain.job import Job
from gateway.settings.jobs import JobSettings
from gateway.store.ledger import job_status
from tests.support.job_actor import JobActor, asked
from tests.support.waiting import until
from tests.workers.reading import Interrupted, store
from workers.progress import Progress


class Reports:
    def __init__(self, url: str) -> None:
        self.actor = JobActor(url)
        self.actor.take()
        self.database = Interrupted(store(url))
        self.it = Progress(
            self.database, lambda: self.actor.process, JobSettings(progress_every_s=0.02, batch_rows_max=10)
        )
        self.writing = gevent.spawn(self.it.write_forever)

    def jobs(self, count: int) -> list[Job]:
        self.actor.ask(*[asked(n) for n in range(count)])
        return self.actor.scan()

    def read(self, job: Job) -> Any:
        [status] = job_status.statuses(self.actor.cursor, [job.job_id])
        assert status is not None
        return status.progress

    def wait_written(self) -> None:
        until("all to be written", lambda: not self.it._newest)

    def close(self) -> None:
        self.writing.kill()
        self.database.close()
        self.actor.connection.close()


@pytest.fixture
def it(database: str) -> Iterator[Reports]:
    reports = Reports(database)
    yield reports
    reports.close()


@pytest.mark.parametrize("value", [0.5, None, "half\x00 ü", {"done": [1, 2]}, 2**60])
def test_what_was_reported_can_be_read(it: Reports, value: Any) -> None:
    [job] = it.jobs(1)
    it.it.report(job, "before")
    until("the first", lambda: it.read(job) == "before")
    it.it.report(job, value)
    until("the next", lambda: it.read(job) == value)


def test_of_many_reports_the_newest_is_written(it: Reports) -> None:
    jobs = it.jobs(35)
    for n in range(5):
        for job in jobs:
            it.it.report(job, [job.job_id, n])
    it.wait_written()
    until("all", lambda: [it.read(job) for job in jobs] == [[job.job_id, 4] for job in jobs])


@pytest.mark.parametrize(
    "value",
    [object(), {1: {2}, "x": object()}, "\ud800", msgspec.Raw(b"{no JSON")],
    ids=["an object", "inside", "half a character", "raw"],
)
def test_what_is_no_json_is_its_reporters_fault(it: Reports, value: Any) -> None:
    """Law: it must not hold up others' reports, which are written together with it."""
    bad, good = it.jobs(2)
    it.it.report(bad, 1)
    with pytest.raises(TypeError):
        it.it.report(bad, value)
    it.it.report(good, 2)
    until("both", lambda: [it.read(bad), it.read(good)] == [1, 2])
    assert not it.writing.dead


def test_of_a_job_that_is_somebody_elses_now_nothing_is_written(it: Reports, database: str) -> None:
    [job] = it.jobs(1)
    heir = JobActor(database)
    it.actor.die(heir)
    heir.take()
    it.it.report(job, "from the grave")
    it.wait_written()
    assert it.read(job) is None
    it.actor.revive()
    it.it.report(job, "and from its next life")
    it.wait_written()
    assert it.read(job) is None
    heir.connection.close()


def test_the_loop_goes_on_after_postgresql_was_away(it: Reports) -> None:
    """Law: fail-open.  The next report is newer."""
    [job] = it.jobs(1)
    failed = False

    def fail() -> None:
        nonlocal failed
        failed = True
        raise StoreUnavailable("away", reason="away", retry_after_s=0)

    it.database.after = fail
    it.it.report(job, 1)
    until("the failure", lambda: failed)
    it.it.report(job, 2)
    until("the next", lambda: it.read(job) == 2)


def test_who_reports_all_the_time_does_not_keep_it_writing(it: Reports) -> None:
    """Law: every ``jobs.progress_every_s``, and not as fast as PostgreSQL takes it."""
    [job] = it.jobs(1)
    it.writing.kill()

    def report_again() -> None:
        it.it.report(job, 2)

    it.database.after = report_again
    it.it.report(job, 1)
    it.it._write()
    assert (it.read(job), it.it._newest) == (1, {job.job_id: (job, "2")})
