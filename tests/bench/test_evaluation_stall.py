"""PostgreSQL is stopped as a whole, and goes on whatever becomes of who stopped it; and what a stall is judged by."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.connections import raise_descriptors
from bench.evaluation.measures.stall import AFTER_S, STALL_S, Stall
from bench.evaluation.measures.standstill import standstill
from bench.evaluation.stage import Rounded
from bench.keys import Keys
from bench.rounds import Field
from bench.stack import ROOT
from bench.stores import stores
from tests.bench.conftest import contestant, environment
from tests.bench.evaluating import WARMING
from tests.support.waiting import until

#: Somebody who has stopped it and is not done.
HELD = """
import signal, sys
from bench.evaluation.measures.standstill import standstill

with standstill(int(sys.argv[1])) as still:
    still.stop()
    print("stopped", flush=True)
    signal.pause()
"""


@pytest.fixture
def family() -> Iterator[tuple[int, int]]:
    """A process with a child, as a postmaster has; their pids."""
    with subprocess.Popen(
        ["sh", "-c", "sleep 60 & echo $!; wait"],
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        yield parent.pid, child
        for pid in (child, parent.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def states(*pids: int) -> str:
    """Return a letter for each: T is stopped."""
    return "".join(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] for pid in pids)


def test_all_of_it_stands_still_and_goes_on(family: tuple[int, int]) -> None:
    """Whoever is in the block may fail."""

    def fail() -> None:
        with standstill(family[0]) as still:
            assert "T" not in states(*family)
            still.stop()
            assert states(*family) == "TT"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    until("it goes on", lambda: "T" not in states(*family))


def test_it_goes_on_when_the_keeper_is_killed(family: tuple[int, int]) -> None:
    """Then we see to it."""
    with standstill(family[0]) as still:
        still.stop()
        still._keeper.kill()
        still._keeper.wait()
        assert states(*family) == "TT"
    until("it goes on", lambda: "T" not in states(*family))


def test_it_goes_on_when_we_are_killed(family: tuple[int, int]) -> None:
    """Then the keeper does."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-c", HELD, str(family[0])]
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE) as asking:
        assert asking.stdout is not None
        assert asking.stdout.readline() == b"stopped\n"
        assert states(*family) == "TT"
        asking.kill()
    until("it goes on", lambda: "T" not in states(*family))


def test_what_is_not_there_cannot_be_stopped() -> None:
    """And that is no stall."""
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    with pytest.raises(ProcessLookupError), standstill(gone.pid) as still:
        still.stop()


@pytest.mark.slow
def test_a_stall_is_seen_by_who_needs_the_database_and_by_nobody_else(tmp_path: Path) -> None:
    """The whole measure, of a contestant that has 64 connections to the database and fails who finds none."""
    raise_descriptors()
    with stores() as running:
        keys = Keys(running.postgres.url())
        keys.fill()
        field = Field(environment(running.postgres.url()), tmp_path, contestants={"honest": contestant("honest")})
        stage = Rounded(field, keys, running.postgres_pid, quick=False, warming=WARMING)
        taken = Stall(["honest"]).take("honest", stage)
        keys.close()
    worst = max(taken.rows, key=lambda row: row["p99_ms"])
    assert worst["p99_ms"] > 0.9e3 * STALL_S
    assert worst["echo_p99_ms"] < worst["p99_ms"] / 2
    assert taken.values["lost"] == taken.values["refused"] == 0
    assert taken.values["failed"] > 1_000
    # It is read off tenths of a second, and has no more digits than that; what was waited in vain is a lower bound.
    assert taken.values["back_s"] == round(taken.values["back_s"], 1)
    assert taken.at_least == (taken.values["back_s"] >= AFTER_S)
