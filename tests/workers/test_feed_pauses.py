"""What the feed reads of kinds that are paused: nothing that would fill memory, and all of it once they are resumed."""

from __future__ import annotations

import pytest

from gateway.domain.job import PARTITIONS, Job, partition_of
from gateway.domain.resilience.priority import Priority
from tests.support.job_actor import asked
from tests.workers.reading import Read, Reading, ids, many
from workers.board import Board
from workers.feed import _ANEW_EVERY_S

LANE = "lane"


def say(it: Reading, lane: str = LANE, **how: object) -> int:
    """Ask for a job of a lane, and have the feed hear of it; no full look comes, which may begin anew."""
    [done] = it.actor.ask(asked(lane=lane, **how))
    it.feed.hint(done.partition, Priority.NORMAL, [done.job_id])
    it.look()
    return done.job_id


def pass_by(it: Reading) -> None:
    """Have the floor of the lane's partition move past all that was asked for by now."""
    [place] = it.actor.rows("SELECT max(place) FROM jobs")[0]
    other = next(name for n in range(10_000) if partition_of(name := f"other {n}") == partition_of(LANE))
    while it.feed._marks[partition_of(LANE), Priority.NORMAL].floor < place:
        say(it, other)
        it.end([job for job in it.take() if job.lane == other])


def test_what_was_left_out_of_a_paused_kind_is_read_when_it_is_resumed(read: Read) -> None:
    """Law: laneless jobs of a paused kind take no room, and marks that have passed them are void."""
    it = read()
    it.feed.pause(frozenset({"test.paused"}))
    paused = [done.job_id for done in it.actor.ask(*many(20, kind="test.paused"))]
    others = [done.job_id for done in it.actor.ask(*many(20))]
    assert sorted(ids(it.run_all())) == others
    assert it.board.buffered == 0
    it.full_look()
    it.feed.pause(frozenset())
    assert sorted(ids(it.run_all())) == paused


def test_what_is_paused_fills_no_memory_and_hides_nothing(read: Read) -> None:
    """Law: however many lanes a paused kind holds back, all others go on."""
    it = read(jobs_buffered_max=4, batch_rows_max=50)
    paused = it.actor.ask(*[asked(n, kind="test.paused", lane=f"lane {n}") for n in range(200)])
    it.feed.pause(frozenset({"test.paused"}))
    it.full_look()
    assert it.board.buffered == 0
    [other] = it.actor.ask(asked())
    it.full_look()
    assert ids(it.run_all()) == [other.job_id]
    it.feed.pause(frozenset())
    assert sorted(ids(it.run_all())) == [done.job_id for done in paused]


def test_what_stands_behind_a_paused_kind_in_its_lane_runs_behind_it(read: Read) -> None:
    it = read()
    it.feed.pause(frozenset({"test.paused"}))
    kinds = ["test.noop", "test.paused", "test.noop"]
    wanted = [done.job_id for done in it.actor.ask(*[asked(kind=kind, lane=LANE) for kind in kinds])]
    assert ids(it.run_all()) == wanted[:1]
    wanted += [done.job_id for done in it.actor.ask(asked(lane=LANE))]
    it.full_look()
    assert it.take() == []
    it.feed.pause(frozenset())
    assert ids(it.run_all()) == wanted[1:]


def test_what_stands_behind_a_job_that_ran_when_its_kind_was_paused_runs_when_it_has_ended(
    read: Read,
) -> None:
    it = read()
    it.actor.ask(asked(kind="test.paused", lane=LANE))
    it.look()
    running = it.take()
    it.feed.pause(frozenset({"test.paused"}))
    [behind] = it.actor.ask(asked(lane=LANE))
    it.full_look()
    assert it.take() == []
    it.end(running)
    assert ids(it.run_all()) == [behind.job_id]


@pytest.mark.parametrize("heard", [True, False])
def test_what_stood_behind_a_paused_job_that_was_dropped_runs_after_a_while(read: Read, heard: bool) -> None:
    """Law: no look shows that nothing is in front of it any more, so its partition is looked at anew.

    In its turn, if word of it was lost.
    """
    it = read()
    it.feed.pause(frozenset({"test.paused"}))
    dropped, behind, _ = it.actor.ask(asked(kind="test.paused", lane=LANE), asked(lane=LANE), asked())
    later = it.actor.ask(*[asked() for _ in range(PARTITIONS)])
    assert len(it.run_all()) == 1 + len(later)
    for _ in range(2):
        it.full_look()
    it.actor.rows("DELETE FROM jobs WHERE id = %s RETURNING id", dropped.job_id)
    if heard:
        it.feed.dropped(dropped.partition, dropped.job_id)
    for _ in range(1 if heard else PARTITIONS):
        it.now += _ANEW_EVERY_S
        it.full_look()
    assert ids(it.take()) == [behind.job_id]


def test_what_sleeps_is_not_read_again_and_again_while_some_kind_is_paused(read: Read) -> None:
    """Law: a look anew, made for a paused kind, is at few partitions."""
    it = read()
    lanes = [f"lane {n}" for n in range(200)]
    it.actor.ask(*[asked(lane=lane) for lane in lanes])
    it.actor.rows("UPDATE jobs SET due_at = due_at + interval '1 year' RETURNING id")
    it.full_look()
    it.full_look()
    it.actor.ask(*[asked(lane=lane) for lane in lanes])
    it.feed.pause(frozenset({"test.paused"}))
    for _ in range(3):
        it.full_look()
    assert it.board.asleep == len(lanes)
    claims = it.actor.rows("SELECT coalesce(max(id), 0) FROM job_claims")[0][0]
    it.full_look()
    [[read_again]] = it.actor.rows(
        "SELECT coalesce(sum(cardinality(jobs)), 0) FROM job_claims WHERE id > %s", claims
    )
    most = max(sum(partition_of(lane) == part for lane in lanes) for part in range(PARTITIONS))
    assert 0 < read_again <= 2 * most


def test_a_long_lane_with_a_paused_kind_in_its_midst_keeps_its_order(read: Read) -> None:
    it = read(lane_buffered_max=4, batch_rows_max=16)
    kinds = ["test.paused" if n in {3, 11, 30} else "test.noop" for n in range(50)]
    wanted = [done.job_id for done in it.actor.ask(*[asked(kind=kind, lane=LANE) for kind in kinds])]
    it.look()
    ran = it.take()
    it.end(ran)
    for number in (3, 11, 30):
        it.feed.pause(frozenset({"test.paused"}))
        it.full_look()
        ran += it.run_all()
        wanted += [done.job_id for done in it.actor.ask(asked(lane=LANE))]
        it.full_look()
        assert ids(ran) == wanted[:number]
        # One of the kind gets through before it is paused again.
        it.feed.pause(frozenset())
        it.look()
        one = it.take()
        it.end(one)
        ran += one
    ran += it.run_all()
    assert ids(ran) == wanted


def test_of_long_lanes_a_paused_kind_stays_in_the_ledger_too(read: Read) -> None:
    it = read(lane_buffered_max=4, batch_rows_max=50)
    kinds = ["test.noop"] * 10 + ["test.paused"] * 20
    for n in range(30):
        it.actor.ask(*[asked(kind=kind, lane=f"lane {n}") for kind in kinds])
    it.look()
    it.feed.pause(frozenset({"test.paused"}))
    assert len(it.run_all()) == 30 * 10
    assert it.board.buffered == 0
    it.feed.pause(frozenset())
    ran = it.run_all()
    assert len(ran) == 30 * 20
    for n in range(30):
        of_lane = [job.place for job in ran if job.lane == f"lane {n}"]
        assert of_lane == sorted(of_lane)


def test_a_long_lane_goes_on_behind_a_job_that_ran_when_its_kind_was_paused(read: Read) -> None:
    it = read(lane_buffered_max=4, batch_rows_max=16)
    [paused] = it.actor.ask(asked(kind="test.paused", lane=LANE))
    it.look()
    running = it.take()
    wanted = [done.job_id for done in it.actor.ask(*many(40, lane=LANE))]
    it.feed.pause(frozenset({"test.paused"}))
    for pair in it.feed._marks:
        # What is left out now stays so: no full look comes to begin anew.
        it.feed._hungry[pair] = None
    it.look()
    it.end(running)
    assert ids(running) == [paused.job_id]
    assert ids(it.run_all()) == wanted


@pytest.mark.parametrize("in_memory", [False, True])
def test_what_stood_behind_a_paused_job_that_was_dropped_runs_before_what_is_asked_for_then(
    read: Read, in_memory: bool
) -> None:
    """Law: a look brings nothing of a lane while something in front of it, which was left out, lies below the floor."""
    it = read()
    wanted = []
    if in_memory:
        dropped, ahead = say(it, kind="test.paused"), say(it)
        wanted.append(ahead)
    it.feed.pause(frozenset({"test.paused"}))
    if not in_memory:
        dropped = say(it, kind="test.paused")
    wanted += [say(it) for _ in range(3)]
    pass_by(it)
    assert it.take() == []
    it.actor.rows("DELETE FROM jobs WHERE id = %s RETURNING id", dropped)
    it.board.forget(dropped)
    wanted.append(say(it))
    assert ids(it.run_all()) == wanted
    assert repr(it.board) == repr(Board(it.settings.lane_buffered_max))


def test_what_was_left_out_joins_a_lane_that_is_at_work(read: Read) -> None:
    """Law: the same while the lane has a job in memory, which was never behind the one that was dropped."""
    it = read()
    first = say(it)
    running = it.take()
    it.feed.pause(frozenset({"test.paused"}))
    dropped, behind = say(it, kind="test.paused"), say(it)
    pass_by(it)
    it.actor.rows("DELETE FROM jobs WHERE id = %s RETURNING id", dropped)
    it.board.forget(dropped)
    later = say(it)
    it.end(running)
    assert ids(running + it.run_all()) == [first, behind, later]


def test_a_look_under_way_when_a_kind_is_resumed_brings_nothing(read: Read) -> None:
    """Law: it leaves out what stood behind the paused job, and would bring what was asked for after that."""
    it = read()
    paused = say(it, kind="test.paused")
    it.feed.pause(frozenset({"test.paused"}))
    behind = say(it)
    pass_by(it)
    ran: list[Job] = []

    def resume() -> None:
        it.feed.pause(frozenset())
        ran.extend(it.take())
        it.end(ran)

    it.database.before = resume
    [later] = it.actor.ask(asked(lane=LANE))
    it.feed.hint(later.partition, Priority.NORMAL, [later.job_id])
    it.feed._round()
    ran += (brought := it.take())
    it.end(brought)
    ran += it.run_all()
    assert ids(ran) == [paused, behind, later.job_id]
