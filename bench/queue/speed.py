"""Jobs drained a second: contestants take turns, another one first in each round; ratios are of medians of one run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import click

from bench.needs import missing
from bench.queue.contestants import CONTESTANTS, OURS, PRICES, Contestant
from bench.queue.drain import Failed, Sample, drain
from bench.report import Report, median, spread
from bench.stores import Stores, stores

__all__ = ["Speeds", "measure", "prices"]

DRAIN_GOAL, DRAIN_STRETCH = 20_000, 30_000
#: Above this share of both cores, what others do on the machine is in the numbers; above that one of their core, the
#: stores may be what limits.
STRANGERS_MAX, STORES_FULL = 0.15, 0.90
ROUNDS = 5
#: Of the jobs of a whole run, in a quick one.
QUICK_SHARE = 0.25


class Speeds:
    """Samples by contestant, and who was thrown out; pure but for printing."""

    def __init__(self, contestants: Mapping[str, Contestant]) -> None:
        self._contestants = contestants
        self.samples: dict[str, list[Sample]] = {}
        self.out: dict[str, str] = {}

    def rate(self, name: str) -> float:
        """Return the median of jobs a second; nan, which keeps no promise, for who has none."""
        samples = self.samples.get(name, [])
        return median([sample.rate for sample in samples]) if samples and name not in self.out else math.nan

    def report(self, report: Report, name: str) -> None:
        """Put goals, notes and raw samples into *report*."""
        for contestant in self._contestants.values():
            if contestant.goal:
                ratio = self.rate(OURS) / self.rate(contestant.name)
                report.goal(f"jobs/s to those of {contestant.title}", contestant.goal, ratio, "x")
        for who, reason in self.out.items():
            report.note(f"{name}: {self._contestants[who].title} is left out: {reason}")
        for who, samples in self.samples.items():
            full = max(sample.stores_share for sample in samples)
            if full > STORES_FULL:
                report.note(
                    f"{name}: {self._contestants[who].title}: the stores used up to {full:.0%} of their core "
                    "and may have been the limit"
                )
        strangers = [sample.strangers_share for each in self.samples.values() for sample in each]
        if strangers and max(strangers) > STRANGERS_MAX:
            report.note(f"{name}: disturbed: other processes used up to {max(strangers):.0%} of a core")
        report.add(name, self.samples)

    def print(self, title: str) -> None:
        """Print the table."""
        click.echo(f"\n{title}")
        for name, contestant in self._contestants.items():
            if name in self.out or name not in self.samples:
                click.echo(f"  {contestant.title:<40} {self.out.get(name, 'not run')}")
                continue
            samples = self.samples[name]
            ratio = self.rate(OURS) / self.rate(name)
            compared = "" if name == OURS or math.isnan(ratio) else f"  ours: {ratio:.2f}x"
            click.echo(
                f"  {contestant.title:<40} {self.rate(name):>9,.0f}/s ({spread([each.rate for each in samples])})"
                f"  {median([each.worker_us for each in samples]):.0f} µs a job, stores"
                f" {median([each.stores_us for each in samples]):.0f} µs{compared}"
            )


def measure(report: Report) -> None:
    """Let them take turns; a quick run has those that a goal names."""
    quick = report.quick
    names = [name for name, each in CONTESTANTS.items() if name == OURS or each.goal or not quick]
    speeds = _take_turns(
        CONTESTANTS, names, rounds=1 if quick else ROUNDS, share=QUICK_SHARE if quick else 1.0
    )
    speeds.print("Drained, no-op jobs, one worker process on one core")
    report.goal("drained, 1,000 lanes", DRAIN_GOAL, speeds.rate(OURS), "jobs/s")
    reached = "reached" if speeds.rate(OURS) >= DRAIN_STRETCH else "not reached"
    report.note(f"drained: stretch {DRAIN_STRETCH:,}/s, {reached} ({speeds.rate(OURS):,.0f}/s)")
    speeds.report(report, "speed")


def prices(report: Report) -> None:
    """Measure ours with each promise switched off that can be: what the others cost is what is left."""
    quick = report.quick
    speeds = _take_turns(
        PRICES, list(PRICES), rounds=1 if quick else ROUNDS, share=QUICK_SHARE if quick else 1.0
    )
    speeds.print("Ours, with a promise less")
    speeds.report(report, "prices")


def _take_turns(
    contestants: Mapping[str, Contestant], names: Sequence[str], *, rounds: int, share: float
) -> Speeds:
    speeds = Speeds(contestants)
    for name in names:
        lack = missing(contestants[name].needs)
        if lack:
            speeds.out[name] = lack
    hard = [name for name in names if contestants[name].fsync]
    soft = [name for name in names if not contestants[name].fsync]
    with click.progressbar(length=rounds * len(names), label="drain  ", item_show_func=str) as progress:
        for number in range(rounds):
            # Anew in each round: where a process happens to lie in memory is part of its speed.
            for turn, fsync in ((hard, True), (soft, False)):
                if not turn:
                    continue
                first = number % len(turn)
                with stores(fsync=fsync) as running:
                    for name in [*turn[first:], *turn[:first]]:
                        progress.update(1, name)
                        _take_turn(speeds, contestants[name], running, share)
    return speeds


def _take_turn(speeds: Speeds, contestant: Contestant, running: Stores, share: float) -> None:
    if contestant.name in speeds.out:
        return
    try:
        sample = drain(contestant, running, jobs=int(contestant.jobs * share))
        speeds.samples.setdefault(contestant.name, []).append(sample)
    except Failed as error:
        speeds.out[contestant.name] = str(error)
