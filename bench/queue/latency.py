"""An idle system: how long it takes from the call that asks for a job to the first line of its handler.

Both instants are the processes' own word, on the machine's clock.  A commit that reaches the disk
is in it, and the hint's way through Redis.
"""

from __future__ import annotations

import click

from bench.queue.asking import ask
from bench.queue.contestants import LANES
from bench.queue.drain import IDLE_MAX_S, Failed
from bench.queue.effects import RECORD_BYTES
from bench.queue.records import STARTED, read_started
from bench.queue.stage import Stage, stage
from bench.report import Report, median, percentile, spread
from bench.stack import OTHERS_CPU

__all__ = ["latencies_ms", "measure"]

P50_GOAL_MS, P99_GOAL_MS = 3.0, 10.0
_WARM_JOBS = 1_000


def measure(report: Report) -> None:
    """Measure it."""
    rounds, jobs = (1, 150) if report.quick else (5, 500)
    p50_ms, p99_ms, commit_ms = [], [], []
    with stage() as here, click.progressbar(range(rounds), label="latency") as progress:
        for _ in progress:
            found, commits = latencies_ms(here, jobs)
            p50_ms.append(percentile(found, 0.5))
            p99_ms.append(percentile(found, 0.99))
            commit_ms.append(percentile(commits, 0.5))
    report.add("latency", {"p50_ms": p50_ms, "p99_ms": p99_ms, "commit_p50_ms": commit_ms})
    report.goal("idle: from the call to the handler, p50", P50_GOAL_MS, median(p50_ms), "ms", "most")
    report.goal("idle: from the call to the handler, p99", P99_GOAL_MS, median(p99_ms), "ms", "most")
    report.note(
        f"idle over {rounds} rounds of {jobs}: p50 {spread(p50_ms)} ms, p99 {spread(p99_ms)} ms; until the caller "
        f"knew of the commit, p50 {spread(commit_ms)} ms"
    )


def latencies_ms(here: Stage, jobs: int) -> tuple[list[float], list[float]]:
    """Return the times until each job was started, and until its caller knew that it was written."""
    with here.working():
        ask(here.env, OTHERS_CPU, "fill", LANES, _WARM_JOBS)
        here.effects.wait(_WARM_JOBS, idle_max_s=IDLE_MAX_S)
        here.ledger.wait_settled(max_s=IDLE_MAX_S)
        here.clear()
        asked = ask(here.env, OTHERS_CPU, "idle", jobs)
        here.effects.wait(jobs * STARTED.size // RECORD_BYTES, idle_max_s=IDLE_MAX_S)
    started = {each.number: each.at for each in read_started(here.effects.path)}
    here.clear()
    if len(started) < jobs:
        raise Failed(f"idle: {jobs - len(started)} of {jobs} jobs did not run")
    written = zip(asked.at, asked.written_at, strict=True)
    return [1e3 * (started[n] - at) for n, at in enumerate(asked.at)], [
        1e3 * (end - at) for at, end in written
    ]
