"""``python -m bench.queue``: our jobs beside other queues', what each promise costs, and what happens after a kill."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.queue import backlog, crash, enqueuing, latency, speed, takeover
from bench.queue.drain import Failed
from bench.report import Report
from bench.stack import pin_to_others

PARTS: Mapping[str, Callable[[Report], None]] = {
    "speed": speed.measure,
    "enqueue": enqueuing.measure,
    "latency": latency.measure,
    "takeover": takeover.measure,
    "backlog": backlog.measure,
    "prices": speed.prices,
    "crash": crash.measure,
}
#: Left out of a quick run unless they are asked for.
LONG = ("prices", "crash")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m bench.queue", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="within 60 s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write goals and raw samples")
    parser.add_argument("--only", default="", metavar="NAME,...", help=", ".join(PARTS))
    options = parser.parse_args()
    only = (
        options.only.split(",") if options.only else [n for n in PARTS if not (options.quick and n in LONG)]
    )
    strangers = [name for name in only if name not in PARTS]
    if strangers:
        parser.error(f"expected --only to name some of {', '.join(PARTS)}, got {', '.join(strangers)}")
    report = Report("bench.queue", quick=options.quick)
    pin_to_others()
    for name in only:
        try:
            PARTS[name](report)
        except Failed as error:
            report.failed(name, str(error))
    report.print()
    report.write(options.json)


if __name__ == "__main__":
    main()
