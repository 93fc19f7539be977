"""``python -m bench.evaluation``: the comparison of 2018 again, and what it left out.

Ours beside servers of six ecosystems, each alone on one core: one request after the other, memory, and more.  A run can
be stopped at any moment; the same command goes on with it.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from bench.connections import raise_descriptors
from bench.evaluation import report
from bench.evaluation.journal import Busy, Head, Journal, OtherRun, alone
from bench.evaluation.machine import machine, tree
from bench.evaluation.measures.catalogue import MEASURES, WHO
from bench.evaluation.parts import NotAReport, read_part, run_part
from bench.evaluation.plan import PARTS, ROUNDS, Plan
from bench.evaluation.run import DESCRIPTORS, run_rounds
from bench.needs import missing
from bench.stack import ROOT, pin_to_others

_RESULTS = ROOT / "bench" / "results"


def main() -> None:
    """Run it, or go on with it."""
    parser = _parser()
    options = parser.parse_args()
    if options.page:
        report.draw(report.read(options.page), options.page.parent)
        return
    if options.compare:
        report.compare(*options.compare)
        return
    plan, given = _plan(parser, options), _given(parser, options)
    path = options.json or (_RESULTS / "quick" if plan.quick else _RESULTS) / "evaluation.json"
    if lack := missing(("wrk",)):
        raise SystemExit(lack)
    if (descriptors := raise_descriptors()) < DESCRIPTORS:
        raise SystemExit(f"needs {DESCRIPTORS:,} descriptors, may have {descriptors:,}: raise `ulimit -Hn`")
    # Whoever stops it by a signal is to find contestants and stores stopped too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with alone(path.parent):
            _run(plan, path, given, fresh=options.fresh)
    except Busy as error:
        raise SystemExit(str(error)) from None
    except OtherRun as error:
        raise SystemExit(f"{error}\nFinish that one, or forget it with --fresh.") from None
    except KeyboardInterrupt:
        command = shlex.join(["python", "-m", "bench.evaluation", *(a for a in sys.argv[1:] if a != "--fresh")])
        raise SystemExit(f"\nStopped; what was measured is kept, and the same command goes on: {command}") from None


def _run(plan: Plan, path: Path, given: Mapping[str, Mapping[str, Any]], *, fresh: bool) -> None:
    kept = path.with_suffix(".journal")
    if fresh:
        kept.unlink(missing_ok=True)
    pin_to_others()
    now = datetime.now(UTC).isoformat(timespec="seconds")
    journal = Journal(kept, Head(plan, tree(), machine(), now))
    if journal.resumed:
        click.echo(f"Going on with the run of {journal.head.began}: {len(journal.taken):,} takes are done.")
    lacks = run_rounds(journal)
    for name in plan.parts:
        if name not in journal.parts:
            journal.ended(name, given[name] if name in given else run_part(name, quick=plan.quick))
    results = report.results(journal, lacks)
    report.write(results, path)
    report.tell(results)
    report.draw(results, path.parent)
    # Whoever stops it while it draws finds the run where it was: the same command draws, and measures nothing anew.
    journal.remove()


def _plan(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Plan:
    measures = options.only.split(",") if options.only else [*MEASURES, *PARTS]
    contestants = options.contestants.split(",") if options.contestants else list(WHO)
    for what, names, known in (("only", measures, (*MEASURES, *PARTS)), ("contestants", contestants, WHO)):
        if strangers := [name for name in names if name not in known]:
            parser.error(f"expected --{what} to name some of {', '.join(known)}, got {', '.join(strangers)}")
    rounds = options.rounds if options.rounds is not None else 1 if options.quick else ROUNDS
    if rounds < 1:
        parser.error(f"expected --rounds to be at least 1, got {rounds}")
    if options.json and options.json.suffix != ".json":
        # The journal lies beside it, and is forgotten.
        parser.error(f"expected --json to name a file that ends in .json, got {options.json}")
    if options.quick and rounds > 1:
        parser.error(f"expected --rounds without --quick, which has one round, got {rounds}")
    # What is asked for by name, a quick run has too.
    whole = bool(options.only) or not options.quick
    given = {name for name in PARTS if getattr(options, name)}
    return Plan(
        measures=tuple(n for n in MEASURES if n in measures and (whole or MEASURES[n].quick)),
        contestants=tuple(n for n in WHO if n in contestants),
        rounds=rounds,
        quick=options.quick,
        parts=tuple(n for n in PARTS if n in given or (whole and n in measures)),
    )


def _given(parser: argparse.ArgumentParser, options: argparse.Namespace) -> dict[str, Mapping[str, Any]]:
    """Return the reports that need not be made; what is none is told now, and not when all else is measured."""
    try:
        return {name: read_part(name, path) for name in PARTS if (path := getattr(options, name)) is not None}
    except NotAReport as error:
        parser.error(f"expected the JSON that bench.{' or bench.'.join(PARTS)} has written, got {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.evaluation", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="within 60 s: one short round of the lines that tell the order")
    add("--only", default="", metavar="NAME,...", help=", ".join((*MEASURES, *PARTS)))
    add("--contestants", default="", metavar="NAME,...", help=", ".join(WHO))
    add("--rounds", type=int, metavar="N", help=f"default: {ROUNDS}")
    add("--json", type=Path, metavar="FILE", help="default: bench/results/evaluation.json; page and picture beside it")
    add("--fresh", action="store_true", help="forget the unfinished run")
    add("--chat", type=Path, metavar="FILE", help="take bench.chat's report from its JSON instead of running it")
    add("--locust", type=Path, metavar="FILE", help="the same of bench.locust")
    add("--page", type=Path, metavar="FILE", help="only draw page and picture again, from the JSON of a run")
    add("--compare", type=Path, nargs=2, metavar="FILE", help="only say where two runs agree, from their JSON")
    return parser


if __name__ == "__main__":
    main()
