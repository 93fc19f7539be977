"""How fast jobs are asked for, each committed: in batches, one at a time by many callers, and beside a worker at work.

The asking process has the gateway's core, the stores the other.  "Both ends at once" has the worker on that same core:
one core asks and works.
"""

from __future__ import annotations

import time

import click

from bench.queue.asking import Asked, Asking, ask
from bench.queue.contestants import LANES
from bench.queue.drain import IDLE_MAX_S, Failed
from bench.queue.effects import faults, out_of_order
from bench.queue.stage import Stage, stage
from bench.report import Report, median, spread
from bench.stack import GATEWAY_CPU

__all__ = ["asked", "both", "measure"]

BATCHES_GOAL, SINGLES_GOAL, BOTH_GOAL = 30_000, 15_000, 12_000
_WARM_JOBS = 2_000


def measure(report: Report) -> None:
    """Measure all three."""
    rounds, jobs = (1, 20_000) if report.quick else (5, 80_000)
    batches: list[float] = []
    singles: list[float] = []
    ends: list[float] = []
    cpu_us: dict[str, list[float]] = {"batches": [], "singles": []}
    with stage() as here, click.progressbar(range(rounds), label="enqueue") as progress:
        for _ in progress:
            for mode, rates in (("batches", batches), ("singles", singles)):
                done = asked(here, mode, jobs)
                rates.append(done.rate)
                cpu_us[mode].append(1e6 * done.cpu_s / done.jobs)
            ends.append(both(here, jobs))
    report.add("enqueue", {"batches": batches, "singles": singles, "both": ends, "cpu_us": cpu_us})
    report.goal("enqueued, batches of 100", BATCHES_GOAL, median(batches), "jobs/s")
    report.goal("enqueued, one at a time by 1,000 greenlets", SINGLES_GOAL, median(singles), "jobs/s")
    report.goal("both ends at once, on one core", BOTH_GOAL, median(ends), "jobs/s")
    report.note(
        f"enqueued over {rounds} rounds: batches {spread(batches)}/s ({median(cpu_us['batches']):.0f} µs a job), "
        f"one at a time {spread(singles)}/s ({median(cpu_us['singles']):.0f} µs), both ends {spread(ends)}/s"
    )


def asked(here: Stage, mode: str, jobs: int) -> Asked:
    """Ask for jobs, and look whether they were written."""
    done = ask(here.env, GATEWAY_CPU, mode, LANES, jobs)
    written = here.ledger.counts().get("ready", 0)
    here.clear()
    if written != jobs:
        raise Failed(f"{mode}: {written:,} of {jobs:,} jobs were written")
    return done


def both(here: Stage, jobs: int) -> float:
    """Return jobs a second from the first question to the last one settled."""
    with here.working():
        # It owns all partitions and has done everything once.
        ask(here.env, GATEWAY_CPU, "fill", LANES, _WARM_JOBS)
        _wait_all(here, _WARM_JOBS)
        here.clear()
        asking = Asking(here.env, GATEWAY_CPU, "batches", LANES, jobs)
        try:
            _wait_first(here)
            began, before = time.monotonic(), here.effects.count()
            asking.end()
            _wait_all(here, jobs)
            took_s = here.ledger.wait_settled(max_s=IDLE_MAX_S) - began
        finally:
            asking.kill()
    numbers = here.effects.numbers()
    wrong = out_of_order(numbers, LANES)
    here.clear()
    if found := faults(numbers, jobs):
        raise Failed(f"both ends: {found}")
    if wrong:
        raise Failed(f"both ends: {wrong:,} out of order")
    return (jobs - before) / took_s


def _wait_first(here: Stage) -> None:
    """The asking process takes half a second to start."""
    here.effects.wait(1, idle_max_s=IDLE_MAX_S)


def _wait_all(here: Stage, jobs: int) -> None:
    seen = here.effects.wait(jobs, idle_max_s=IDLE_MAX_S)
    if seen.count < jobs:
        raise Failed(f"{jobs - seen.count:,} of {jobs:,} jobs did not run")
    here.ledger.wait_settled(max_s=IDLE_MAX_S)
