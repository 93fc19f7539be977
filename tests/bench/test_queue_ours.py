"""Our own part of bench.queue, run small: each stage comes to its end on a real worker, whatever the numbers are."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.queue import enqueuing, latency, takeover
from bench.queue.contestants import CONTESTANTS, OURS, PRICES
from bench.queue.crash import crash
from bench.queue.drain import drain, enqueue
from bench.queue.ours import environment, ledger_of
from bench.queue.stage import Stage, stage
from bench.stores import Stores, stores

JOBS = 1_000
#: So many that they are not all done between two looks.
DRAINED_JOBS = 10_000


@pytest.fixture(scope="module")
def running() -> Iterator[Stores]:
    """Stores that none of these kills."""
    with stores(fsync=False) as pair:
        yield pair


@pytest.fixture(scope="module")
def here() -> Iterator[Stage]:
    """Stores, and all that measures only ours; each part leaves nothing behind."""
    with stage() as found:
        yield found


# "nothing" leaves out of the worker, and of the ledger's functions, whatever any of the others does.
@pytest.mark.parametrize("name", [OURS, "nothing"])
def test_ours_runs_each_job_once_and_in_order(running: Stores, name: str) -> None:
    """Or there would be no sample."""
    assert drain(PRICES[name], running, jobs=DRAINED_JOBS).rate > 0


def test_a_run_that_failed_spoils_none_after_it(running: Stores, tmp_path: Path) -> None:
    """What it left is thrown away, and who did not leave is dead before the next one begins."""
    contestant = PRICES["few_lanes"]
    enqueue(contestant, environment(running, tmp_path, tmp_path / "effects"), 100)
    with ledger_of(running) as ledger:
        ledger.rows("SELECT * FROM process_register('worker', 'of another run')")
        assert drain(contestant, running, jobs=JOBS).rate > 0
        assert ledger.rows("SELECT beat FROM processes WHERE label = 'of another run'") == [(None,)]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, each in PRICES.items() if each.fsync and name != OURS])
def test_who_promises_less_still_runs_each_job_once(running: Stores, name: str) -> None:
    """What is left out shows only when somebody dies."""
    assert drain(PRICES[name], running, jobs=min(PRICES[name].jobs, DRAINED_JOBS)).rate > 0


def test_what_was_asked_for_is_counted_in_the_ledger(here: Stage) -> None:
    """By both ways, and beside a worker at work, where it must all have run as well."""
    for mode in ("batches", "singles"):
        assert enqueuing.asked(here, mode, JOBS).jobs == JOBS
    assert enqueuing.both(here, 2 * JOBS) > 0


def test_latency_is_of_each_job(here: Stage) -> None:
    """A job starts after its caller asked for it."""
    starts, commits = latency.latencies_ms(here, 30)
    assert len(starts) == len(commits) == 30
    assert min(starts) > 0


@pytest.mark.slow
def test_every_lane_of_a_killed_worker_is_seen_elsewhere(here: Stage) -> None:
    """The parent sees it die."""
    assert 0 < takeover.trial(here, supervised=True) < math.inf


@pytest.mark.slow
def test_nothing_is_lost_in_a_crash(running: Stores) -> None:
    """What was in flight may run again."""
    assert crash(CONTESTANTS[OURS], running, 15.0).lost == 0
