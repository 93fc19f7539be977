"""The board: what may start, and what each thing that happens makes of a lane in each of its states."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.workers.board_jobs import LANE_MAX, finish, held_inside, job, new_board, places, start
from workers.board import Board


@pytest.fixture
def board() -> Board:
    return new_board()


# Lanes


def test_a_lane_runs_one_at_a_time_in_order(board: Board) -> None:
    for place in (1, 2, 3):
        assert board.add(job(place, "a"), 0.0)
    for place in (1, 2, 3):
        (running,) = start(board)
        assert running.place == place
        assert start(board) == []
        finish(board, running)
    assert held_inside(board) == {"_claims_ended": {1}}
    assert board.claims_ended() == [1]
    assert held_inside(board) == {}


def test_without_a_lane_nothing_waits_for_anything(board: Board) -> None:
    for place in (1, 2, 3):
        board.add(job(place), 0.0)
    assert places(start(board)) == [1, 2, 3]


def test_the_longest_startable_is_first(board: Board) -> None:
    """Law: a long lane goes to the end after each of its jobs."""
    for place in (1, 2):
        board.add(job(place, "long"), 0.0)
    board.add(job(3, "other"), 0.0)
    (first,) = start(board, 1)
    finish(board, first)
    assert places(start(board)) == [3, 2]


def test_what_commits_late_takes_its_place_among_those_that_wait(board: Board) -> None:
    for place in (2, 5, 6, 4, 1, 3):
        board.add(job(place, "a"), 0.0)
    ran = []
    while taken := start(board):
        ran += places(taken)
        finish(board, *taken)
    assert ran == [1, 2, 3, 4], "and the fifth and sixth are the ledger's again"
    assert board.spilled_lanes(10) == ["a"]


def test_the_same_reading_twice_is_one_job(board: Board) -> None:
    assert board.add(job(1, "a", claim=1), 0.0)
    assert board.add(job(1, "a", claim=2), 0.0)
    assert board.buffered == 1
    assert board.claims_ended() == [2]


def test_a_job_that_joined_anew_may_come_before_the_end_of_its_last_run(board: Board) -> None:
    board.add(job(1, "a", claim=1), 0.0)
    (running,) = start(board)
    assert board.add(job(5, "a", job_id=1, claim=2), 0.0)
    board.settled(running, "snooze", 0.0)
    assert 1 in board
    assert places(start(board)) == [5]


def test_what_ended_while_it_was_read_is_not_run_again(board: Board) -> None:
    board.add(job(1, "a", claim=1), 0.0)
    (running,) = start(board)
    with board.reading():
        finish(board, running)
        assert board.add(job(1, "a", claim=2), 0.0)
    assert board.ready == 0
    assert sorted(board.claims_ended()) == [1, 2]
    assert held_inside(board) == {}, "and that is forgotten after the last of the reads"


def test_two_reads_at_once_remember_until_both_have_ended(board: Board) -> None:
    board.add(job(1), 0.0)
    (running,) = start(board)
    with board.reading():
        with board.reading():
            finish(board, running)
        board.add(job(1), 0.0)
    assert board.ready == 0


# Every state of a lane, and everything that can happen to it


def idle(board: Board) -> None:
    """Nothing of it is known."""


def ready(board: Board) -> None:
    board.add(job(10, "a"), 0.0)


def running(board: Board) -> None:
    ready(board)
    assert places(start(board)) == [10]


def running_and_more(board: Board) -> None:
    running(board)
    board.add(job(20, "a"), 0.0)


def held(board: Board) -> None:
    board.add(job(10, "a", wait_s=5.0), 0.0)


def paused(board: Board) -> None:
    board.pause(frozenset({"k"}))
    ready(board)


def suspect(board: Board) -> None:
    board.add(job(10, "a", deaths=2), 0.0)


def suspect_waits(board: Board) -> None:
    board.add(job(1, "other", deaths=2), 0.0)
    assert places(start(board)) == [1]
    suspect(board)


def full(board: Board) -> None:
    for place in range(10, 10 + LANE_MAX):
        board.add(job(place, "a"), 0.0)


def spilled(board: Board) -> None:
    full(board)
    assert not board.add(job(30, "a"), 0.0)


def add_behind(board: Board) -> bool:
    return board.add(job(40, "a"), 0.0)


def add_before(board: Board) -> bool:
    return board.add(job(5, "a"), 0.0)


def add_same(board: Board) -> bool:
    return board.add(job(10, "a", claim=2), 0.0)


def forget_head(board: Board) -> None:
    board.forget(10)


def drop(board: Board) -> None:
    board.drop_partitions({0})


def release(board: Board) -> None:
    board.pause(frozenset())
    board.take(100.0, 0)


#: state: {event: places that start after it one after the other, and whether the ledger keeps a rest}
TABLE: dict[Callable[[Board], None], dict[Callable[[Board], object], tuple[list[int], bool]]] = {
    idle: {add_behind: ([40], False), add_before: ([5], False), add_same: ([10], False), forget_head: ([], False),
           drop: ([], False), release: ([], False)},
    ready: {add_behind: ([10, 40], False), add_before: ([5, 10], False), add_same: ([10], False),
            forget_head: ([], False), drop: ([], False), release: ([10], False)},
    running: {add_behind: ([40], False), add_before: ([5], False), add_same: ([], False), forget_head: ([], False),
              drop: ([], False), release: ([], False)},
    running_and_more: {add_behind: ([20, 40], False), add_before: ([5, 20], False), add_same: ([20], False),
                       forget_head: ([20], False), drop: ([], False), release: ([20], False)},
    held: {add_behind: ([], False), add_before: ([5], False), add_same: ([], False), forget_head: ([], False),
           drop: ([], False), release: ([10], False)},
    paused: {add_behind: ([], False), add_before: ([], False), add_same: ([], False), forget_head: ([], False),
             drop: ([], False), release: ([10], False)},
    suspect: {add_behind: ([10, 40], False), add_before: ([5, 10], False), add_same: ([10], False),
              forget_head: ([], False), drop: ([], False), release: ([10], False)},
    suspect_waits: {add_behind: ([], False), add_before: ([5], False), add_same: ([], False),
                    forget_head: ([], False), drop: ([], False), release: ([], False)},
    full: {add_behind: ([10, 11, 12, 13], True), add_before: ([5, 10, 11, 12], True),
           add_same: ([10, 11, 12, 13], False), forget_head: ([11, 12, 13], False), drop: ([], False),
           release: ([10, 11, 12, 13], False)},
    spilled: {add_behind: ([10, 11, 12, 13], True), add_before: ([5, 10, 11, 12], True),
              add_same: ([10, 11, 12, 13], True), forget_head: ([11, 12, 13], True), drop: ([], False),
              release: ([10, 11, 12, 13], True)},
}  # fmt: skip


@pytest.mark.parametrize(
    ("state", "event"),
    [(state, event) for state, events in TABLE.items() for event in events],
    ids=lambda function: function.__name__,
)
def test_table(board: Board, state: Callable[[Board], None], event: Callable[[Board], object]) -> None:
    starts, keeps_rest = TABLE[state][event]
    state(board)
    known = set(board._places)
    already = [lane.running for lane in board._lanes.values() if lane.name == "a" and lane.running]

    kept = event(board)

    if event is add_behind:
        assert kept is not keeps_rest
    elif event in {add_before, add_same}:
        assert kept is True
    assert board._places.keys() <= known | {5, 10, 40}
    assert board.spilled_lanes(10) == (["a"] if keeps_rest else [])
    for each in already:
        finish(board, each)
    started = []
    while taken := start(board):
        started += places(taken)
        finish(board, *taken)
    assert started == starts
    # What ever happened, it can be got rid of, and then nothing is left.
    board.drop_partitions({0})
    for lane_running in (job(1, "other", deaths=2),) if state is suspect_waits else ():
        (stray,) = board._dropped
        assert stray == (lane_running.place, lane_running.fence)
    board._claims_ended.clear()
    inside = held_inside(board)
    inside.pop("_starts._paused", None)
    assert state is suspect_waits or inside == {}


# Endings


def test_a_retry_holds_its_lane_until_it_is_due_and_knows_its_attempts(board: Board) -> None:
    board.add(job(1, "a"), 0.0)
    board.add(job(2, "a"), 0.0)
    (first,) = start(board, now=10.0)
    board.settled(first, "retry", 10.0, 5.0, attempts=3)
    assert (board.ready, board.held, board.buffered) == (0, 2, 2)
    assert board.next_release(10.0) == 15.0
    assert start(board, now=14.9) == []
    (again,) = start(board, now=15.0)
    assert (again.place, again.attempts) == (1, 3)
    assert board.held == 0


def test_a_retry_at_once_is_the_head_again(board: Board) -> None:
    board.add(job(1, "a"), 0.0)
    board.add(job(2, "a"), 0.0)
    board.settled(start(board)[0], "retry", 0.0)
    assert places(start(board)) == [1]


def test_a_lane_that_commits_before_a_held_head_is_not_held(board: Board) -> None:
    """Law: the wait is the job's; whoever has a place before it does not wait for it."""
    board.add(job(5, "a", wait_s=9.0), 0.0)
    board.add(job(1, "a"), 0.0)
    (late,) = start(board)
    finish(board, late)
    assert start(board) == []
    assert places(start(board, now=9.0)) == [5]


@pytest.mark.parametrize("fate", ["done", "bury", "snooze", "gone"])
def test_after_any_other_end_the_lane_goes_on(board: Board, fate: str) -> None:
    board.add(job(1, "a"), 0.0)
    board.add(job(2, "a"), 0.0)
    board.settled(start(board)[0], fate, 0.0)  # type: ignore[arg-type]
    assert places(start(board)) == [2]
    assert 1 not in board


def test_lost_is_the_whole_partition_under_that_fence(board: Board) -> None:
    board.add(job(1, "a"), 0.0)
    (lost,) = start(board)
    board.add(job(2, "a"), 0.0)
    board.add(job(3, partition=1), 0.0)
    board.add(job(4, "newer", fence=2), 0.0)
    board.settled(lost, "lost", 0.0)
    assert sorted(places(start(board))) == [3, 4]


def test_handed_back_unrun_it_is_first_again(board: Board) -> None:
    for place in (1, 2, 3):
        board.add(job(place), 0.0)
    (first,) = start(board, 1)
    board.unstart(first)
    assert board.running == 0
    assert places(start(board)) == [1, 2, 3]


def test_what_does_not_run_cannot_end(board: Board) -> None:
    waiting = job(1, "a")
    board.add(waiting, 0.0)
    before = repr(board)
    for end in (lambda: board.settled(waiting, "done", 0.0), lambda: board.unstart(waiting)):
        with pytest.raises(ValueError, match="does not run"):
            end()
    (running,) = start(board)
    finish(board, running)
    with pytest.raises(ValueError, match="does not run"):
        finish(board, running)
    assert before == "<Board: 1 ready, 1 buffered, 0 of them held, 0 running, 0 lanes spilled, 0 asleep>"
    assert board.claims_ended() == [1]
    assert held_inside(board) == {}


# Classes, suspects, kinds


def test_classes_share_the_room_while_all_of_them_wait() -> None:
    board = Board(LANE_MAX)
    for place in range(1, 301):
        board.add(job(place, priority=place % 3), 0.0)
    order = [each.priority for _ in range(63) for each in start(board, 1)]
    assert [order.count(priority) for priority in range(3)] == [48, 12, 3]
    assert order == sorted(order[:21]) * 3, "and the higher one is first"


def test_a_large_room_is_shared_like_many_small_ones() -> None:
    board = Board(LANE_MAX)
    for place in range(1, 301):
        board.add(job(place, priority=place % 3), 0.0)
    order = [each.priority for each in start(board, 63)]
    assert [order.count(priority) for priority in range(3)] == [48, 12, 3]


def test_a_share_that_is_not_used_passes_on(board: Board) -> None:
    for place in range(1, 51):
        board.add(job(place, priority=2), 0.0)
    board.add(job(51, priority=0), 0.0)
    order = [each.priority for each in start(board, 30)]
    assert order == [0] + [2] * 29


def test_one_suspect_runs_at_a_time(board: Board) -> None:
    for place in (1, 2, 3):
        board.add(job(place, deaths=2), 0.0)
    board.add(job(4, deaths=1), 0.0)
    assert places(start(board)) == [1, 4]
    assert board.ready == 0
    board.settled(board._places[1].running, "retry", 0.0, 5.0)  # type: ignore[arg-type]
    assert places(start(board)) == [2]


def test_a_suspect_whose_partition_was_dropped_still_runs(board: Board) -> None:
    board.add(job(1, deaths=2), 0.0)
    (first,) = start(board)
    board.drop_partitions({0})
    board.add(job(2, deaths=2, fence=2), 0.0)
    assert start(board) == []
    assert board.running_of(0) == 1
    board.settled(first, "lost", 0.0)
    assert places(start(board)) == [2]


def test_a_paused_kind_holds_its_lane_and_no_other(board: Board) -> None:
    board.add(job(1, "a", kind="p"), 0.0)
    board.add(job(2, "a"), 0.0)
    board.add(job(3, "b"), 0.0)
    assert board.pause(frozenset({"p"})) == frozenset()
    assert (board.ready, board.held) == (1, 2)
    assert places(start(board)) == [3]
    board.add(job(4, kind="p"), 0.0)
    assert start(board) == []
    assert board.pause(frozenset()) == {"p"}
    assert places(start(board)) == [1, 4]


def test_a_kind_with_a_bound_lets_the_others_pass(board: Board) -> None:
    for place in (1, 2, 3, 4):
        board.add(job(place, kind="bounded"), 0.0)
    board.add(job(5), 0.0)
    first = start(board)
    assert places(first) == [1, 2, 5]
    assert (board.ready, board.held) == (0, 2)
    finish(board, first[0])
    assert board.ready == 1
    assert places(start(board)) == [3]
    board.drop_partitions({0})
    assert board.held == 0


@pytest.mark.parametrize("gone", ["dropped by hand", "with its partition"])
def test_room_of_a_kind_goes_to_another_when_the_one_that_it_was_meant_for_is_gone(
    board: Board, gone: str
) -> None:
    for place in (1, 2, 3, 4):
        board.add(job(place, kind="bounded", partition=1 if place == 3 else 0), 0.0)
    first, second = start(board)
    finish(board, first)
    assert (board.ready, board.held) == (1, 1), "the third may start, the fourth waits"
    if gone == "dropped by hand":
        board.forget(3)
    else:
        board.drop_partitions({1})
    assert places(start(board)) == [4]
    assert board.running == 2, f"{second.place} still runs"


def test_dropped_what_runs_is_counted_and_does_not_come_back(board: Board) -> None:
    board.add(job(1, "a"), 0.0)
    board.add(job(2, "a"), 0.0)
    (running,) = start(board)
    board.drop_partitions({0})
    assert (board.buffered, board.running, board.running_of(0)) == (0, 1, 1)
    board.settled(running, "retry", 0.0, 1.0)
    assert start(board, now=100.0) == []
    assert board.claims_ended() == [1]
    assert held_inside(board) == {}
