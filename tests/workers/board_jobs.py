"""Jobs for tests of the board, and what it keeps inside."""

from __future__ import annotations

from typing import Any

from gateway.domain.job import Job
from workers.board import Board

__all__ = ["LANE_MAX", "finish", "held_inside", "job", "new_board", "places", "start"]

LANE_MAX = 4


def new_board() -> Board:
    return Board(LANE_MAX, bounds={"bounded": 2})


def places(jobs: list[Job]) -> list[int]:
    return [each.place for each in jobs]


def start(board: Board, room: int = 100, now: float = 0.0) -> list[Job]:
    return board.take(now, room)


def finish(board: Board, *jobs: Job) -> None:
    for each in jobs:
        board.settled(each, "done", 0.0)


def job(
    place: int,
    lane: str | None = None,
    *,
    job_id: int | None = None,
    priority: int = 1,
    kind: str = "k",
    deaths: int = 0,
    wait_s: float = 0.0,
    partition: int = 0,
    fence: int = 1,
    claim: int = 1,
) -> Job:
    return Job(
        job_id=place if job_id is None else job_id, place=place, partition=partition, fence=fence, priority=priority,
        kind=kind, lane=lane, payload="{}", attempts=0, deaths=deaths, wait_s=wait_s, keep_s=0.0, trace_id="",
        age_s=0.0, claim=claim,
    )  # fmt: skip


def held_inside(board: Board) -> dict[str, Any]:
    """Every container of the board that is not empty."""
    containers = dict(vars(board))
    for part in ("_starts", "_spilled", "_asleep"):
        inside = vars(getattr(board, part))
        containers |= {f"{part}.{name}": value for name, value in inside.items()}
    found = {
        name: value
        for name, value in containers.items()
        if isinstance(value, (dict, set, list))
        and value
        and name not in {"_running_of", "_starts._credits", "_starts._bounds"}
    }
    queues = [queue for queue in (*board._starts._classes, board._starts._suspects) if queue]
    counts = {
        name: value
        for name, value in {
            "queues": queues,
            "running_of": sum(board._running_of),
            "buffered": board.buffered,
            "running": board.running,
            "ready": board.ready,
            "held": board.held,
            "lanes_held": board._starts._lanes_held,
            "asleep": board.asleep,
            "times_to_wake": sum(map(len, board._asleep._due)),
            "readings": board._readings,
        }.items()
        if value
    }
    return {**found, **counts}
