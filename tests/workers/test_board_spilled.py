"""The board with lanes of which memory holds a piece: what is turned away, and read again when it runs low."""

from __future__ import annotations

import pytest

from tests.workers.board_jobs import LANE_MAX, finish, held_inside, job, new_board, places, start
from workers.board import Board


@pytest.fixture
def board() -> Board:
    return new_board()


def fill(board: Board, count: int = LANE_MAX + 1) -> None:
    for place in range(1, count + 1):
        board.add(job(place, "a"), 0.0)


def run_one(board: Board) -> int:
    (taken,) = start(board)
    finish(board, taken)
    return taken.place


def test_a_lane_is_hungry_when_its_memory_has_run_low(board: Board) -> None:
    fill(board)
    assert board.hungry_lanes(10) == {}
    for _ in range(3):
        assert board.hungry_lanes(10) == {}
        run_one(board)
    assert board.hungry_lanes(10) == {"a": 0}
    assert board.hungry_lanes(10) == {}, "its read is under way"
    board.refilled("a", [job(place, "a") for place in (4, 5)], exhausted=True, now=0.0)
    assert board.spilled_lanes(10) == []
    assert [run_one(board) for _ in range(2)] == [4, 5]
    board.claims_ended()
    assert held_inside(board) == {}


def test_the_next_read_of_a_lane_spares_what_is_known_up_to_the_floor(board: Board) -> None:
    fill(board)
    for _ in range(3):
        run_one(board)
    board.hungry_lanes(10)
    board.refilled("a", [job(place, "a") for place in (4, 5, 6, 7, 8)], exhausted=False, now=0.0, floor=6)
    for _ in range(3):
        run_one(board)
    assert board.hungry_lanes(10) == {"a": 6}


def test_a_read_that_failed_is_made_again(board: Board) -> None:
    fill(board)
    for _ in range(4):
        run_one(board)
    assert board.hungry_lanes(10) == {"a": 0}
    board.refilled("a", [], exhausted=False, now=0.0)
    assert board.hungry_lanes(10) == {"a": 0}


@pytest.mark.parametrize("passed_over", ["turned away", "left out of a look"])
def test_what_came_while_a_lane_was_read_is_not_lost(board: Board, passed_over: str) -> None:
    """Law: the read may not have seen it, and nobody else will say it again."""
    fill(board)
    for _ in range(4):
        run_one(board)
    board.hungry_lanes(10)
    if passed_over == "turned away":
        assert not board.add(job(9, "a"), 0.0)
    else:
        assert board.spilled_lanes(10) == ["a"]
    board.refilled("a", [job(5, "a")], exhausted=True, now=0.0)
    assert board.spilled_lanes(10) == ["a"]
    assert board.hungry_lanes(10) == {"a": 0}


def test_a_lane_that_was_dropped_while_it_was_read_stays_dropped(board: Board) -> None:
    fill(board)
    for _ in range(4):
        run_one(board)
    board.hungry_lanes(10)
    board.drop_partitions({0})
    board.refilled("a", [job(5, "a", claim=7)], exhausted=True, now=0.0)
    assert sorted(board.claims_ended()) == [1, 7]
    assert held_inside(board) == {}


def test_what_ended_while_its_lane_was_read_is_not_run_again(board: Board) -> None:
    fill(board)
    for _ in range(3):
        run_one(board)
    (last,) = start(board)
    with board.reading():
        assert board.hungry_lanes(10) == {"a": 0}
        finish(board, last)
        board.refilled("a", [job(4, "a"), job(5, "a")], exhausted=True, now=0.0)
    assert places(start(board)) == [5]


def test_a_retry_in_a_full_lane_gives_the_last_one_back_to_the_ledger(board: Board) -> None:
    """Law: a lane's piece in memory has a bound, and what is put out of it is read again, wherever the floor is."""
    fill(board)
    for _ in range(3):
        run_one(board)
    (head,) = start(board)
    board.hungry_lanes(10)
    rest = [job(place, "a") for place in range(5, 11)]
    board.refilled("a", rest, exhausted=False, now=0.0, floor=100)
    assert board.buffered == LANE_MAX
    board.settled(head, "retry", 0.0, 1.0)
    assert (board.buffered, board.held) == (LANE_MAX, LANE_MAX)
    ran = []
    while taken := start(board, now=1.0):
        ran += places(taken)
        finish(board, *taken)
    assert ran == [4, 5, 6, 7]
    assert board.hungry_lanes(10) == {"a": 7}


def test_a_held_lane_that_is_full_counts_what_it_holds(board: Board) -> None:
    board.add(job(1, "a", wait_s=5.0), 0.0)
    for place in (10, 11, 12):
        board.add(job(place, "a"), 0.0)
    board.add(job(5, "a"), 0.0)
    assert (board.buffered, board.held) == (LANE_MAX, LANE_MAX)
