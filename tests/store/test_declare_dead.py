"""Declared dead by a parent, by label, from an exit status: what a beat's age would have said later."""

from __future__ import annotations

import gevent
import pytest

from gateway.store.ledger import job_partitions, process
from gateway.store.ledger.process import Buried
from tests.support.actor import Actor


@pytest.fixture
def child(database: str) -> Actor:
    """A worker under a label of its own, which owns a partition."""
    actor = Actor(database, "worker")
    actor.process = process.register(actor.cursor, "worker", "host:7:word")
    job_partitions.take(actor.cursor, actor.process, 3)
    return actor


def declare(actor: Actor, label: str = "host:7:word", *, crashed: bool = True) -> Buried:
    return process.declare_dead(actor.cursor, label, crashed=crashed)


def test_it_is_dead_at_once_however_young_its_beat(here: Actor, child: Actor) -> None:
    assert process.lives(here.cursor, "host:7:word")
    assert declare(here) == Buried(1, 0, 0)
    assert not process.lives(here.cursor, "host:7:word")
    assert child.beat() is None
    assert job_partitions.owned(child.cursor, child.process) == {}
    assert len(job_partitions.take(here.cursor, here.process, 32)) == 32
    assert declare(here) == Buried(0, 0, 0), "once is enough"


def test_nobody_else_is(here: Actor, child: Actor) -> None:
    assert declare(here, "host:7:another word") == Buried(0, 0, 0)
    assert child.beat() is not None
    assert len(job_partitions.owned(child.cursor, child.process)) == 3
    declare(here)
    assert here.beat() is not None


def test_one_that_left_in_order_is_not_touched(here: Actor, child: Actor) -> None:
    """Law: a second epoch would say that it lived a second time."""
    child.leave()
    epoch = here.one("SELECT epoch FROM processes WHERE id = %s", child.id)
    assert declare(here) == Buried(0, 0, 0)
    assert here.one("SELECT epoch FROM processes WHERE id = %s", child.id) == epoch


def test_one_that_registered_twice_is_dead_twice(here: Actor, child: Actor) -> None:
    """The answer to its first registration was lost, so it did it again: nobody beats for the first any more."""
    again = process.register(child.cursor, "worker", "host:7:word")
    assert declare(here).processes == 2
    assert here.one("SELECT beat FROM processes WHERE id = %s", again.process_id) is None


@pytest.mark.parametrize(("crashed", "deaths"), [(True, 1), (False, 0)])
def test_only_a_crash_counts_as_a_death_of_what_ran(
    here: Actor, child: Actor, crashed: bool, deaths: int
) -> None:
    first = child.say()
    here.rows("INSERT INTO jobs (id, place, partition, state, kind, payload, due_at)"
              " VALUES (1, 1, 1, 'ready', 'k', 'null', clock_timestamp()) RETURNING 1")  # fmt: skip
    here.rows(
        "INSERT INTO job_claims (process, epoch, jobs) VALUES (%s, %s, '{1}') RETURNING 1",
        child.id,
        child.process.epoch,
    )
    assert declare(here, crashed=crashed) == Buried(1, 1, 0)
    assert here.one("SELECT deaths FROM turns WHERE id = %s", first.turn_id) == deaths
    assert here.one("SELECT deaths FROM jobs") == deaths
    assert here.one("SELECT count(*) FROM job_claims") == 0


def test_what_its_last_statement_took_is_found_too(here: Actor, child: Actor) -> None:
    """Law: a killed process's statement may still be under way; who declares it dead waits, and then sees all of it."""
    with child.transaction():
        job_partitions.take(child.cursor, child.process, 32)
        declaring = gevent.spawn(declare, here)
        child.holds_up(here, declaring)
    assert declaring.get().processes == 1
    assert here.one("SELECT count(*) FROM job_partitions WHERE owner_process IS NOT NULL") == 0
