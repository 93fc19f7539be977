"""``python -m bench.chat``: chat turns through our gateway and worker, through Bolt, and through the Chat SDK.

A turn is: a signed message event of Slack's in, an assistant asked over HTTP, the answer posted by chat.postMessage at
a stand-in for Slack.  Every answer is looked at.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.chat.contestants import CEILING, CONTESTANTS
from bench.chat.rounds import Plan, Rounds
from bench.chat.stage import outside
from bench.chat.standings import CLOSED, COMMON
from bench.needs import missing
from bench.report import Report
from bench.stack import pin_to_others

#: Left out of a quick run unless they are asked for.
_LONG = ("chat_sdk_queue", CEILING)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m bench.chat", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="within 60 s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write goals and raw samples")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default: 5; a quick run has one")
    parser.add_argument("--only", default="", metavar="NAME,...", help=", ".join(CONTESTANTS))
    options = parser.parse_args()
    known = [name for name in CONTESTANTS if not (options.quick and name in _LONG)]
    names = tuple(options.only.split(",")) if options.only else tuple(known)
    strangers = [name for name in names if name not in CONTESTANTS]
    if strangers:
        parser.error(f"expected --only to name some of {', '.join(CONTESTANTS)}, got {', '.join(strangers)}")
    if options.rounds < 1:
        parser.error(f"expected --rounds to be at least 1, got {options.rounds}")
    if lack := missing(("uvloop",)):
        raise SystemExit(lack)
    report = Report("bench.chat", quick=options.quick)
    quick = Plan(
        names=names, rounds=1, warm_s=2.5, measured_s=2.0, lines=(CLOSED, COMMON), repeats=50, bursts=20, idle_max_s=1.0
    )
    pin_to_others()
    with outside() as running:
        rounds = Rounds(quick if options.quick else Plan(names=names, rounds=options.rounds), running)
        rounds.run()
    rounds.standings.print()
    rounds.standings.report(report)
    report.print()
    report.write(options.json)


if __name__ == "__main__":
    main()
