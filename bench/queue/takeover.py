"""A worker is killed with -9: how long until each of its lanes runs elsewhere, jobs coming all the time.

``alone`` is a lost machine: a worker and its parent, and nobody says that they are dead.  ``supervised`` is one of two
processes under a parent, which sees it die.  Its lanes are those whose last job before the kill it had started.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence

import click
import psutil

from bench.queue.asking import Asking
from bench.queue.drain import IDLE_MAX_S, Failed
from bench.queue.records import Started, read_started
from bench.queue.stage import Stage, stage
from bench.report import Report
from bench.stack import OTHERS_CPU

__all__ = ["measure", "takeover", "trial"]

ALONE_GOAL_S, SUPERVISED_GOAL_S = 10.0, 2.0
#: Ten for each partition; each lane has a job six times a second.
LANES, RATE = 320, 2_000
#: Time for two workers to share out the partitions, and to see all lanes.
_SHARED_MAX_S, _SETTLE_S = 15.0, 1.5
_POLL_S = 0.1


def measure(report: Report) -> None:
    """Kill some; a quick run has only the supervised ones."""
    trials = 1 if report.quick else 5
    ways = [("supervised", SUPERVISED_GOAL_S), *([] if report.quick else [("alone", ALONE_GOAL_S)])]
    samples: dict[str, list[float]] = {}
    with stage() as here, click.progressbar(length=trials * len(ways), label="takeover") as progress:
        for way, _ in ways:
            for _ in range(trials):
                samples.setdefault(way, []).append(trial(here, supervised=way == "supervised"))
                progress.update(1)
    for way, goal in ways:
        # Every lane of every trial: what was promised is a bound.
        report.goal(f"killed -9, {way}: its last lane runs elsewhere", goal, max(samples[way]), "s", "most")
        report.note(
            f"takeover, {way}, over {trials} kills: {min(samples[way]):.2f} to {max(samples[way]):.2f} s"
        )
    report.add("takeover", samples)


def takeover(records: Sequence[Started], victim: int, killed_at: float, lanes: int) -> Mapping[int, float]:
    """Return the seconds from the kill until each lane of the victim ran elsewhere; infinite: it never did."""
    owner: dict[int, int] = {}
    found: dict[int, float] = {}
    for record in records:
        lane = record.number % lanes
        if record.at <= killed_at:
            owner[lane] = record.pid
        elif record.pid != victim and owner.get(lane) == victim:
            found.setdefault(lane, record.at - killed_at)
    return {lane: found.get(lane, math.inf) for lane, pid in owner.items() if pid == victim}


def trial(here: Stage, *, supervised: bool) -> float:
    """Kill one; return the seconds until the last of its lanes ran elsewhere."""
    with contextlib.ExitStack() as running:
        asking = Asking(here.env, OTHERS_CPU, "paced", LANES, RATE)
        running.callback(asking.kill)
        workers = [running.enter_context(here.working(processes=2 if supervised else 1))]
        if not supervised:
            workers.append(running.enter_context(here.working()))
        victim = _wait_shared(here)
        time.sleep(_SETTLE_S)
        killed_at = time.monotonic()
        if supervised:
            os.kill(victim, signal.SIGKILL)
        else:
            _lose_machine(victim, workers)
        goal = SUPERVISED_GOAL_S if supervised else ALONE_GOAL_S
        # As long again as was promised: a lane that comes late is told how late.
        times = _wait_taken_over(here, victim, killed_at, killed_at + 2 * goal)
        asking.end()
        here.ledger.wait_settled(max_s=IDLE_MAX_S)
    here.clear()
    if not times:
        raise Failed("takeover: the worker that was killed had no lane")
    return max(times.values())


def _wait_taken_over(here: Stage, victim: int, killed_at: float, deadline: float) -> Mapping[int, float]:
    while True:
        times = takeover(read_started(here.effects.path), victim, killed_at, LANES)
        if time.monotonic() > deadline or (times and math.inf not in times.values()):
            return times
        time.sleep(_POLL_S)


def _wait_shared(here: Stage) -> int:
    """Return a process that runs half of the lanes, once there are two."""
    deadline = time.monotonic() + _SHARED_MAX_S
    while time.monotonic() < deadline:
        owners = here.ledger.rows(
            "SELECT p.label, count(*) FROM job_partitions j JOIN processes p ON p.id = j.owner_process GROUP BY 1"
        )
        if len(owners) == 2 and min(count for _, count in owners) >= 16:
            return _pid(str(owners[0][0]))
        time.sleep(_POLL_S)
    raise Failed(f"takeover: two workers did not share the partitions: {owners}")


def _pid(label: str) -> int:
    """Return the process id in a worker's label, HOST:PID:RANDOM."""
    return int(label.split(":")[1])


def _lose_machine(victim: int, workers: Sequence[subprocess.Popen[bytes]]) -> None:
    """Kill a worker with its parent, the parent first: it must not say who is dead."""
    for parent in workers:
        if any(child.pid == victim for child in psutil.Process(parent.pid).children(recursive=True)):
            os.kill(parent.pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(victim, signal.SIGKILL)
