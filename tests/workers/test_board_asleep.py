"""The board with lanes that sleep: their head waits for long, and nothing of them is in memory until it is due."""

from __future__ import annotations

import pytest

from tests.workers.board_jobs import LANE_MAX, finish, held_inside, job, new_board, places, start
from workers.board import Board

LONG_S = 10.0
MANY = 1_000


@pytest.fixture
def board() -> Board:
    return new_board()


def put_down(board: Board, now: float = 0.0, lanes_max: int = MANY) -> None:
    board.put_down(now, LONG_S, lanes_max)


def sleeping(board: Board, due_in_s: float = 60.0) -> None:
    """Lane a, whose head at place 2 waits, with one behind it."""
    board.add(job(2, "a", wait_s=due_in_s, claim=7), 0.0)
    board.add(job(4, "a", claim=8), 0.0)
    put_down(board)
    assert (board.asleep, board.buffered, board.held) == (1, 0, 0)


def wake(board: Board, now: float, *rows: int, priority: int = 1) -> dict[str, int]:
    lanes = board.waking_lanes(priority, now, 10)
    for lane in lanes:
        board.refilled(lane, [job(place, lane) for place in rows], exhausted=True, now=now)
    return lanes


def test_of_a_lane_that_sleeps_nothing_is_in_memory_but_its_head_is_known(board: Board) -> None:
    sleeping(board)
    assert board.knows(2), "or looks would bring it again"
    assert not board.knows(4)
    assert board.spilled_lanes(10) == [], "looks have better to leave out than what they bring once"
    assert board.hungry_lanes(10) == {}


def test_what_waits_for_a_moment_stays_in_memory(board: Board) -> None:
    board.add(job(1, "a", wait_s=LONG_S), 0.0)
    board.add(job(2, wait_s=60.0), 0.0)
    put_down(board)
    assert (board.asleep, board.held) == (0, 2), "nor does a job sleep that is in no lane: it could not be read by it"


def test_what_is_read_of_a_lane_that_sleeps_is_turned_away(board: Board) -> None:
    """Law: it would run before the head, which was asked for before it."""
    sleeping(board)
    assert not board.add(job(5, "a", claim=9), 0.0)
    assert start(board, now=59.0) == []
    assert sorted(board.claims_ended()) == [7, 8, 9]


def test_a_lane_wakes_when_its_head_is_due_and_goes_on_in_order(board: Board) -> None:
    sleeping(board)
    assert (board.next_waking(), board.classes_waking(59.0)) == (60.0, [])
    assert board.waking_lanes(1, 59.0, 10) == {}
    assert board.classes_waking(60.0) == [1]
    assert wake(board, 60.0, 2, 4, 5) == {"a": 0}
    ran = []
    while taken := start(board, now=60.0):
        ran += places(taken)
        finish(board, *taken)
    assert ran == [2, 4, 5]
    board.claims_ended()
    assert held_inside(board) == {}


def test_what_comes_while_a_lane_that_wakes_is_read_is_not_lost(board: Board) -> None:
    sleeping(board)
    board.waking_lanes(1, 60.0, 10)
    assert not board.add(job(6, "a"), 60.0)
    board.refilled("a", [job(2, "a"), job(4, "a")], exhausted=True, now=60.0)
    finish(board, *start(board, now=60.0))
    finish(board, *start(board, now=60.0))
    assert "a" in board.hungry_lanes(10)


def test_a_head_that_waits_anew_sleeps_anew(board: Board) -> None:
    sleeping(board)
    wake(board, 60.0, 2, 4)
    (head,) = start(board, now=60.0)
    board.settled(head, "retry", 60.0, 30.0, attempts=2)
    assert board.held == 2
    put_down(board, 60.0)
    assert (board.asleep, board.next_waking()) == (1, 90.0)


def test_only_as_many_wake_as_there_is_room_for_the_one_due_first_before_the_others(board: Board) -> None:
    for place in range(1, 7):
        board.add(job(place, f"lane {place}", wait_s=100.0 - place), 0.0)
    board.add(job(9, "urgent", wait_s=50.0, priority=0), 0.0)
    put_down(board)
    assert board.classes_waking(100.0) == [0, 1]
    assert list(board.waking_lanes(1, 100.0, 2)) == ["lane 6", "lane 5"]
    assert list(board.waking_lanes(1, 97.0, 9)) == ["lane 4", "lane 3"]
    assert list(board.waking_lanes(0, 100.0, 9)) == ["urgent"]


def test_no_more_sleep_than_may(board: Board) -> None:
    """Law: what is remembered of them has a bound too."""
    for place in range(1, 6):
        board.add(job(place, f"lane {place}", wait_s=60.0), 0.0)
    put_down(board, lanes_max=3)
    assert (board.asleep, board.held) == (3, 2)


def test_a_late_commit_before_a_sleeping_head_runs_before_it(board: Board) -> None:
    """Law: of a lane all that is in front runs first, whenever it is seen."""
    sleeping(board)
    assert board.add(job(1, "a"), 0.0)
    assert (board.asleep, places(start(board))) == (0, [1])
    finish(board, *[lane.running for lane in board._lanes.values() if lane.running])
    assert board.hungry_lanes(10) == {"a": 0}
    board.refilled("a", [job(2, "a", wait_s=59.0), job(4, "a")], exhausted=True, now=1.0)
    assert start(board, now=1.0) == []
    put_down(board, 1.0)
    assert (board.asleep, board.next_waking()) == (1, 60.0)


def test_a_lane_whose_sleeping_head_was_dropped_goes_on_at_once(board: Board) -> None:
    """Law: who drops what holds a conversation up expects it to go on, not to wait for what is gone."""
    board.add(job(2, "a", job_id=1, wait_s=60.0), 0.0)
    put_down(board)
    board.forget(4)
    assert board.classes_waking(0.0) == [], "another one was dropped"
    board.forget(1)
    assert wake(board, 0.0, 4) == {"a": 0}
    finish(board, *start(board))
    board.claims_ended()
    assert held_inside(board) == {}


def test_nothing_of_a_lane_that_sleeps_stays_claimed(board: Board) -> None:
    """Law: claims are of what is in memory, so that a death is counted in a moment, however many wait."""
    sleeping(board)
    assert sorted(board.claims_ended()) == [7, 8]
    board.waking_lanes(1, 60.0, 10)
    assert board.claims_ended() == []


def test_sleeping_lanes_of_a_partition_that_was_dropped_are_forgotten(board: Board) -> None:
    sleeping(board)
    board.add(job(3, "b", wait_s=60.0, partition=1, fence=5), 0.0)
    put_down(board)
    board.drop_partitions({1}, fence=4)
    assert board.asleep == 2, "it was read under a later fence"
    board.drop_partitions({0, 1})
    assert sorted(board.claims_ended()) == [1, 7, 8]
    assert held_inside(board) == {}


def test_a_lane_that_was_spilled_sleeps_as_others_do(board: Board) -> None:
    for place in range(1, LANE_MAX + 2):
        board.add(job(place, "a", wait_s=60.0), 0.0)
    assert board.spilled_lanes(10) == ["a"]
    put_down(board)
    assert (board.spilled_lanes(10), board.hungry_lanes(10), board.asleep) == ([], {}, 1)
    assert wake(board, 60.0, *range(1, 5)) == {"a": 0}


def test_what_is_kept_of_a_lane_that_woke_is_not_found_due_again(board: Board) -> None:
    """Law: times of lanes that sleep no more must not pile up, nor name one twice."""
    for place in range(11, 15):
        board.add(job(place, f"lane {place}", wait_s=500.0), 0.0)
    put_down(board)
    board.add(job(2, "a", wait_s=60.0), 0.0)
    put_down(board)
    board.add(job(1, "a"), 0.0)
    finish(board, *start(board))
    board.hungry_lanes(10)
    board.refilled("a", [job(2, "a", wait_s=90.0)], exhausted=True, now=0.0)
    put_down(board)
    assert board.waking_lanes(1, 60.0, 10) == {}
    for _ in range(20):
        # At the same time again.
        board.add(job(1, "a"), 0.0)
        finish(board, *start(board))
        board.hungry_lanes(10)
        board.refilled("a", [job(2, "a", wait_s=90.0)], exhausted=True, now=0.0)
        put_down(board)
    assert sum(map(len, board._asleep._due)) <= 2 * board.asleep
    assert list(board.waking_lanes(1, 90.0, 10)) == ["a"]
    assert board.next_waking() == 500.0
