"""``make bench``: every benchmark, one after the other, and one report."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from bench.evaluation.plan import PARTS

__all__ = ["BENCHES", "arguments_of"]

#: The parts of the evaluation come before it.
BENCHES = ("turn", "chat", "locust", "wrk", "server", "evaluation", "rpc", "queue", "channels", "sim_overload")
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
            written, arguments = arguments_of(name, Path(folder), options.json.parent, quick=options.quick)
            written.parent.mkdir(parents=True, exist_ok=True)
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


def arguments_of(name: str, folder: Path, results: Path, *, quick: bool) -> tuple[Path, list[str]]:
    """Return where a benchmark writes its JSON, and what it is told: in *folder*, but for what stays in *results*."""
    written, arguments = folder / f"{name}.json", ["--quick"] if quick else []
    if name == "evaluation":
        # Its page and its picture stay, beside its JSON; its parts were measured a moment ago.
        written = results / ("quick" if quick else "") / "evaluation.json"
        arguments.append("--fresh")
        for part in PARTS:
            arguments += [f"--{part}", str(folder / f"{part}.json")]
    return written, [*arguments, "--json", str(written)]


if __name__ == "__main__":
    sys.exit(main())
