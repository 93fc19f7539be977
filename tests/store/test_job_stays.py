"""A settle ends the run that it is of: not the job's next stay in its lane, nor what another ownership runs."""

from __future__ import annotations

import pytest

from gateway.store.ledger import job_partitions
from tests.support.job_actor import JobActor, asked, end


@pytest.fixture
def here(database: str) -> JobActor:
    return JobActor(database)


def test_a_snooze_that_is_written_again_does_not_end_the_next_stay(here: JobActor) -> None:
    """Law: the answer to a commit was lost, the job was due at once and read anew; then the call is made again."""
    here.ask(asked(lane="lane"))
    here.take()
    (first,) = here.scan()
    assert here.settle(end(first, "snooze")).changed == {first.job_id}
    assert here.promote()[0] == 1
    (anew,) = here.scan()

    again = here.settle(end(first, "snooze"))

    assert (again.changed, again.held) == (set(), {first.partition})
    assert here.states() == {first.job_id: "ready"}
    assert here.settle(end(anew, "done")).changed == {first.job_id}
    assert here.states() == {}


@pytest.mark.parametrize("fate", ["retry", "bury"])
def test_nothing_of_an_earlier_stay_is_written(here: JobActor, fate: str) -> None:
    """Law: a call that was given up on may be executed long after."""
    here.ask(asked())
    here.take()
    (first,) = here.scan()
    here.settle(end(first, "snooze"))
    here.promote()
    assert here.settle(end(first, fate, attempts=9, after_s=600.0)).changed == set()  # type: ignore[arg-type]
    (anew,) = here.scan()
    assert (anew.attempts, anew.wait_s) == (0, 0.0)


def test_a_result_that_is_kept_is_of_its_own_stay(here: JobActor) -> None:
    here.ask(asked(keep_s=60.0))
    here.take()
    (first,) = here.scan()
    here.settle(end(first, "snooze"))
    here.promote()
    assert here.settle(end(first, "done", result="1")).changed == set()
    assert here.states() == {first.job_id: "ready"}


def test_ends_of_two_ownerships_in_one_batch(here: JobActor) -> None:
    """Law: those of the earlier one are not written, those of the later one are, and its partition is not lost.

    A run that may finish outside its lease, or an end that waited for PostgreSQL, meets those of a later ownership.
    """
    here.ask(asked(1, lane="lane"), asked(2, lane="lane"))
    here.take()
    old, _ = here.scan()
    job_partitions.release(here.cursor, here.process, {old.partition: old.fence})
    here.take()
    anew, behind = here.scan()
    assert old.fence < anew.fence

    for ends in ([end(old, "bury"), end(behind)], [end(anew), end(old, "bury")]):
        settled = here.settle(*ends)

        assert settled.held == {old.partition}
        assert settled.changed == {next(each.job.job_id for each in ends if each.fate == "done")}
    assert here.states() == {}


def test_an_end_of_an_earlier_ownership_alone_is_refused(here: JobActor) -> None:
    here.ask(asked(1))
    here.take()
    (old,) = here.scan()
    job_partitions.release(here.cursor, here.process, {old.partition: old.fence})
    here.take()
    assert here.settle(end(old)).held == set()
    (anew,) = here.scan()
    assert (anew.place, anew.fence) == (old.place, old.fence + 2)
