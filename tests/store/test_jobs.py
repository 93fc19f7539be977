"""Jobs in the ledger: written in their order, read by their partition's owner, settled under its fence."""

from __future__ import annotations

import time

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.job import PARTITIONS, partition_of
from gateway.domain.resilience.priority import Priority
from gateway.store.ledger import job_partitions, jobs
from tests.support.actor import Actor
from tests.support.job_actor import JobActor, asked, end


@pytest.fixture
def here(database: str) -> JobActor:
    return JobActor(database)


@pytest.fixture
def there(database: str) -> JobActor:
    return JobActor(database)


def payloads(found: list[jobs.Job]) -> list[str]:
    return [job.payload for job in found]


# Writing


def test_jobs_are_written_in_order_and_read_in_order(here: JobActor) -> None:
    """Law: a lane's jobs have places that rise in the order in which they were asked for."""
    done = here.ask(*[asked(n, lane="lane") for n in range(5)])
    assert [each.fresh for each in done] == [True] * 5
    assert {each.partition for each in done} == {partition_of("lane")}
    here.take()
    found = here.scan()
    assert [job.job_id for job in found] == [each.job_id for each in done]
    assert payloads(found) == [f'{{"n":{n}}}' for n in range(5)]


def test_everything_that_was_asked_for_is_read(here: JobActor) -> None:
    here.ask(asked(7, kind="a.b", lane="lane", priority=Priority.LOW, keep_s=9.5, trace_id="trace"))
    here.take()
    (job,) = here.scan()
    assert (job.kind, job.lane, job.priority, job.keep_s, job.trace_id) == ("a.b", "lane", 2, 9.5, "trace")
    assert (job.partition, job.fence) == (partition_of("lane"), here.fences[partition_of("lane")])
    assert (job.attempts, job.deaths, job.wait_s) == (0, 0, 0.0)
    assert job.place == job.job_id
    assert 0 <= job.age_s < 60


def test_a_lane_is_in_the_partition_that_python_says_it_is(here: JobActor) -> None:
    """Law: whoever hints and whoever reads must mean the same partition, whatever is in the lane's name."""

    @given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
    def agree(lane: str) -> None:
        assert here.one("SELECT job_partition(%s, 0)", lane) == partition_of(lane)

    agree()


def test_a_job_without_a_lane_is_in_the_partition_of_its_id(here: JobActor) -> None:
    done = here.ask(*[asked(n) for n in range(PARTITIONS)])
    assert [each.partition for each in done] == [each.job_id % PARTITIONS for each in done]


def test_what_is_not_committed_is_not_read_and_what_is_rolled_back_never_was(
    here: JobActor, there: JobActor
) -> None:
    """Law: a job is its transaction's."""
    there.take()
    here.cursor.execute("BEGIN")
    here.ask(asked(lane="lane"))
    assert there.scan() == []
    here.cursor.execute("ROLLBACK")
    assert there.scan() == []
    with here.transaction():
        (done,) = here.ask(asked(lane="lane"))
    assert [job.job_id for job in there.scan()] == [done.job_id]


def test_a_job_with_a_time_to_come_is_scheduled_and_one_whose_time_is_past_is_ready(here: JobActor) -> None:
    now = time.time()
    later, past = here.ask(asked(run_at=now + 600), asked(run_at=now - 600))
    assert here.states() == {later.job_id: "scheduled", past.job_id: "ready"}
    here.take()
    assert [(job.job_id, job.wait_s) for job in here.scan()] == [(past.job_id, 0.0)]


# Unique keys


def test_a_unique_key_that_an_unfinished_job_bears_stands_for_it(here: JobActor) -> None:
    (first,) = here.ask(asked(1, lane="lane", unique="key"))
    (second,) = here.ask(asked(2, lane="another lane", unique="key"))
    assert (second.job_id, second.fresh, second.partition) == (first.job_id, False, first.partition)
    here.take()
    assert payloads(here.scan()) == ['{"n":1}']


def test_a_unique_key_twice_in_one_statement_is_one_job(here: JobActor) -> None:
    done = here.ask(asked(1, unique="key"), asked(2), asked(3, unique="key"), asked(4, unique="other"))
    assert done[2].job_id == done[0].job_id
    assert [each.fresh for each in done] == [True, True, False, True]
    assert len(here.states()) == 3


def test_a_unique_key_holds_while_its_job_is_scheduled_and_not_when_it_has_ended(here: JobActor) -> None:
    here.take()
    (first,) = here.ask(asked(1, unique="key", run_at=time.time() + 600))
    assert not here.ask(asked(2, unique="key"))[0].fresh
    here.make_due(first.job_id)
    here.promote()
    (job,) = here.scan()
    here.settle(end(job, "bury", reason="x"))
    assert here.ask(asked(3, unique="key"))[0].fresh


def test_two_who_ask_with_one_key_at_once_get_one_job(here: JobActor, there: JobActor) -> None:
    """Law: the second waits for the first's commit, and is answered with its job."""
    here.cursor.execute("BEGIN")
    (first,) = here.ask(asked(1, unique="key"))
    asking = gevent.spawn(there.ask, asked(2, unique="key"))
    here.holds_up(there, asking)
    here.cursor.execute("COMMIT")
    ((second),) = asking.get()
    assert (second.job_id, second.fresh) == (first.job_id, False)


def test_a_key_whose_job_ends_while_another_waits_for_it_is_free(here: JobActor, there: JobActor) -> None:
    """Law: whoever asks gets a job that is yet to run, never none."""
    here.take()
    here.ask(asked(1, unique="key"))
    (job,) = here.scan()
    here.cursor.execute("BEGIN")
    here.settle(end(job))
    asking = gevent.spawn(there.ask, asked(2, unique="key"))
    here.holds_up(there, asking)
    here.cursor.execute("COMMIT")
    (second,) = asking.get()
    assert second.fresh
    assert list(here.states()) == [second.job_id]


# Reading


def test_a_look_reads_from_behind_a_place_up_to_its_limit(here: JobActor) -> None:
    done = here.ask(*[asked(n, lane="lane") for n in range(6)])
    here.take()
    ids = [each.job_id for each in done]
    assert [job.job_id for job in here.scan(rows_max=2)] == ids[:2]
    assert [job.job_id for job in here.scan(behind=ids[1], rows_max=3)] == ids[2:5]


def test_priorities_are_read_apart(here: JobActor) -> None:
    low, high = here.ask(asked(1, priority=Priority.LOW), asked(2, priority=Priority.HIGH))
    here.take()
    assert [job.job_id for job in here.scan(priorities=[0])] == [high.job_id]
    assert [job.job_id for job in here.scan(priorities=[2])] == [low.job_id]


def test_lanes_and_kinds_can_be_left_out(here: JobActor) -> None:
    here.ask(asked(1, lane="long"), asked(2, lane="short"), asked(3, kind="paused"), asked(4, kind="other"))
    _, kept_back, *_ = here.ask(asked(5), asked(6, kind="paused", lane="short"), asked(7, lane="short"))
    here.take()
    found = here.scan(skip_lanes=["long"], skip_kinds=["paused"])
    assert sorted(payloads(found)) == ['{"n":2}', '{"n":4}', '{"n":5}'], "a paused kind keeps its lane back"
    found = here.scan(skip_lanes=["long"], skip_kinds=["paused"], finishing=[kept_back.job_id])
    assert sorted(payloads(found)) == ['{"n":2}', '{"n":4}', '{"n":5}', '{"n":7}']


def test_a_look_says_between_which_transactions_it_was(here: JobActor, there: JobActor) -> None:
    """Law: one that had begun and may still commit is below high, and no later low reaches high before it has ended."""
    here.take()
    there.cursor.execute("BEGIN")
    there.ask(asked())
    begun = int(there.one("SELECT pg_current_xact_id()::text"))
    scan = here.look()
    assert scan.jobs == []
    assert scan.low <= begun < scan.high
    assert here.look().low < scan.high
    there.cursor.execute("COMMIT")
    assert here.look().low >= scan.high


def test_a_late_place_of_the_youngest_transaction_is_between_low_and_high(
    here: JobActor, there: JobActor, database: str
) -> None:
    """Law: numbers of transactions and places are not drawn in one step.

    The youngest one draws its place before an older one does, and commits after it: what a snapshot says has ended does
    not tell of it.
    """
    here.take()
    youngest = JobActor(database)
    there.cursor.execute("BEGIN; SELECT pg_current_xact_id()")
    youngest.cursor.execute("BEGIN")
    (late,) = youngest.ask(asked(1, lane="lane"))
    (early,) = there.ask(asked(2, lane="lane"))
    there.cursor.execute("COMMIT")
    scan = here.look()
    assert [job.job_id for job in scan.jobs] == [early.job_id]
    assert late.job_id < early.job_id
    assert here.look().low < scan.high, "the mark would move past what is still to come"
    youngest.cursor.execute("COMMIT")
    assert here.look().low >= scan.high


def test_single_lanes_are_read_from_behind_a_place(here: JobActor) -> None:
    ids = [each.job_id for each in here.ask(*[asked(n, lane="lane") for n in range(4)])]
    other = here.ask(asked(9, lane="other"))[0].job_id
    here.take()
    found = jobs.scan_lanes(here.cursor, here.process, {"lane": ids[0], "other": 0}, here.fences, 2)
    assert [job.job_id for job in found] == [ids[1], ids[2], other]
    assert jobs.scan_lanes(here.cursor, here.process, {"nobody": 0}, here.fences, 2) == []


# Settling


def test_what_is_done_is_gone_and_what_is_to_be_kept_is_kept(here: JobActor) -> None:
    gone, kept = here.ask(asked(1), asked(2, keep_s=60))
    here.take()
    found = {job.job_id: job for job in here.scan()}
    settled = here.settle(end(found[gone.job_id]), end(found[kept.job_id], result='{"made":3}'))
    assert settled.changed == {gone.job_id, kept.job_id}
    assert here.states() == {kept.job_id: "done"}
    assert here.one("SELECT result::text FROM jobs") == '{"made":3}'
    assert here.scan() == []


def test_a_retry_keeps_its_place_and_a_snooze_does_not(here: JobActor) -> None:
    retried, snoozed, last = here.ask(*[asked(n, lane="lane") for n in range(3)])
    here.take()
    first, second, _ = here.scan()
    here.settle(end(first, "retry", attempts=1, after_s=30.0, reason="x"), end(second, "snooze", after_s=30.0))
    found = here.scan()
    assert [job.job_id for job in found] == [retried.job_id, last.job_id]
    assert (found[0].place, found[0].attempts) == (first.place, 1)
    assert 20 < found[0].wait_s <= 30
    here.make_due(snoozed.job_id)
    assert here.promote() == (1, None)
    again = here.scan()
    assert [job.job_id for job in again] == [retried.job_id, last.job_id, snoozed.job_id]
    assert again[2].place > second.place
    assert again[2].attempts == 0


def test_what_is_buried_is_a_dead_letter(here: JobActor) -> None:
    (buried,) = here.ask(asked(1, lane="lane"))
    here.take()
    (job,) = here.scan()
    here.settle(end(job, "bury", attempts=3, reason="no_use", detail="none at all"))
    assert here.states() == {buried.job_id: "buried"}
    assert here.rows("SELECT kind, job_id, reason, detail FROM dead_letters") == [
        ("job", buried.job_id, "no_use", "none at all")
    ]


def test_settling_twice_changes_nothing_more(here: JobActor) -> None:
    """Law: a batch whose answer was lost is run again."""
    here.ask(asked(1), asked(2, keep_s=60), asked(3), asked(4))
    here.take()
    found = here.scan()
    ends = [
        end(found[0]),
        end(found[1], result="1"),
        end(found[2], "retry", attempts=1, reason="x"),
        end(found[3], "bury", reason="x"),
    ]
    assert len(here.settle(*ends).changed) == 4
    states = here.states()
    again = here.settle(*ends)
    assert again.changed == {found[2].job_id}, "a retry is as it was: its attempts are a total"
    assert again.held == {job.partition for job in found}
    assert here.states() == states
    assert here.one("SELECT attempts FROM jobs WHERE state = 'ready'") == 1
    assert here.one("SELECT count(*) FROM dead_letters") == 1


@pytest.mark.parametrize("fate", ["done", "retry", "snooze", "bury"])
def test_whoever_lost_the_partition_writes_nothing(here: JobActor, there: JobActor, fate: str) -> None:
    """Law: the fence.  Its partition went to another process, which runs the job itself."""
    (done,) = here.ask(asked(1, lane="lane", keep_s=1))
    here.take()
    (job,) = here.scan()
    job_partitions.release(here.cursor, here.process, here.fences)
    there.take()
    settled = here.settle(end(job, fate, attempts=1, reason="x"))  # type: ignore[arg-type]
    assert (settled.held, settled.changed) == (frozenset(), frozenset())
    assert here.states() == {done.job_id: "ready"}
    assert [each.attempts for each in there.scan()] == [0]
    assert there.settle(end(there.scan()[0])).changed == {done.job_id}


def test_whoever_got_the_partition_back_may_not_settle_what_it_read_before(here: JobActor) -> None:
    here.ask(asked(1, lane="lane"))
    here.take()
    (job,) = here.scan()
    job_partitions.release(here.cursor, here.process, here.fences)
    here.take()
    assert here.settle(end(job)).changed == frozenset()


def test_of_several_partitions_those_that_are_held_are_written(here: JobActor, there: JobActor) -> None:
    here.ask(*[asked(n, lane=f"lane {n}") for n in range(20)])
    here.take()
    found = here.scan()
    lost = found[0].partition
    job_partitions.release(here.cursor, here.process, {lost: here.fences[lost]})
    settled = here.settle(*map(end, found))
    assert settled.held == {job.partition for job in found} - {lost}
    assert settled.changed == {job.job_id for job in found if job.partition != lost}


def test_a_settle_holds_up_who_wants_to_take_the_partition(here: JobActor, there: JobActor) -> None:
    """Law: between the check of the fence and the commit nobody else becomes the owner."""
    here.ask(asked(1, lane="lane"))
    here.take()
    (job,) = here.scan()
    here.cursor.execute("BEGIN")
    here.settle(end(job))
    killer = gevent.spawn(here_released, there, here)
    here.holds_up(there, killer)
    here.cursor.execute("COMMIT")
    killer.get()
    assert here.states() == {}


def here_released(by: JobActor, owner: JobActor) -> None:
    job_partitions.release(by.cursor, owner.process, owner.fences)


# Claims and deaths


def test_what_is_read_is_claimed_until_it_is_told_that_it_has_ended(here: JobActor) -> None:
    here.ask(asked(1), asked(2))
    here.take()
    assert here.claims() == 0
    found = here.scan()
    assert here.claims() == 1
    assert {job.claim for job in found} == {here.one("SELECT id FROM job_claims")}
    here.settle(*map(end, found), ended_claims=[found[0].claim])
    assert here.claims() == 0


def test_a_death_is_counted_once_for_the_head_of_each_lane(here: JobActor, there: JobActor) -> None:
    """Law: of a lane only the first one can have been running."""
    here.ask(asked(1, lane="a"), asked(2, lane="a"), asked(3, lane="b"), asked(4), asked(5))
    here.take()
    here.scan()
    here.scan()
    here.die(buried_by=there)
    there.take()
    deaths = {job.payload: job.deaths for job in there.scan()}
    assert deaths == {'{"n":1}': 1, '{"n":2}': 0, '{"n":3}': 1, '{"n":4}': 1, '{"n":5}': 1}


def test_a_death_is_not_counted_for_what_was_never_read_or_was_waiting_for_its_next_try(
    here: JobActor, there: JobActor
) -> None:
    here.ask(asked(1, lane="a"))
    here.take()
    (job,) = here.scan()
    here.settle(end(job, "retry", attempts=1, after_s=600.0))
    here.ask(asked(2, lane="b"))
    here.die(buried_by=there)
    there.take()
    assert [job.deaths for job in there.scan()] == [0, 0]


def test_who_leaves_in_order_leaves_no_deaths(here: JobActor, there: JobActor) -> None:
    here.ask(asked(1, lane="a"))
    here.take()
    here.scan()
    here.leave()
    assert len(there.take()) == PARTITIONS
    assert [job.deaths for job in there.scan()] == [0]
    assert here.claims() == 1, "the other's own"


def test_a_dead_ones_partitions_are_free_under_a_higher_fence(here: JobActor, there: JobActor) -> None:
    before = here.take()
    assert there.take() == {}
    here.die(buried_by=there)
    after = there.take()
    assert set(after) == set(range(PARTITIONS))
    assert all(after[partition] > fence for partition, fence in before.items())


def test_who_came_back_owns_nothing_of_its_old_epoch(here: JobActor, there: JobActor) -> None:
    here.ask(asked(1, lane="lane"))
    here.take()
    (job,) = here.scan()
    here.die(buried_by=there)
    here.revive()
    assert job_partitions.owned(here.cursor, here.process) == {}
    assert here.settle(end(job)).changed == frozenset()


# What comes due


def test_what_is_due_joins_in_the_order_in_which_it_was_due(here: JobActor) -> None:
    """Law: the place is drawn when it joins, so what stands in the lane by then is before it."""
    here.take()
    first, second = here.ask(*[asked(n, lane="lane", run_at=time.time() + 600) for n in (1, 2)])
    (waiting,) = here.ask(asked(3, lane="lane"))
    here.make_due(second.job_id, ago_s=60)
    here.make_due(first.job_id, ago_s=30)
    assert here.promote() == (2, None)
    assert [job.job_id for job in here.scan()] == [waiting.job_id, second.job_id, first.job_id]


def test_promoting_says_when_the_next_one_is_due(here: JobActor) -> None:
    here.take()
    assert here.promote() == (0, None)
    here.ask(asked(1, run_at=time.time() + 600), asked(2, run_at=time.time() + 60))
    promoted, next_s = here.promote()
    assert promoted == 0
    assert next_s is not None
    assert 30 < next_s <= 60


def test_two_who_promote_at_once_promote_each_job_once(here: JobActor, there: JobActor) -> None:
    here.take()
    there.fences = here.fences
    here.ask(*[asked(n, lane="lane", run_at=time.time() + 600) for n in range(3)])
    for job_id in here.states():
        here.make_due(job_id)
    here.cursor.execute("BEGIN")
    assert here.promote()[0] == 3
    assert there.promote()[0] == 0, "skipped, not waited for"
    here.cursor.execute("COMMIT")
    assert there.promote() == (0, None)
    assert len(here.scan()) == 3


def test_jobs_of_others_partitions_are_not_promoted(here: JobActor) -> None:
    here.ask(asked(1, lane="lane", run_at=time.time() + 600))
    (job_id,) = here.states()
    here.make_due(job_id)
    here.fences = {(partition_of("lane") + 1) % PARTITIONS: 1}
    assert here.promote() == (0, None)


def test_an_actor_of_another_kind_shares_no_partitions(database: str) -> None:
    """Law: gateways live in the same table and are never counted as workers."""
    Actor(database, "gateway")
    worker = JobActor(database)
    assert job_partitions.look(worker.cursor, 5.0).workers == (worker.id,)
