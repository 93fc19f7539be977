"""``python -m bench.locust``: 2,000 conversations at once with a deployment of its own, by one generator core.

Every message is signed as its platform signs it, at a fixed rate; every answer is looked at.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.chat.contestants import Running
from bench.contestants import free_port
from bench.locust.outside import outside
from bench.locust.stack import certificates, deployment, told
from bench.locust.summary import Summary
from bench.locust.watch import LATE_START_S_MAX, SHARE_MAX
from bench.needs import missing, peer_folder
from bench.report import Report
from bench.stack import OTHERS_CPU, ROOT, busy_s, cpu_s, pin_to_others, pinned

CONVERSATIONS = 2_000
RATE = 250.0
#: Seconds of speaking, beyond those until everybody is there.
SECONDS, QUICK_SECONDS = 60.0, 20.0
_SPAWNED_PER_S = 500
#: For everything but speaking: starting, pages, late answers.
_OTHERS_S_MAX = 120.0
#: Of the rate that is asked for, so much must leave.
KEPT_MIN = 0.95
#: Whoever is none of this run; above this share of a core they are in the numbers.
_STRANGERS, STRANGERS_MAX = "strangers", 0.15
_LOOK_S = 0.5
_WORDS_CHARS_MAX = 4_000


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m bench.locust", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="within 60 s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write goals and raw samples")
    parser.add_argument("--users", type=int, default=CONVERSATIONS, help=f"conversations at once ({CONVERSATIONS:,})")
    parser.add_argument("--rate", type=float, default=RATE, help=f"messages a second ({RATE:g})")
    options = parser.parse_args()
    for name in ("users", "rate"):
        if not 0 < (value := getattr(options, name)) < float("inf"):
            parser.error(f"expected --{name} to be more than 0, got {value:g}")
    if lack := missing(("locust", "uvloop")):
        raise SystemExit(lack)
    report = Report("bench.locust", quick=options.quick)
    seconds = QUICK_SECONDS if options.quick else SECONDS
    pin_to_others()
    with tempfile.TemporaryDirectory(prefix="bench-locust-") as name:
        home, port = Path(name), free_port()
        with (
            outside(certificates(home)) as around,
            deployment(home, assistant=around.assistant, stand_in=f"http://127.0.0.1:{port}") as running,
        ):
            found, beside = load(running, home, port, users=options.users, rate=options.rate, seconds=seconds)
    conclude(report, found, beside)
    report.print()
    report.write(options.json)


def load(
    running: Running,
    home: Path,
    stand_in_port: int,
    *,
    users: int,
    rate: float,
    seconds: float,
    more: Sequence[str] = (),
) -> tuple[Summary, dict[str, float]]:
    """Let locust speak; return what it found, and which share of a core others used meanwhile."""
    written = home / "summary.json"
    argv = [
        sys.executable, "-m", "locust", "-f", str(ROOT / "bench" / "locust" / "conversations.py"), "--headless",
        "--only-summary", "--loglevel", "WARNING", "--host", f"http://127.0.0.1:{running.port}", "-u", str(users),
        "-r", str(_SPAWNED_PER_S), "--rate", str(rate), "--seconds", str(seconds), "--report", str(written),
        *more,
    ]  # fmt: skip
    env = {**os.environ, **told(home, stand_in_port), "PYTHONPATH": f"{ROOT}:{peer_folder('locust')}"}
    # Its tables are for who runs it alone.
    log_file = home / "locust.log"
    with pinned(OTHERS_CPU), log_file.open("wb") as log:
        process = subprocess.Popen(argv, cwd=ROOT, env=env, stdout=log, stderr=log)
    looks: list[tuple[float, ...]] = []
    deadline = time.monotonic() + seconds + _OTHERS_S_MAX
    try:
        while process.poll() is None:
            if time.monotonic() > deadline:
                raise SystemExit(f"locust does not end:\n{_said(log_file)}")
            own_s = running.cpu_s(), running.stores_cpu_s()
            # All of this run's, the assistant and this process itself too, are children of this one.
            strangers_s = busy_s() - cpu_s(os.getpid())
            looks.append((time.perf_counter(), *own_s[0], *own_s[1], strangers_s))
            time.sleep(_LOOK_S)
    finally:
        process.kill()
        process.wait()
    if not written.exists():
        raise SystemExit(f"locust ended with status {process.returncode}:\n{_said(log_file)}")
    found = msgspec.json.decode(written.read_bytes(), type=Summary)
    return found, _beside(found, looks)


def _said(log_file: Path) -> str:
    return log_file.read_text(errors="replace")[-_WORDS_CHARS_MAX:]


def _beside(found: Summary, looks: list[tuple[float, ...]]) -> dict[str, float]:
    """Return the shares of a core that the deployment's processes, and strangers, used while messages left."""
    end_s = found.began_s + found.generator.took_s
    during = [look for look in looks if found.began_s <= look[0] <= end_s]
    if len(during) < 2:
        return {}
    first, last = during[0], during[-1]
    used = [(b - a) / (last[0] - first[0]) for a, b in zip(first[1:], last[1:], strict=True)]
    return dict(zip(("gateway", "worker", "postgres", "redis", _STRANGERS), used, strict=True))


def conclude(report: Report, found: Summary, beside: dict[str, float]) -> None:
    """Hold what was found against what was promised; *beside*: the shares of a core that the deployment used."""
    own, late_ms = found.generator, 1e3 * found.generator.late_p99_s
    report.goal(
        f"generator's time in which it was busy, {found.conversations:,} conversations at {found.rate:,.0f}/s",
        SHARE_MAX, own.busy_share, "", "most",
    )  # fmt: skip
    report.goal("a hundredth of all messages left later than meant by", 1e3 * LATE_START_S_MAX, late_ms, "ms", "most")
    # Who cannot speak because the message before is not taken yet speaks less: that run is easier than it says.
    report.goal("messages that left, of those that were meant to", KEPT_MIN, found.rate / found.asked_rate, "")
    report.goal("messages lost, doubled, swapped, wrong or refused", 0, found.faults, "messages", "most")
    for name, one in found.channels.items():
        report.note(f"{name}: {one.text}")
    if found.messages:
        report.note(f"generator: {own.text}")
    if beside:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in beside.items() if name != _STRANGERS)
        report.note(f"of a core meanwhile: {shares}; gateway and worker share one, the others the generator's")
        if beside[_STRANGERS] > STRANGERS_MAX:
            report.note(f"disturbed: other processes used {beside[_STRANGERS]:.0%} of a core")
    for line in (*found.advice, *([found.limit] if found.limit else [])):
        report.note(line)
    report.add("summary", msgspec.to_builtins(found))
    report.add("limit", found.limit)
    report.add("beside", beside)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("interrupted: nothing is reported of a run that has no end") from None
