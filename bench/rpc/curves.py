"""``python -m bench.rpc.curves REPORT.json FOLDER``: pictures of recovery and overload, from the report's samples.

Run by ``python -m bench.rpc --plot FOLDER`` in a process that has matplotlib on its path, and by hand on any report
that was kept.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.needs import PLOTS, missing
from bench.rpc.backend import SLOT_S
from bench.stack import ROOT

__all__ = ["OVERLOAD", "RECOVERY", "draw", "overload", "recovery"]

RECOVERY, OVERLOAD = "rpc_recovery.png", "rpc_overload.png"
#: Samples: whatever the report's JSON has.
Samples = Mapping[str, Any]
GOOD, BAD, OFFERED, SEEN = "#2a7f3f", "#c0392b", "#888888", "#1f5fa8"


def draw(report: Path, folder: Path) -> str:
    """Draw what *report* has samples for; return why that cannot be, or an empty text."""
    lack = missing(("plots",))
    if lack:
        return lack
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{PLOTS}", "MPLBACKEND": "Agg"}
    argv = [sys.executable, "-m", "bench.rpc.curves", str(report.absolute()), str(folder.absolute())]
    done = subprocess.run(argv, cwd=ROOT, env=env, check=False)
    return f"drawing ended with status {done.returncode}" if done.returncode else ""


def recovery(samples: Samples, file: Path) -> None:
    """Draw the sick service's calls, what its backend saw of them, and the latency of the others."""
    import matplotlib.pyplot as plt

    seen = samples["disturbed"]
    figure, (calls, latency) = plt.subplots(2, 1, sharex=True, figsize=(9, 5.4), height_ratios=(3, 2))
    times = _times(seen["sick"]["offered"])
    calls.step(times, _per_s(seen["sick"]["offered"]), color=OFFERED, where="post", lw=0.8, label="calls")
    calls.step(times, _per_s(seen["sick"]["good"]), color=GOOD, where="post", lw=1.2, label="good answers")
    calls.step(times, _per_s(seen["sick"]["bad"]), color=BAD, where="post", lw=0.8, label="refused or failed")
    calls.step(times, _per_s(seen["sick"]["arrived"]), color=SEEN, where="post", lw=1.2, label="seen by its backend")
    calls.set_ylabel("the sick service, 1/s")
    # All that hung end at once when it dies: that peak would flatten everything else.
    calls.set_ylim(0, 2 * max(_per_s(seen["sick"]["offered"])))
    figure.legend(loc="upper center", ncols=4, fontsize=8, frameon=False)
    latency.step(_times(seen["others"]["worst_ms"]), seen["others"]["worst_ms"], color=SEEN, where="post", lw=0.8)
    latency.set_ylabel("worst latency\nof the others, ms")
    latency.set_xlabel("seconds")
    latency.set_ylim(bottom=0)
    phases = (("slow", "slow_at_s", "dead_at_s", "#fdf3d8"), ("dead", "dead_at_s", "back_at_s", "#f8dedb"))
    for axis in (calls, latency):
        for name, begin, end, color in phases:
            axis.axvspan(seen[begin], seen[end], color=color, zorder=0)
            if axis is calls:
                axis.text(seen[begin], 1.02, name, transform=axis.get_xaxis_transform(), fontsize=9)
    calls.text(seen["back_at_s"], 1.02, "back", transform=calls.get_xaxis_transform(), fontsize=9)
    _save(figure, file, top=0.95)


def overload(samples: Samples, file: Path) -> None:
    """Draw goodput by load, and over time."""
    import matplotlib.pyplot as plt

    figure, (by_load, by_time) = plt.subplots(1, 2, figsize=(9, 3.6), width_ratios=(2, 3))
    # One load after the other, with guards and without: only these have the same loads.
    for name, color in (("guarded", GOOD), ("unguarded", BAD)):
        seen = samples.get(name)
        if seen is None:
            continue
        # What comes after the highest load shows the way back, in the other picture.
        highest = max(range(len(seen["steps"])), key=lambda number: seen["steps"][number]["load"])
        steps = seen["steps"][: highest + 1]
        by_load.plot([s["load"] for s in steps], [s["goodput"] for s in steps], "o-", ms=3, color=color, label=name)
        good = seen["series"]["good"]
        by_time.step(_times(good), _per_s(good), color=color, where="post", lw=0.8, label=name)
    offered = samples["guarded"]["series"]["offered"]
    by_time.step(_times(offered), _per_s(offered), color=OFFERED, where="post", lw=0.8, label="calls")
    by_load.set_xlabel("load, in what the backend can do")
    by_load.set_ylabel("answers in time, 1/s")
    by_load.set_ylim(bottom=0)
    by_load.legend(fontsize=8)
    by_time.set_xlabel("seconds")
    by_time.set_ylabel("good answers, 1/s")
    by_time.legend(fontsize=8)
    _save(figure, file)


def _times(values: Sequence[float]) -> list[float]:
    return [number * SLOT_S for number in range(len(values))]


def _per_s(counts: Sequence[float]) -> list[float]:
    return [count / SLOT_S for count in counts]


def _save(figure: Any, file: Path, *, top: float = 1.0) -> None:
    figure.tight_layout(rect=(0, 0, 1, top))
    # White, or a dark page would swallow the axes.
    figure.savefig(file, dpi=100, facecolor="white")


def main(report: str, folder: str) -> None:
    """Draw every picture that there are samples for."""
    samples = msgspec.json.decode(Path(report).read_bytes())["samples"]
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, drawn, file in (("sick", recovery, RECOVERY), ("overload", overload, OVERLOAD)):
        if name in samples:
            drawn(samples[name], Path(folder) / file)


if __name__ == "__main__":
    main(*sys.argv[1:])
