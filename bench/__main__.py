"""``make bench``: every benchmark, one after the other, and one report."""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

BENCHES = ("turn", "chat", "wrk", "server", "evaluation", "rpc", "queue", "channels", "sim_overload")
REPORT = Path(__file__).parent / "results" / "report.json"


def main() -> int:
    """Run all; return 1 if a benchmark failed to run or missed a goal."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="each within 60 s")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", default=REPORT, help="default: bench/results/report.json"
    )
    options = parser.parse_args()
    reports = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in BENCHES:
            written = Path(folder) / f"{name}.json"
            arguments = ["--quick"] if options.quick else []
            if name == "evaluation":
                # Its page and its picture stay, beside its JSON; its parts were measured a moment ago.
                written = options.json.parent / ("quick" if options.quick else "") / "evaluation.json"
                parts = {f"--{part}": str(Path(folder) / f"{part}.json") for part in ("chat", "locust")}
                arguments += ["--fresh", *itertools.chain(*parts.items())]
            arguments += ["--json", str(written)]
            if subprocess.run([sys.executable, "-m", f"bench.{name}", *arguments], check=False).returncode:
                return 1
            reports[name] = msgspec.json.decode(written.read_bytes())
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_bytes(msgspec.json.format(msgspec.json.encode(reports), indent=1))
    print(f"\nwritten: {options.json}")
    missed = [goal["name"] for report in reports.values() for goal in report["goals"] if not goal["ok"]]
    for name in missed:
        print(f"missed: {name}")
    return 1 if missed else 0


sys.exit(main())
