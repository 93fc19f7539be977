"""Statements about the same jobs, in different orders and at once: none waits for the other for good."""

from __future__ import annotations

import gevent
import pytest

from gateway.store.ledger import jobs
from tests.support.job_actor import JobActor, asked, end
from tests.support.waiting import until


@pytest.fixture
def here(database: str) -> JobActor:
    return JobActor(database)


@pytest.fixture
def there(database: str) -> JobActor:
    return JobActor(database)


def test_progress_leaves_out_a_job_that_is_being_settled(here: JobActor, there: JobActor) -> None:
    """Law: it waits for no settle, or a settle that came to the other job next would wait for it in turn."""
    here.ask(asked(1), asked(2))
    here.take()
    first, second = here.scan()
    here.cursor.execute("BEGIN")
    here.settle(end(first))
    reporting = gevent.spawn(jobs.progress, there.cursor, here.process, [(second, "2"), (first, "1")])
    until("its report or its wait", lambda: reporting.dead or here.pid in there.blocked())
    here.settle(end(second))
    here.cursor.execute("COMMIT")
    reporting.get()
    assert here.states() == {}


def test_progress_of_what_nobody_writes_is_written(here: JobActor, there: JobActor) -> None:
    here.ask(asked(1), asked(2))
    here.take()
    first, second = here.scan()
    here.cursor.execute("BEGIN")
    here.settle(end(first, "retry"))
    jobs.progress(there.cursor, here.process, [(second, "2"), (first, "1")])
    here.cursor.execute("ROLLBACK")
    reported = dict(here.rows("SELECT id, progress::text FROM jobs"))
    assert reported == {first.job_id: None, second.job_id: "2"}


def test_two_who_ask_for_the_same_keys_in_other_orders(database: str, here: JobActor, there: JobActor) -> None:
    """Law: whoever comes second waits for the first, and is answered with its jobs."""
    third = JobActor(database)
    here.cursor.execute("BEGIN")
    here.ask(asked(unique="m"))
    keys = ("a", "m", "z")
    one = gevent.spawn(there.ask, *[asked(1, unique=key) for key in keys])
    here.holds_up(there, one)
    other = gevent.spawn(third.ask, *[asked(2, unique=key) for key in reversed(keys)])
    until("the third to wait", lambda: other.dead or third.blocked())
    here.cursor.execute("ROLLBACK")
    assert [asked.fresh for asked in one.get()] == [True] * 3
    assert [asked.job_id for asked in other.get()] == [asked.job_id for asked in reversed(one.get())]


def test_places_are_in_the_order_asked_for_whatever_the_keys(here: JobActor) -> None:
    asked_for = here.ask(*[asked(n, lane="lane", unique=key) for n, key in enumerate("cabca")])
    here.take()
    assert [job.job_id for job in here.scan()] == [one.job_id for one in asked_for[:3]]
    assert asked_for[3].job_id == asked_for[0].job_id
    assert asked_for[4].job_id == asked_for[1].job_id
