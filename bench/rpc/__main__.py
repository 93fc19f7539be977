"""``python -m bench.rpc``: how fast our client is, what its guards cost, and what they are good for.

Speed and guards are held against other libraries'; everything else happens on real sockets against backends that turn
slow, die, fail, come back, or are asked for five times what they can do.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.report import Report
from bench.rpc import curves, decision, failing, overload, sick, speed
from bench.stack import pin_to_others

PARTS: Mapping[str, Callable[[Report], None]] = {
    "speed": speed.measure,
    "guards": decision.measure,
    "sick": sick.measure,
    "failing": failing.measure,
    "overload": overload.measure,
}


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m bench.rpc", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="within 60 s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write goals and raw samples")
    parser.add_argument("--only", default=",".join(PARTS), metavar="NAME,...", help=", ".join(PARTS))
    parser.add_argument("--plot", type=Path, metavar="FOLDER", help="draw the curves of sick and overload")
    options = parser.parse_args()
    only = options.only.split(",")
    strangers = [name for name in only if name not in PARTS]
    if strangers:
        parser.error(f"expected --only to name some of {', '.join(PARTS)}, got {', '.join(strangers)}")
    report = Report("bench.rpc", quick=options.quick)
    pin_to_others()
    for name in only:
        PARTS[name](report)
    if options.plot is not None:
        with tempfile.TemporaryDirectory() as folder:
            samples = Path(folder) / "report.json"
            report.write(samples)
            if lack := curves.draw(samples, options.plot):
                report.note(f"nothing is drawn: {lack}")
    report.print()
    report.write(options.json)


if __name__ == "__main__":
    main()
