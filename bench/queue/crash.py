"""What each contestant does when its worker is killed with -9 at a third of its jobs, and started again at once.

Told, not promised: nobody here says that a job runs exactly once, and few say when it runs again.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import click
import msgspec

from bench.needs import missing
from bench.queue.contestants import CONTESTANTS, Contestant
from bench.queue.drain import Failed, enqueue, kill, working
from bench.queue.effects import Effects, faults
from bench.queue.ours import environment, forget_redis, ledger_of
from bench.report import Report
from bench.stores import Stores, stores

__all__ = ["Crash", "crash", "measure"]

JOBS = 6_000
#: Seconds after the restart in which a job may come back.
BACK_MAX_S, BACK_MAX_QUICK_S = 95.0, 15.0
#: Seconds in which repeats may still show when all have run.
_REPEATS_S = 2.0


class Crash(msgspec.Struct, frozen=True):
    """What became of the jobs."""

    lost: int
    repeated: int
    #: Seconds from the restart to the last effect.
    last_s: float


def measure(report: Report) -> None:
    """Kill each of them once."""
    max_s = BACK_MAX_QUICK_S if report.quick else BACK_MAX_S
    found: dict[str, Crash] = {}
    lacks: dict[str, str] = {}
    with stores() as running, click.progressbar(CONTESTANTS.items(), label="crash  ") as progress:
        for name, contestant in progress:
            lack = missing(contestant.needs)
            if lack:
                lacks[name] = lack
                continue
            try:
                found[name] = crash(contestant, running, max_s)
            except Failed as error:
                lacks[name] = str(error)
    _print(found, lacks, max_s)
    report.add("crash", found)
    ours = found.get("ours")
    report.goal("ours, killed -9 and restarted: lost", 0, ours.lost if ours else math.nan, "jobs", "most")


def _print(found: Mapping[str, Crash], lacks: Mapping[str, str], max_s: float) -> None:
    click.echo(f"\nKilled with -9 at a third of {JOBS:,} jobs, restarted at once, waited {max_s:g} s")
    for name, contestant in CONTESTANTS.items():
        if name in lacks:
            click.echo(f"  {contestant.title:<40} {lacks[name]}")
            continue
        end = found[name]
        click.echo(
            f"  {contestant.title:<40} {end.lost:,} not run, {end.repeated:,} repeated, "
            f"the last after {end.last_s:.1f} s"
        )


def crash(contestant: Contestant, running: Stores, max_s: float) -> Crash:
    """Kill its worker once, and start it again."""
    with tempfile.TemporaryDirectory(prefix="bench-queue-") as name:
        folder = Path(name)
        effects = Effects(folder / "effects")
        env = {**environment(running, folder, effects.path), **contestant.env}
        forget_redis(running)
        enqueue(contestant, env, JOBS)
        with working(contestant, env, folder / "worker.log") as worker:
            if effects.wait(JOBS // 3, idle_max_s=max_s).count < JOBS // 3:
                raise Failed("it ran no third of its jobs")
            kill(worker)
        again = time.monotonic()
        with working(contestant, env, folder / "worker.log"):
            # Idle for so long: nothing more comes.
            last = effects.wait(JOBS, idle_max_s=max_s)
            time.sleep(_REPEATS_S)
        with ledger_of(running) as ledger:
            ledger.empty()
        wrong = faults(effects.numbers(), JOBS)
        return Crash(wrong.lost, wrong.repeated, last.at - again)
