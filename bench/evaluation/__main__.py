"""``python -m bench.evaluation``: the comparison of 2018 again, and what it left out.

Ours beside servers of six ecosystems, each alone on one core: one request after the other, memory, and more.  A run can
be stopped at any moment; the same command goes on with it.
"""

from __future__ import annotations

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
from bench.evaluation.options import (
    arguments_of,
    command_of,
    given_of,
    one_thing,
    options_parser,
    place,
    plan_of,
)
from bench.evaluation.parts import run_part
from bench.evaluation.plan import Plan
from bench.evaluation.run import DESCRIPTORS, run_rounds
from bench.needs import missing
from bench.stack import pin_to_others


def main() -> None:
    """Run it, or go on with it."""
    parser = options_parser(__doc__)
    options = parser.parse_args()
    one_thing(parser, options)
    if options.page:
        report.draw(report.read(options.page), options.page)
        return
    if options.compare:
        report.compare(*options.compare)
        return
    plan, given = plan_of(parser, options), given_of(parser, options)
    path = options.json or place(options) / "evaluation.json"
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
        forget = "Forget it with --fresh."
        if error.plan:
            forget = f"Finish that one, or forget it with --fresh: {command_of(arguments_of(error.plan, path))}"
        raise SystemExit(f"{error}\n{forget}") from None
    except KeyboardInterrupt:
        command = command_of([argument for argument in sys.argv[1:] if argument != "--fresh"])
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
    report.draw(results, path)
    # Whoever stops it while it draws finds the run where it was: the same command draws, and measures nothing anew.
    journal.remove()


if __name__ == "__main__":
    main()
