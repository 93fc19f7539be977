"""What the feed reads from the ledger: everything once, late commits too, within bounds, and nothing of others."""

from __future__ import annotations

import time
from collections.abc import Iterator

import gevent
import pytest

from gateway.domain.errors import StoreUnavailable
from gateway.domain.job import PARTITIONS, Job, partition_of
from gateway.domain.resilience.priority import Priority
from tests.support.job_actor import JobActor, asked
from tests.support.waiting import until
from tests.workers.reading import NEVER_S, Read, Reading, ids, many
from workers.feed import _FEW, _HELD_FACTOR, _PAUSE_S

NORMAL = Priority.NORMAL
LANE = "lane"
PART = partition_of(LANE)


# Everything once


def test_what_is_there_when_a_partition_is_taken_is_read_by_place(read: Read) -> None:
    it = read()
    wanted = [done.job_id for done in it.actor.ask(*many(50))]
    it.look()
    assert sorted(ids(it.take())) == wanted
    assert it.wakes, "there is something to start"


def test_what_was_read_is_not_read_again_while_it_runs(read: Read) -> None:
    it = read()
    it.actor.ask(*many(5))
    it.look()
    jobs = it.take()
    it.full_look()
    assert it.take() == []
    it.end(jobs)
    it.full_look()
    assert it.take() == []


def test_partitions_that_hold_nothing_take_no_rows_of_one_with_a_backlog(read: Read) -> None:
    """However often all are looked at, because something that was scheduled joins its lane."""
    it = read(batch_rows_max=300, jobs_buffered_max=600)
    lanes = [name for n in range(40_000) if partition_of(name := f"lane {n}") == PART]
    it.actor.ask(*[asked(n, lane=lanes[n]) for n in range(1_000)])
    ran, rounds = 0, 0
    while ran < 1_000:
        it.feed._hungry.update(dict.fromkeys(it.feed._marks))
        it.feed._round()
        jobs = it.take()
        it.end(jobs)
        ran, rounds = ran + len(jobs), rounds + 1
    assert rounds < 40


def test_partitions_with_few_jobs_are_not_read_far_ahead_of_those_with_many(read: Read) -> None:
    """Every fifth job is of one partition, all others of another; the oldest wait no longer for that."""
    it = read(batch_rows_max=10, jobs_buffered_max=20)
    lanes: dict[int, list[str]] = {1: [], 2: []}
    for n in range(40_000):
        lanes.get(partition_of(f"lane {n}"), []).append(f"lane {n}")
    drafts = [asked(n, lane=lanes[1 if n % 5 else 2].pop()) for n in range(1_000)]
    wanted = [done.job_id for done in it.actor.ask(*drafts)]
    ahead, ran = 0, set[int]()
    while len(ran) < len(wanted):
        it.look()
        jobs = it.take()
        it.end(jobs)
        ran |= set(ids(jobs))
        oldest = next((number for number, each in enumerate(wanted) if each not in ran), len(wanted))
        newest = max(number for number, each in enumerate(wanted) if each in ran)
        ahead = max(ahead, newest - oldest)
    assert ahead < 300


Late = tuple[Reading, JobActor, int, int]


@pytest.fixture
def late(read: Read, database: str) -> Iterator[Late]:
    """A lane whose first job is not committed yet, while its second was read: both ids."""
    it, other = read(), JobActor(database)
    other.cursor.execute("BEGIN")
    [first] = other.ask(asked(1, lane=LANE))
    [second] = it.actor.ask(asked(2, lane=LANE))
    it.look()
    assert second.job_id in it.board
    assert first.job_id not in it.board
    yield it, other, first.job_id, second.job_id
    other.connection.close()


def test_a_late_commit_is_found_by_its_hint_at_once(late: Late) -> None:
    """Law: a place is drawn before its transaction commits.  What comes behind the mark takes its place in the lane."""
    it, other, first, second = late
    other.cursor.execute("COMMIT")
    it.feed.hint(PART, NORMAL, [first])
    it.look()
    assert [ids(it.take()), first in it.board, second in it.board] == [[first], True, True]


def test_a_late_commit_is_found_by_the_full_look_without_a_hint(late: Late) -> None:
    it, other, first, _ = late
    it.full_look()
    other.cursor.execute("COMMIT")
    it.look()
    assert first not in it.board, "nobody has told of it"
    it.full_look()
    assert ids(it.take()) == [first]


def test_a_late_commit_is_found_however_many_full_looks_pass_before_it(late: Late) -> None:
    """Law: the floor stands still while somebody may still show a place below it, whatever is read above."""
    it, other, first, _ = late
    for n in range(5):
        it.actor.ask(asked(n, lane=LANE))
        it.full_look()
    other.cursor.execute("COMMIT")
    it.full_look()
    assert ids(it.take()) == [first]


def test_a_late_commit_is_found_by_its_hint_behind_more_than_a_look_brings(read: Read, database: str) -> None:
    """Law: a hinted pair is looked at from its floor on until all was seen."""
    it, other = read(batch_rows_max=4), JobActor(database)
    it.actor.ask(*many(30, lane=LANE))
    other.cursor.execute("BEGIN")
    [late] = other.ask(asked(lane=LANE))
    it.actor.ask(*many(30, lane=LANE))
    it.look()
    other.cursor.execute("COMMIT")
    it.feed.hint(PART, NORMAL, [late.job_id])
    assert late.job_id in ids(it.run_all())
    other.connection.close()


def test_a_hint_of_what_was_read_asks_for_nothing(read: Read) -> None:
    """Law: a hint comes twice, and may be old."""
    it = read()
    [done] = it.actor.ask(asked(lane=LANE))
    it.look()
    it.feed.hint(PART, NORMAL, [done.job_id])
    assert not it.feed._something.is_set()
    it.feed.hint(PART, NORMAL, [])
    assert it.feed._something.is_set(), "but one that names nothing says that there is something"


def test_a_hint_of_a_partition_that_is_not_ours_is_nothing_to_us(read: Read) -> None:
    it = read()
    it.look()
    del it.actor.fences[PART]
    it.feed.released(PART)
    it.feed.hint(PART, NORMAL, [1])
    assert not it.feed._something.is_set()


# Bounds


def test_memory_is_bounded_whatever_the_backlog(read: Read) -> None:
    it = read(jobs_buffered_max=100, batch_rows_max=50)
    wanted = [done.job_id for done in it.actor.ask(*many(1_000))]
    ran = it.run_all(room=20)
    assert sorted(ids(ran)) == wanted, "each once"
    assert it.most_buffered <= 100 + _FEW


def test_memory_is_bounded_when_nothing_of_it_may_start(read: Read) -> None:
    """Law: what waits for its next try waits for no room, so it may be more than that; but not without a bound."""
    it = read(jobs_buffered_max=40)
    it.actor.ask(*many(600))
    not_due(it, 5 * NEVER_S)
    for _ in range(3):
        it.full_look()
    assert it.board.held == it.board.buffered
    assert 40 * _HELD_FACTOR <= it.most_buffered <= 40 * (_HELD_FACTOR + 1) + _FEW
    [urgent] = it.actor.ask(asked(priority=Priority.HIGH))
    it.full_look()
    assert ids(it.take()) == [urgent.job_id], "what is more important than all that is read beside it"
    not_due(it, 0)
    it.now += 5 * NEVER_S
    assert len(it.run_all()) == 600


def not_due(it: Reading, seconds: float) -> None:
    """Have all that is there wait for its next try."""
    it.actor.rows(
        "UPDATE jobs SET due_at = clock_timestamp() + make_interval(secs => %s) RETURNING id", seconds
    )


def test_what_may_not_start_leaves_room_for_what_may(read: Read) -> None:
    it = read(jobs_buffered_max=100, batch_rows_max=50)
    it.actor.ask(*[asked(n, lane=f"lane {n}") for n in range(300)])
    not_due(it, 300)
    wanted = [done.job_id for done in it.actor.ask(*many(100))]
    assert sorted(ids(it.run_all())) == wanted


def test_a_long_lane_is_held_in_pieces_and_runs_to_its_end_in_order(read: Read) -> None:
    it = read(lane_buffered_max=4, batch_rows_max=16)
    long = [done.job_id for done in it.actor.ask(*many(150, lane="long"))]
    short = {
        f"lane {n}": [done.job_id for done in it.actor.ask(*many(7, lane=f"lane {n}"))] for n in range(5)
    }
    loose = [done.job_id for done in it.actor.ask(*many(20))]
    it.look()
    assert it.board.buffered <= 4 * 6 + len(loose)
    ran = it.run_all()
    for lane, wanted in {"long": long, **short}.items():
        assert [job.job_id for job in ran if job.lane == lane] == wanted
    assert sorted(job.job_id for job in ran if job.lane is None) == loose


def test_what_joins_a_long_lane_while_it_runs_comes_last_and_comes(read: Read) -> None:
    it = read(lane_buffered_max=4, batch_rows_max=16)
    wanted = [done.job_id for done in it.actor.ask(*many(40, lane=LANE))]
    ran: list[Job] = []
    while len(ran) < 40:
        it.look()
        jobs = it.take()
        ran += jobs
        if len(ran) < 20:
            [more] = it.actor.ask(asked(lane=LANE))
            wanted.append(more.job_id)
            it.feed.hint(PART, NORMAL, [more.job_id])
        it.end(jobs)
    ran += it.run_all()
    assert ids(ran) == wanted


def test_a_late_commit_finds_its_place_in_a_long_lane(read: Read, database: str) -> None:
    it, other = read(lane_buffered_max=4, batch_rows_max=16), JobActor(database)
    wanted = [done.job_id for done in it.actor.ask(*many(10, lane=LANE))]
    other.cursor.execute("BEGIN")
    wanted += [done.job_id for done in other.ask(asked(lane=LANE))]
    wanted += [done.job_id for done in it.actor.ask(*many(10, lane=LANE))]
    it.look()
    other.cursor.execute("COMMIT")
    it.feed.hint(PART, NORMAL, [wanted[10]])
    assert ids(it.run_all()) == wanted
    other.connection.close()


def test_a_class_of_which_little_is_at_hand_is_read_although_another_fills_memory(read: Read) -> None:
    it = read(jobs_buffered_max=100, batch_rows_max=50)
    it.actor.ask(*many(500, priority=Priority.LOW))
    it.look()
    assert it.feed._room() < it.feed._portion, "nothing more of them is read now"
    urgent = [done.job_id for done in it.actor.ask(*many(5, priority=Priority.HIGH))]
    for done in urgent:
        it.feed.hint(done % PARTITIONS, Priority.HIGH, [done])
    it.look()
    assert set(urgent) <= set(ids(it.take(room=10)))


# What is not ours


def test_what_was_read_of_a_partition_that_was_given_up_meanwhile_is_not_kept(read: Read) -> None:
    """Law: what is added is started, under a fence that was checked when it was read only."""
    it = read()
    it.actor.ask(asked(lane=LANE))

    def give_up() -> None:
        del it.actor.fences[PART]
        it.feed.released(PART)
        it.board.drop_partitions({PART})

    it.look()
    jobs = it.take()
    it.end(jobs)
    it.board.claims_ended()
    [done] = it.actor.ask(asked(lane=LANE))
    it.feed.hint(PART, NORMAL, [done.job_id])
    it.database.after = give_up
    it.look()
    assert done.job_id not in it.board
    assert len(it.board.claims_ended()) == 1, "and its claim is not forgotten to be forgotten"


def test_a_partition_that_came_back_under_another_fence_is_read_anew(read: Read) -> None:
    it = read()
    it.look()
    [done] = it.actor.ask(asked(lane=LANE))

    def lose_and_take_again() -> None:
        it.feed.released(PART)
        it.board.drop_partitions({PART})
        it.actor.fences[PART] += 2
        it.feed.taken([PART])

    it.feed.hint(PART, NORMAL, [done.job_id])
    it.database.after = lose_and_take_again
    it.look()
    [job] = it.take()
    assert (job.job_id, job.fence) == (done.job_id, it.actor.fences[PART])


# Faults


def lost() -> None:
    raise StoreUnavailable("the answer was lost", reason="lost", retry_after_s=0)


def test_a_look_whose_answer_was_lost_is_made_again(read: Read) -> None:
    """Law: the hint that asked for it does not come again."""
    it = read()
    it.look()
    [done] = it.actor.ask(asked(lane=LANE))
    it.feed.hint(PART, NORMAL, [done.job_id])
    it.database.after = lost
    with pytest.raises(StoreUnavailable):
        it.look()
    it.look()
    assert ids(it.take()) == [done.job_id]


def test_a_late_commit_is_still_late_when_its_look_was_lost(late: Late) -> None:
    it, other, first, _ = late
    other.cursor.execute("COMMIT")
    it.feed.hint(PART, NORMAL, [first])
    it.database.after = lost
    with pytest.raises(StoreUnavailable):
        it.look()
    it.look()
    assert ids(it.take()) == [first]


def test_a_long_lane_goes_on_although_the_read_of_its_next_piece_was_lost(read: Read) -> None:
    it = read(lane_buffered_max=4, batch_rows_max=16)
    wanted = [done.job_id for done in it.actor.ask(*many(30, lane=LANE))]
    it.look()
    ran: list[Job] = []
    for _ in range(3):
        jobs = it.take()
        ran += jobs
        it.end(jobs)
    assert it.board.hungry
    it.database.after = lost
    with pytest.raises(StoreUnavailable):
        it.look()
    assert ids(ran + it.run_all()) == wanted


def test_the_loop_goes_on_after_postgresql_was_away(read: Read) -> None:
    it = read()
    it.database.after = lost
    [done] = it.actor.ask(asked(lane=LANE))
    reading = gevent.spawn(it.feed.read_forever)
    until("the job", lambda: done.job_id in it.board)
    reading.kill()


# Time


def test_what_is_due_joins_its_lane_when_it_is(read: Read) -> None:
    """Law: it is known when the next one is due, so that nothing is asked until then."""
    it = read()
    soon = time.time() + 0.05
    [early] = it.actor.ask(asked(lane=LANE, run_at=soon))
    [later] = it.actor.ask(asked(lane=LANE, run_at=time.time() + NEVER_S))
    it.full_look()
    assert early.job_id not in it.board
    assert it.feed._promote_at <= it.now + 0.05
    until("its time", lambda: time.time() > soon)
    it.now += 0.05
    it.look()
    assert [job.job_id for job in it.take()] == [early.job_id]
    assert later.job_id not in it.board


def test_a_due_job_that_somebody_has_locked_is_asked_for_now_and_then(read: Read, database: str) -> None:
    """Law: it is skipped, and due all the same; whoever holds it is not waited for by asking without a pause."""
    it, other = read(), JobActor(database)
    [locked] = it.actor.ask(asked(lane=LANE, run_at=time.time() + NEVER_S))
    it.actor.make_due(locked.job_id, 1)
    with other.transaction():
        other.rows("SELECT FROM jobs FOR UPDATE")
        it.look()
        assert it.feed._promote_at == it.now + _PAUSE_S
    it.now += _PAUSE_S
    assert ids(it.run_all()) == [locked.job_id]
    other.connection.close()


def test_a_job_that_was_snoozed_brings_the_next_look_for_what_is_due_forward(read: Read) -> None:
    it = read()
    it.look()
    it.feed.due_in(1.0)
    assert it.feed._something.is_set()
    assert it.feed._promote_at == it.now + 1.0
    it.feed._something.clear()
    it.feed.due_in(2.0)
    assert not it.feed._something.is_set(), "a later one brings nothing forward"
