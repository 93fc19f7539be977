"""A worker, and more lanes that wait for their next try than it may hold: all else runs, and they run later."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.domain.hint import JobDropped
from gateway.domain.job import Done, Draft, Retry
from tests.support.waiting import GUARD_S, until
from tests.workers.crew import Crew, Gate
from workers.feed import _FEW, _HELD_FACTOR
from workers.worker import Worker

BUFFERED_MAX = 4
LANES = BUFFERED_MAX * _HELD_FACTOR + 20
#: Longer than any test takes.
LATER_S = 1_000.0


@pytest.fixture
def crew(database: str, redis_url: str) -> Iterator[Crew]:
    crew = Crew(database, redis_url, jobs_buffered_max=BUFFERED_MAX)
    yield crew
    crew.close()


class Down:
    """A platform that is down when it is called for one of these first."""

    def __init__(self, *payloads: Any, after_s: float = LATER_S) -> None:
        self._payloads = list(payloads)
        self._after_s = after_s

    def __call__(self, _: Any, payload: Any) -> Any:
        if payload not in self._payloads:
            return Done()
        self._payloads.remove(payload)
        return Retry("down", after_s=self._after_s)


def asleep(worker: Worker) -> int:
    return worker._engine._board.asleep


def ask(crew: Crew, number: int) -> None:
    """Ask for one job in each of the lanes."""
    crew.jobs.enqueue_many([Draft(kind="s", payload=[n, number], lane=f"l{n}") for n in range(LANES)])


def test_more_lanes_in_retry_than_memory_holds_hold_back_nothing_but_themselves(crew: Crew) -> None:
    """Law: a failing head holds back its own lane only; its lane runs later, in order, and each job once more or once,
    by whomever."""
    heads = [[n, 0] for n in range(LANES)]
    crew.on("s", Down(*heads))
    ask(crew, 0)
    ask(crew, 1)
    most = 0

    def fresh(worker: Worker, payload: str) -> None:
        crew.jobs.enqueue("s", payload, lane=f"fresh {payload}")
        until("it to have run", lambda: payload in crew.ran())
        nonlocal most
        most = max(most, worker._engine._board.buffered)

    first = crew.start()
    until("all to sleep", lambda: asleep(first) == LANES)
    fresh(first, "first")
    ask(crew, 2)
    fresh(first, "second")
    first.stop(time.monotonic() + GUARD_S)
    second = crew.start()
    until("all to sleep again", lambda: asleep(second) == LANES)
    fresh(second, "third")
    second.stop(time.monotonic() + GUARD_S)
    assert sorted(run for run in crew.ran() if isinstance(run, list)) == heads
    assert most <= BUFFERED_MAX + _FEW

    crew.one("UPDATE jobs SET due_at = clock_timestamp() RETURNING id")
    crew.start()
    crew.finish()
    for n in range(LANES):
        ran = [run[1] for run in crew.ran() if isinstance(run, list) and run[0] == n]
        assert ran == [0, 0, 1, 2]


def test_lanes_that_slept_run_when_their_head_is_due(crew: Crew) -> None:
    """Law: by themselves, with no other job, hint or look that would bring them."""
    crew.on("s", Down(*range(12), after_s=2.0))
    crew.jobs.enqueue_many([Draft(kind="s", payload=n, lane=f"l{n % 12}") for n in range(24)])
    worker = crew.start()
    until("some to sleep", lambda: asleep(worker))
    crew.finish()
    for n in range(12):
        assert [run for run in crew.ran() if run % 12 == n] == [n, n, n + 12]


def test_a_conversation_goes_on_when_what_failed_in_it_is_dropped(crew: Crew) -> None:
    crew.on("s", Down("failing"))
    head, _ = crew.jobs.enqueue_many([Draft(kind="s", payload=word, lane="l") for word in ("failing", "next")])
    worker = crew.start()
    until("it to sleep", lambda: asleep(worker) == 1)
    crew.one("DELETE FROM jobs WHERE id = %s RETURNING id", head.job_id)
    worker._engine.hear(JobDropped(head.job_id, head.partition))
    crew.finish()
    assert crew.ran() == ["failing", "next"]


def test_a_death_is_not_counted_for_what_stands_behind_a_sleeping_head(crew: Crew) -> None:
    """Law: it was read and turned away; nothing in its lane was running."""
    gate = Gate()
    crew.on("s", Down("failing"))
    crew.on("g", gate)
    crew.jobs.enqueue("s", "failing", lane="l")
    worker = crew.start()
    until("it to sleep", lambda: asleep(worker) == 1)
    behind = crew.jobs.enqueue("s", "behind", lane="l")
    running = crew.jobs.enqueue("g", 1)
    until("it to run", lambda: gate.inside)
    # The end of another takes along whatever claims have ended.
    other = crew.jobs.enqueue("s", "other", lane="other")
    until("its end", lambda: not crew.one("SELECT count(*) FROM jobs WHERE id = %s", other.job_id))
    # As if one look had brought both: its claim lasts as long as this one runs.
    both = "UPDATE job_claims SET jobs = jobs || %s WHERE %s = ANY (jobs) RETURNING id"
    crew.one(both, behind.job_id, running.job_id)
    crew.declare_dead(worker)
    until("it to run again", lambda: len(crew.ran("g")) == 2)
    deaths = "SELECT array_agg(deaths ORDER BY id) FROM jobs WHERE id = ANY (%s)"
    assert crew.one(deaths, [behind.job_id, running.job_id]) == [0, 1]
    gate.open.set()
