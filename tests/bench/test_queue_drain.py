"""Contestants of bench.queue: who loses jobs, runs them twice or out of order is told so, and is out."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.queue.contestants import Contestant
from bench.queue.drain import Failed, drain
from bench.stack import ROOT
from bench.stores import Stores
from tests.support import stores as support

PROGRAM = str(Path(__file__).with_name("queue_contestant.py"))
JOBS = 2_000
#: Seconds for which a worker of these, which has nothing else to do, may say nothing.
IDLE_MAX_S = 2.0


@pytest.fixture
def running(stores: support.Stores) -> Stores:
    """The tests' own servers, as a benchmark knows them."""
    return Stores(stores.postgres, stores.redis, stores.postgres_process, stores.redis_process)


def contestant(habit: str, *, lanes: int = 0) -> Contestant:
    argv = (sys.executable, PROGRAM, habit)
    return Contestant(
        name=habit,
        title=habit.capitalize(),
        enqueue=(*argv, "enqueue"),
        worker=(*argv, "work"),
        jobs=JOBS,
        env={"PYTHONPATH": str(ROOT)},
        lanes=lanes,
    )


def test_a_run_says_how_fast_it_was(running: Stores) -> None:
    """The worker's own time is in it, and the start of its process is not."""
    sample = drain(contestant("honest", lanes=20), running, jobs=JOBS, idle_max_s=IDLE_MAX_S)
    assert sample.rate > 0
    assert 0 < sample.worker_share < 2
    assert sample.worker_us == pytest.approx(1e6 * sample.worker_share / sample.rate)


@pytest.mark.parametrize(
    ("habit", "told"),
    [
        ("forgetful", "1 lost of 2,000 jobs"),
        ("eager", "1 repeated of 2,000 jobs"),
        ("inventive", "1 of nobody of 2,000 jobs"),
        ("lazy", "1,000 lost of 2,000 jobs"),
    ],
)
def test_who_does_not_do_each_job_once_is_told_so(running: Stores, habit: str, told: str) -> None:
    """However fast it was."""
    with pytest.raises(Failed, match=told):
        drain(contestant(habit), running, jobs=JOBS, idle_max_s=IDLE_MAX_S)


def test_order_is_looked_at_where_it_is_promised(running: Stores) -> None:
    """Jobs 5 and 25 are in one lane of twenty, and in two of eight."""
    with pytest.raises(Failed, match="1 of 2,000 jobs ran out of order"):
        drain(contestant("unruly", lanes=20), running, jobs=JOBS, idle_max_s=IDLE_MAX_S)
    drain(contestant("unruly"), running, jobs=JOBS, idle_max_s=IDLE_MAX_S)


def test_who_cannot_start_is_told_with_its_own_words(running: Stores) -> None:
    """Its last line is what a person needs."""
    with pytest.raises(Failed, match="enqueuing: status 1: I have nothing to say"):
        drain(contestant("mute"), running, jobs=JOBS, idle_max_s=IDLE_MAX_S)


def test_one_contestant_finds_nothing_of_the_last_ones(running: Stores) -> None:
    """Half of the lazy one's jobs are still in Redis when the next one comes."""
    with pytest.raises(Failed):
        drain(contestant("lazy"), running, jobs=JOBS, idle_max_s=IDLE_MAX_S)
    drain(contestant("honest"), running, jobs=JOBS, idle_max_s=IDLE_MAX_S)
