"""What the feed reads of lanes that wait long for their next try: nothing until then, and nothing of others less."""

from __future__ import annotations

import itertools

import gevent
import pytest

from gateway.domain.errors import StoreUnavailable
from gateway.domain.job import Job, partition_of
from gateway.domain.resilience.priority import Priority
from tests.support.job_actor import JobActor, asked, end
from tests.support.waiting import until
from tests.workers.reading import NEVER_S, Read, Reading, ids, many
from workers.feed import _ASLEEP_FACTOR, _FEW, _HELD_FACTOR
from workers.marks import KNOWN_MAX, TURNED_AWAY_MAX

#: Longer than all looks of a test take on its clock.
WAIT_S = 100 * NEVER_S
LANE = "lane"
PART = partition_of(LANE)


def held_lanes(it: Reading, count: int, *, each: int = 1, wait_s: float = WAIT_S) -> dict[str, list[int]]:
    """So many lanes whose head waits for its next try: their jobs, in order."""
    lanes = {
        f"lane {n}": [done.job_id for done in it.actor.ask(*many(each, lane=f"lane {n}"))]
        for n in range(count)
    }
    due_in(it, wait_s, *[jobs[0] for jobs in lanes.values()])
    return lanes


def due_in(it: Reading, seconds: float, *job_ids: int) -> None:
    it.actor.rows(
        "UPDATE jobs SET due_at = clock_timestamp() + make_interval(secs => %s) WHERE id = ANY (%s) RETURNING id",
        seconds,
        list(job_ids),
    )


def now_due(it: Reading, lanes: dict[str, list[int]]) -> None:
    """Have the time pass after which all of them are due."""
    due_in(it, 0, *[jobs[0] for jobs in lanes.values()])
    it.now += WAIT_S


def in_order(ran: list[Job], lanes: dict[str, list[int]]) -> bool:
    return {lane: [job.job_id for job in ran if job.lane == lane] for lane in lanes} == lanes


def test_lanes_that_wait_long_fill_no_memory_and_hide_nothing(read: Read) -> None:
    """Law: a failing head holds back its own lane only, however many of them fail at once."""
    it = read(jobs_buffered_max=20, batch_rows_max=50)
    lanes = held_lanes(it, 20 * (_HELD_FACTOR + 5), each=2)
    for _ in range(3):
        it.full_look()
    bound = 20 + 2 * _FEW + it.board.lane_rows
    assert (it.board.asleep, it.board.buffered) == (len(lanes), 0)
    assert it.most_buffered <= bound
    [fresh] = it.actor.ask(asked(lane="fresh"))
    [behind] = it.actor.ask(asked(lane="lane 7"))
    lanes["lane 7"].append(behind.job_id)
    it.full_look()
    assert ids(it.run_all()) == [fresh.job_id]
    now_due(it, lanes)
    assert in_order(it.run_all(room=50), lanes)
    assert it.most_buffered <= bound
    assert it.board.asleep == 0


def test_a_moment_is_waited_for_in_memory_but_by_many_in_the_ledger(read: Read) -> None:
    """Law: to read a lane again costs more than to keep it, unless so many are kept that others find no room."""
    it = read(jobs_buffered_max=20, batch_rows_max=50)
    few = held_lanes(it, 10, wait_s=9.0)
    it.full_look()
    it.full_look()
    assert (it.board.asleep, it.board.held) == (0, len(few))
    more = it.actor.ask(*[asked(n, lane=f"more {n}") for n in range(100)])
    due_in(it, 9.0, *[done.job_id for done in more])
    for _ in range(3):
        it.full_look()
    assert it.board.asleep >= 100 - 20 - _FEW
    assert it.board.held + it.board.asleep == 110


def test_what_may_sleep_has_a_bound_as_well(read: Read) -> None:
    it = read(jobs_buffered_max=1, batch_rows_max=500)
    held_lanes(it, _ASLEEP_FACTOR + 5)
    for _ in range(10):
        it.full_look()
    assert (it.board.asleep, it.board.held) == (_ASLEEP_FACTOR, 5)


def test_what_is_turned_away_hides_nothing_while_the_floor_stands_still(read: Read, database: str) -> None:
    """Law: somebody's open transaction keeps the floor where it is, and looks begin there: what they brought and nobody
    kept must not be all that they bring."""
    it, slow = read(), JobActor(database)
    with slow.transaction():
        slow.ask(asked(lane="elsewhere"))
        [head] = it.actor.ask(asked(lane=LANE))
        due_in(it, WAIT_S, head.job_id)
        it.full_look()
        it.full_look()
        assert it.board.asleep == 1
        it.actor.ask(*many(KNOWN_MAX + 1_000, lane=LANE))
        fresh_lane = next(f"fresh {n}" for n in range(1_000) if partition_of(f"fresh {n}") == PART)
        [fresh] = it.actor.ask(asked(lane=fresh_lane))
        it.full_look()
        assert ids(it.take()) == [fresh.job_id]
    slow.connection.close()


@pytest.mark.parametrize("lanes_count", [1, 1_500])
def test_nor_do_more_that_are_turned_away_than_can_be_remembered(
    read: Read, database: str, lanes_count: int
) -> None:
    """Law: a look begins behind what the last one brought, wherever the floor stands, or it would go on for ever: here
    in one lane that sleeps, or in many."""
    it, slow = read(jobs_buffered_max=10_000), JobActor(database)
    names = (name for n in itertools.count() if partition_of(name := f"lane {n}") == PART)
    asleep = list(itertools.islice(names, lanes_count))
    with slow.transaction():
        slow.ask(asked(lane="elsewhere"))
        heads = it.actor.ask(*[asked(lane=lane) for lane in asleep])
        due_in(it, WAIT_S, *[head.job_id for head in heads])
        it.full_look()
        it.full_look()
        assert it.board.asleep == lanes_count
        behind = 0
        while behind <= 2 * (TURNED_AWAY_MAX + lanes_count) + it.feed._portion:
            it.actor.ask(*[asked(lane=lane) for lane in asleep * (3_000 // lanes_count)])
            behind += 3_000
        [fresh] = it.actor.ask(asked(lane=next(names)))
        it.full_look()
        assert ids(it.take()) == [fresh.job_id]
    it.full_look()
    it.full_look()
    assert it.feed._marks[PART, Priority.NORMAL].lanes == {}, "the floor has passed them"
    it.run_all()
    due_in(it, 0, heads[-1].job_id)
    it.board.forget(heads[-1].job_id)
    in_lane = [row[0] for row in it.actor.rows("SELECT id FROM jobs WHERE lane = %s ORDER BY id", asleep[-1])]
    ran: list[Job] = []
    for _ in in_lane[:20]:
        it.look()
        jobs = it.take()
        it.end(jobs)
        ran += jobs
    assert ids(ran) == in_lane[:20], "what looks left out is read when its lane wakes"
    slow.connection.close()


def test_a_lane_wakes_although_nothing_else_is_to_be_read(read: Read) -> None:
    it = read()
    lanes = held_lanes(it, 1, wait_s=NEVER_S / 2)
    it.look()
    it.look()
    assert it.board.asleep == 1
    due_in(it, 0, *lanes["lane 0"])
    it.now += NEVER_S / 2
    reading = gevent.spawn(it.feed.read_forever)
    until("it to be awake", lambda: it.board.ready == 1)
    reading.kill()


def test_a_lane_that_wakes_is_read_again_when_its_read_was_lost(read: Read) -> None:
    it = read()
    lanes = held_lanes(it, 3, each=2)
    it.full_look()
    it.full_look()
    now_due(it, lanes)

    def lost() -> None:
        raise StoreUnavailable("the answer was lost", reason="lost", retry_after_s=0)

    it.database.after = lost
    with pytest.raises(StoreUnavailable):
        it.look()
    assert in_order(it.run_all(), lanes)


def test_lanes_that_wake_wait_for_room_as_others_do(read: Read) -> None:
    it = read(jobs_buffered_max=100, batch_rows_max=50)
    lanes = held_lanes(it, 5)
    it.full_look()
    it.full_look()
    it.actor.ask(*many(100))
    for _ in range(3):
        it.full_look()
    now_due(it, lanes)
    it.look()
    assert (it.feed._room() < it.feed._portion, it.board.asleep) == (True, 5)
    # Nor is there anything else to be read.
    it.feed._hungry.clear()
    it.end(it.take(60))
    assert it.feed._something.is_set(), "who eats makes room"
    assert in_order(it.run_all(), lanes)


@pytest.mark.parametrize("class_of_the_others", [Priority.NORMAL, Priority.LOW])
def test_neither_lanes_that_wake_nor_others_starve(read: Read, class_of_the_others: Priority) -> None:
    """Law: they share the room, whoever came first."""
    it = read(jobs_buffered_max=100, batch_rows_max=50)
    lanes = held_lanes(it, 100)
    for _ in range(3):
        it.full_look()
    others = {done.job_id for done in it.actor.ask(*many(400, priority=class_of_the_others))}
    now_due(it, lanes)
    it.full_look()
    ran = it.run_all(room=10)
    assert (in_order(ran, lanes), len(ran)) == (True, 500)
    first = ids(ran[:250])
    assert 30 <= len(others.intersection(first)) <= 220


def test_a_lane_whose_sleeping_head_became_of_a_paused_kind_runs_when_that_is_resumed(read: Read) -> None:
    it = read()
    lanes = held_lanes(it, 3, each=2)
    it.full_look()
    it.full_look()
    it.feed.pause(frozenset({"test.noop"}))
    now_due(it, lanes)
    assert it.run_all() == []
    assert (it.board.buffered, it.board.asleep) == (0, 0)
    it.feed.pause(frozenset())
    assert in_order(it.run_all(), lanes)


def test_claims_are_of_what_is_in_memory_however_many_lanes_sleep(read: Read) -> None:
    """Law: whoever declares a worker dead looks at all that its claims name, in a transaction that has seconds."""
    it = read()
    for n in range(20):
        it.actor.ask(*many(5, lane=f"lane {n}"))
    it.full_look()
    heads = it.take()
    it.actor.settle(*[end(job, "retry", after_s=WAIT_S) for job in heads])
    for job in heads:
        it.board.settled(job, "retry", it.now, WAIT_S)
    it.look()
    assert it.board.asleep == 20
    it.actor.settle(ended_claims=it.board.claims_ended())
    assert it.actor.claims() == 0
