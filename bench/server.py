"""``python -m bench.server``: our worker beside gunicorn's own, Falcon, Node and Fastify, on one core each.

Every round starts its contestants anew and lets them take turns line by line.  Ratios are of medians over the rounds of
one run; numbers of different runs do not compare.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import memory
from bench.connections import raise_descriptors
from bench.keys import Keys
from bench.lines import LINES
from bench.needs import missing
from bench.report import Report
from bench.rounds import Field, Plan, Rounds
from bench.stack import ROOT, durable_stores, pin_to_others

KNOWN = (*LINES, *memory.KINDS)
#: Connections of the largest measurement, and whatever else is open.
DESCRIPTORS = memory.STREAMS_TOLD + 200

#: A gateway must have somebody to answer.  Nobody comes.
SETTINGS = """
[assistants.nobody]
kind = "http"
url = "http://127.0.0.1:9/turn"
signing_secrets = ["env:BENCH_SECRET"]

[accounts.webchat.nobody]
assistant = "nobody"
cookie_secrets = ["env:BENCH_SECRET"]
"""


def environment(database_url: str, redis_url: str, folder: Path) -> dict[str, str]:
    """Return what every contestant's environment has."""
    config = folder / "switchboard.toml"
    config.write_text(SETTINGS)
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "SWITCHBOARD_CONFIG": str(config),
        "SWITCHBOARD_HOME": str(folder),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "BENCH_SECRET": "whsec_YS1zZWNyZXQtb2YtdGhlLWJlbmNobWFyay13aXRoLTMyLWI=",
        "NODE_ENV": "production",
    }


def measure(only: Sequence[str], report: Report) -> None:
    """Run what *only* names."""
    lines = [line for line in LINES.values() if line.name in only]
    if report.quick:
        plan = Plan(lines, quick=True, rounds=1, warm_s=0.3, measured_s=0.9)
    else:
        plan = Plan(lines, quick=False)
    with durable_stores() as (postgres, redis, postgres_pid), tempfile.TemporaryDirectory() as folder:
        keys = Keys(postgres.url())
        keys.fill()
        field = Field(environment(postgres.url(), redis.url, Path(folder)), Path(folder))
        if plan.lines:
            rounds = Rounds(plan, field, keys, postgres_pid)
            rounds.run()
            for line in plan.lines:
                rounds.standings.print(line)
                rounds.standings.report(line, report)
        kinds = [kind for kind in memory.KINDS if kind in only]
        if kinds:
            memory.measure(field, kinds, report, quick=report.quick)
        keys.close()


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m bench.server", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="within 60 s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write goals and raw samples")
    parser.add_argument("--only", default=",".join(KNOWN), metavar="NAME,...", help=", ".join(KNOWN))
    options = parser.parse_args()
    only = options.only.split(",")
    strangers = [name for name in only if name not in KNOWN]
    if strangers:
        parser.error(f"expected --only to name some of {', '.join(KNOWN)}, got {', '.join(strangers)}")
    lack = missing(("wrk",))
    if lack:
        raise SystemExit(lack)
    if (descriptors := raise_descriptors()) < DESCRIPTORS:
        raise SystemExit(f"needs {DESCRIPTORS:,} descriptors, may have {descriptors:,}: raise `ulimit -Hn`")
    report = Report("bench.server", quick=options.quick)
    pin_to_others()
    measure(only, report)
    report.print()
    report.write(options.json)


if __name__ == "__main__":
    main()
