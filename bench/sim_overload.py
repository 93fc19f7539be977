"""``python -m bench.sim_overload``: a fleet of gateways in virtual time, through overload, outage and return.

The rules are the product's own (``gateway/domain/resilience``); clock, network and endpoints are simulated
(``bench/sim``).  One process, one core, and the same numbers every time: the draws are seeded.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from pathlib import Path

import click
import msgspec

from bench.report import Report
from bench.sim.plan import Rules, Size
from bench.sim.plot import draw
from bench.sim.scenarios import SCENARIOS
from bench.sim.verdicts import Story

__all__ = ["play"]


def play(size: Size, names: list[str], report: Report) -> list[Story]:
    """Play the scenarios *names* and hold them against what they promise."""
    stories = []
    for name in names:
        began = time.process_time()
        story = SCENARIOS[name](size, Rules())
        click.echo(f"{name}: {time.process_time() - began:.0f} s of processor time", err=True)
        stories.append(story)
        for promise in story.promises:
            report.goal(
                f"{name}: {promise.name}", promise.bound, promise.measured, promise.unit, promise.at
            )
        for note in story.notes:
            report.note(f"{name}: {note}")
        report.add(name, {"began_at": story.began_at, "ended_at": story.ended_at, "bins": story.record})
    report.add("size", size)
    return stories


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m bench.sim_overload", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="within 60 s: a tenth of the fleet")
    parser.add_argument("--only", metavar="NAMES", help=f"some of {','.join(SCENARIOS)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write goals and what happened in each half second")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw it (a .png)")
    options = parser.parse_args()
    names = options.only.split(",") if options.only else list(SCENARIOS)
    unknown = [name for name in names if name not in SCENARIOS]
    if unknown:
        parser.error(f"expected some of {', '.join(SCENARIOS)}, got {', '.join(unknown)}")
    size = Size()
    if options.quick:
        size = msgspec.structs.replace(size, gateways=size.gateways // 10, endpoints=size.endpoints // 10)
    # Nothing here is a cycle, and looking for them among half a million objects costs a fifth of the run.
    gc.disable()
    report = Report("bench.sim_overload", quick=options.quick)
    stories = play(size, names, report)
    report.print()
    report.write(options.json)
    if options.plot is not None:
        lacking = draw(stories, size.gateways * size.members, options.plot)
        if lacking:
            sys.exit(lacking)


if __name__ == "__main__":
    main()
