"""Ends on their way to the ledger: written once, told after the commit, given up only where they are not ours."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import gevent
import msgspec
import psycopg2
import pytest
from psycopg2.extensions import cursor as Cursor

from gateway.domain.errors import StoreUnavailable
from gateway.domain.job import Draft, Enqueued, Job, JobEnd
from gateway.settings.jobs import JobSettings
from gateway.store.ledger import job_partitions
from gateway.store.ledger import jobs as rows
from gateway.store.postgres import Database
from tests.server.telling import told
from tests.support.job_actor import JobActor, asked, end
from tests.support.waiting import GUARD_S, until
from tests.workers.reading import store
from workers.board import Ending
from workers.settler import Settler

T = TypeVar("T")


class Faulty(Database):
    """PostgreSQL as a test wants it: gone, or losing the answers of statements that it has committed."""

    away = False
    lose = 0
    tries = 0

    def attempt(self, work: Callable[[Cursor], T]) -> T:
        self.tries += 1
        if self.away:
            raise StoreUnavailable("away", reason="postgres_unreachable", retry_after_s=0)
        result = super().attempt(work)
        if self.lose:
            self.lose -= 1
            raise psycopg2.OperationalError("server closed the connection unexpectedly")
        return result


class Ends:
    """A settler over a real ledger, and what it has told."""

    def __init__(self, url: str, **settings: Any) -> None:
        self.actor = JobActor(url)
        self.actor.take()
        #: What the worker believes is its own.
        self.held = dict(self.actor.fences)
        self.database = Faulty(store(url))
        self.told: list[tuple[int, Ending]] = []
        self.rows_when_told: list[set[int]] = []
        self.claims: list[int] = []
        self.hinted: list[int] = []
        self.buried: list[int] = []
        #: Whether what follows of a job that is given up is what PostgreSQL refuses.
        self.unwritable = False
        self.view = JobActor(url)
        self.settler = Settler(
            self.database,
            lambda: self.actor.process,
            JobSettings(**settings),
            holds=lambda partition, fence: self.held.get(partition) == fence,
            ended_claims=self._ended_claims,
            enqueue=rows.enqueue,
            hint=self._hint,
            buried=self._buried,
            told=lambda end, fate: self.told.append((end.job.job_id, fate)),
        )

    def jobs(self, count: int, **how: Any) -> list[Job]:
        self.actor.ask(*[asked(n, **how) for n in range(count)])
        return sorted(self.actor.scan(), key=lambda job: job.place)[-count:]

    def put(self, *ends: JobEnd) -> None:
        for each in ends:
            self.settler.put(each)

    def settle(self, *ends: JobEnd) -> list[tuple[int, Ending]]:
        """Have these written; return what was told, in order of the jobs."""
        before = len(self.told)
        self.put(*ends)
        assert self.settler.flush(time.monotonic() + GUARD_S)
        return sorted(self.told[before:])

    def kinds(self) -> list[str]:
        return [row[0] for row in self.view.rows("SELECT kind FROM jobs ORDER BY id")]

    def die_and_come_back(self, database: str) -> None:
        """Have all partitions be taken anew, by the process that had them."""
        other = JobActor(database)
        self.actor.die(other)
        self.actor.revive()
        self.actor.fences.clear()
        self.actor.take()
        self.held = dict(self.actor.fences)
        other.connection.close()

    def close(self) -> None:
        self.database.close()
        for actor in (self.actor, self.view):
            actor.connection.close()

    def _ended_claims(self) -> list[int]:
        claims, self.claims = self.claims, []
        return claims

    def _hint(self, asked: Sequence[Enqueued], drafts: Sequence[Draft]) -> None:
        self.hinted += [each.job_id for each in asked]

    def _buried(self, end: JobEnd) -> Sequence[Draft]:
        if end.fate != "bury":
            return ()
        self.buried.append(end.job.job_id)
        return (asked(kind="\0" if self.unwritable else "test.told"),)


@pytest.fixture
def it(database: str) -> Iterator[Ends]:
    ends = Ends(database)
    yield ends
    ends.close()


FOLLOWS = (asked(kind="test.follow"),)


def test_each_end_is_told_as_it_was_written(it: Ends) -> None:
    done, kept, retried, snoozed, buried = it.jobs(5)
    kept = msgspec.structs.replace(kept, keep_s=60.0)
    told = it.settle(
        end(done),
        end(kept, result="1"),
        end(retried, "retry", after_s=60.0, attempts=1),
        end(snoozed, "snooze", after_s=60.0),
        end(buried, "bury", reason="x"),
    )
    assert [fate for _, fate in told] == ["done", "done", "retry", "snooze", "bury"]
    states = it.actor.states()
    assert [states.get(job.job_id) for job in (done, kept, retried, snoozed, buried)] == [
        None,
        "done",
        "ready",
        "scheduled",
        "buried",
    ]


def test_nothing_is_told_before_it_is_committed(it: Ends) -> None:
    """Law: what is told lets the lane's next job start."""
    [job] = it.jobs(1, lane="l")
    with it.view.transaction():
        it.view.rows("SELECT 1 FROM jobs WHERE id = %s FOR UPDATE", job.job_id)
        it.put(end(job))
        until("the statement to wait", lambda: waiting(it))
        assert it.told == []
        assert not it.settler.flush(time.monotonic()), "and nobody may believe that all is written"
    until("it to be told", lambda: it.told == [(job.job_id, "done")])


def waiting(it: Ends) -> list[Any]:
    looker = JobActor(it.actor._url)
    found = looker.rows(
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%%jobs_settle%%'"
        " AND datname = current_database()"
    )
    looker.connection.close()
    return found


def test_ends_of_many_are_one_commit_and_none_takes_two(it: Ends) -> None:
    told = it.settle(*[end(job) for job in it.jobs(300)])
    assert [fate for _, fate in told] == ["done"] * 300
    assert it.database.tries <= 3


def test_a_dead_letter_is_logged_by_its_reason_and_never_by_its_detail(it: Ends) -> None:
    [job] = it.jobs(1)
    with told("job.buried") as heard:
        it.settle(end(job, "bury", reason="no_such_user", detail="what somebody wrote"))
    [event] = heard.events
    assert (event["job_id"], event["reason"]) == (job.job_id, "no_such_user")
    assert "what somebody wrote" not in repr(event)


# Fences


def test_under_an_old_fence_nothing_is_written_and_the_partition_is_told_lost(
    it: Ends, database: str
) -> None:
    """Law: who is not the owner any more does not mark a job, whatever its run has done; nor does it ask for more."""
    [job] = it.jobs(1, lane="l")
    heir = JobActor(database)
    it.actor.die(heir)
    heir.take()
    assert it.settle(end(job, then=FOLLOWS)) == [(job.job_id, "lost")]
    assert it.actor.states() == {job.job_id: "ready"}
    assert it.kinds() == ["test.noop"]
    heir.connection.close()


def test_what_is_still_ours_is_written_although_it_goes_with_what_is_not(it: Ends, database: str) -> None:
    jobs = it.jobs(64)
    gone = {job.partition: job.fence for job in jobs if job.partition % 2}
    lost = [job.job_id for job in jobs if job.partition in gone]
    job_partitions.release(it.actor.cursor, it.actor.process, gone)
    told = dict(it.settle(*[end(job, then=FOLLOWS) for job in jobs]))
    assert [job_id for job_id, fate in told.items() if fate == "lost"] == lost
    assert sum(fate == "done" for fate in told.values()) == 64 - len(lost)
    assert it.kinds().count("test.follow") == 64 - len(lost)


@pytest.mark.parametrize("later_first", [False, True])
@pytest.mark.parametrize("fate", ["done", "bury"])
def test_of_one_job_under_two_fences_only_the_later_end_has_followers(
    it: Ends, database: str, fate: Any, later_first: bool
) -> None:
    """Law: a process that was dead and came back may have run a job twice; what follows of it is asked for once."""
    [before] = it.jobs(1, lane="l")
    it.die_and_come_back(database)
    [after] = it.actor.scan()
    ends = [end(each, fate, then=FOLLOWS, reason="x") for each in (before, after)]
    it.put(*(reversed(ends) if later_first else ends))
    assert it.settler.flush(time.monotonic() + GUARD_S)
    assert it.kinds() == (["test.follow"] if fate == "done" else ["test.noop", "test.follow", "test.told"])
    assert sorted(fate for _, fate in it.told) == sorted([fate, "lost"])


def test_an_end_of_an_earlier_ownership_is_not_written_beside_one_of_a_later(it: Ends, database: str) -> None:
    """Law: its job is this ownership's to run, whose fence is not the one under which it was run before."""
    first, second = it.jobs(2, lane="l")
    it.die_and_come_back(database)
    again, _ = it.actor.scan()
    assert it.settle(end(second), end(again)) == [(first.job_id, "done"), (second.job_id, "lost")]
    assert it.actor.states() == {second.job_id: "ready"}


def test_a_job_that_was_dropped_by_hand_is_told_gone_and_nothing_follows(it: Ends) -> None:
    [job] = it.jobs(1, lane="l")
    it.view.rows("DELETE FROM jobs RETURNING id")
    assert it.settle(end(job, then=FOLLOWS)) == [(job.job_id, "gone")]
    assert it.kinds() == []


# PostgreSQL, away and back


def test_ends_are_written_when_postgresql_is_back_however_long_that_takes(it: Ends) -> None:
    jobs = it.jobs(5)
    it.database.away = True
    it.put(*[end(job) for job in jobs])
    # More than a batch tries by itself.
    until("tries", lambda: it.database.tries > 8)
    assert it.told == []
    assert not it.settler.flush(time.monotonic()), "also between two tries"
    it.database.away = False
    assert it.settler.flush(time.monotonic() + GUARD_S)
    assert [fate for _, fate in it.told] == ["done"] * 5
    assert it.actor.states() == {}


def test_while_an_end_waits_for_its_next_try_nobody_believes_that_all_is_written(it: Ends) -> None:
    """Law: a drain that ends between two tries would leave a job that is done to be run again."""
    [job] = it.jobs(1)
    it.database.away = True
    it.put(end(job))
    for _ in range(50):
        assert not it.settler.flush(time.monotonic() + 0.02)
    it.database.away = False
    assert it.settler.flush(time.monotonic() + GUARD_S)
    assert it.told == [(job.job_id, "done")]


def test_an_end_of_a_partition_that_was_lost_meanwhile_is_not_tried_for_ever(it: Ends) -> None:
    [job] = it.jobs(1)
    it.database.away = True
    it.put(end(job))
    until("a try", lambda: it.database.tries)
    it.held.clear()
    until("it to be given up", lambda: it.told == [(job.job_id, "lost")])
    tries = it.database.tries
    assert it.settler.flush(time.monotonic() + GUARD_S)
    assert it.database.tries == tries


@pytest.mark.parametrize("lost", [1, 2])
def test_a_lost_answer_to_the_commit_doubles_nothing(it: Ends, lost: int) -> None:
    """Law: the batch is made again, and finds its jobs ended; what follows of them is there already."""
    jobs = it.jobs(3)
    it.database.lose = lost
    told = it.settle(*[end(job, then=FOLLOWS) for job in jobs])
    assert [fate for _, fate in told] == ["gone"] * 3, "their lanes go on all the same"
    assert it.kinds() == ["test.follow"] * 3


def test_a_lost_answer_counts_no_try_twice_and_tells_no_dead_letter_twice(it: Ends) -> None:
    retried, buried = it.jobs(2)
    it.database.lose = 1
    it.settle(end(retried, "retry", attempts=1), end(buried, "bury", reason="x"))
    assert it.told[0] == (retried.job_id, "retry"), "it is in its place, to be run again by this process"
    assert it.view.rows("SELECT id, attempts FROM jobs WHERE state = 'ready' AND kind = 'test.noop'") == [
        (retried.job_id, 1)
    ]
    assert it.view.one("SELECT count(*) FROM dead_letters") == 1
    assert it.kinds().count("test.told") == 1


# What cannot be written


def test_an_end_that_postgresql_refuses_buries_its_job_and_harms_no_other(it: Ends) -> None:
    """Law: the end must be written, and so must those of the same batch, once."""
    jobs = [msgspec.structs.replace(job, keep_s=60.0) for job in it.jobs(8)]
    ends = [end(job, result="{no JSON" if n == 5 else "1", then=FOLLOWS) for n, job in enumerate(jobs)]
    told = it.settle(*ends)
    assert [fate for _, fate in told] == ["done"] * 5 + ["bury"] + ["done"] * 2
    assert it.view.rows("SELECT id, reason FROM jobs WHERE state = 'buried'") == [
        (jobs[5].job_id, "unwritable")
    ]
    assert it.kinds().count("test.follow") == 7
    assert it.kinds().count("test.told") == 1


def test_a_job_whose_giving_up_is_refused_for_what_follows_of_it_is_given_up_alone(it: Ends) -> None:
    """Law: and not tried again and again without a pause, as what is refused is refused each time."""
    [job] = it.jobs(1)
    it.unwritable = True
    assert it.settle(end(job, "bury", reason="x", detail="\0")) == [(job.job_id, "bury")]
    assert it.view.rows("SELECT reason FROM jobs") == [("unwritable",)]
    assert it.database.tries == 3


def test_what_follows_is_hinted_after_it_was_written(it: Ends) -> None:
    [job] = it.jobs(1)
    it.settle(end(job, then=FOLLOWS))
    assert it.hinted == [row[0] for row in it.view.rows("SELECT id FROM jobs")]


# Claims


def test_an_end_takes_along_the_claims_of_which_nothing_is_left(it: Ends) -> None:
    [job] = it.jobs(1)
    it.claims = [row[0] for row in it.view.rows("SELECT id FROM job_claims")]
    assert it.claims
    it.settle(end(job))
    assert it.actor.claims() == 0


def test_claims_are_forgotten_when_no_end_comes_and_after_an_outage(it: Ends) -> None:
    """Law: a claim that is left counts a death for what had ended long before."""
    it.jobs(1)
    it.claims = [row[0] for row in it.view.rows("SELECT id FROM job_claims")]
    it.database.away = True
    forgetting = gevent.spawn(it.settler.forget_claims_forever)
    until("a try", lambda: it.database.tries)
    assert it.actor.claims()
    it.database.away = False
    until("no claims", lambda: it.actor.claims() == 0)
    forgetting.kill()


def test_claims_whose_statement_failed_go_with_the_next_one(it: Ends) -> None:
    [job] = it.jobs(1)
    it.claims = [row[0] for row in it.view.rows("SELECT id FROM job_claims")]
    kept = msgspec.structs.replace(job, keep_s=60.0)
    assert it.settle(end(kept, result="{no JSON")) == [(job.job_id, "bury")]
    assert it.actor.claims() == 0
