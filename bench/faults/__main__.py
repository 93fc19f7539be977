"""``python -m bench.faults queue``: 200,000 jobs in 1,000 lanes, and every 10 s somebody is killed, for 5 minutes."""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

from bench.faults.mishaps import VICTIMS
from bench.faults.queue import Campaign, run
from bench.report import Report


def main() -> int:
    """Run it; return 1 if a promise was broken."""
    usual = Campaign()
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__)
    parser.add_argument("campaign", choices=["queue"])
    parser.add_argument("--jobs", type=int, default=usual.jobs)
    parser.add_argument("--lanes", type=int, default=usual.lanes)
    parser.add_argument("--seconds", type=int, default=usual.seconds)
    parser.add_argument("--every", type=float, default=usual.every_s, metavar="SECONDS")
    parser.add_argument(
        "--victims", default=",".join(usual.victims), metavar="NAME,...", help=", ".join(VICTIMS)
    )
    parser.add_argument("--seed", type=int, default=None, help="repeats a campaign's chance; default: drawn")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write goals, mishaps and what was found")
    options = parser.parse_args()
    victims = options.victims.split(",")
    strangers = [name for name in victims if name not in VICTIMS]
    if strangers:
        parser.error(f"expected --victims to name some of {', '.join(VICTIMS)}, got {', '.join(strangers)}")
    campaign = Campaign(
        jobs=options.jobs,
        lanes=options.lanes,
        seconds=options.seconds,
        every_s=options.every,
        victims=victims,
        seed=random.SystemRandom().randrange(2**32) if options.seed is None else options.seed,
    )
    report = Report("bench.faults queue", quick=campaign.jobs < usual.jobs)
    run(campaign, report)
    report.print()
    report.write(options.json)
    return 0 if all(goal.ok for goal in report.goals) else 1


if __name__ == "__main__":
    sys.exit(main())
