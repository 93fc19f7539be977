"""wrk, the load generator: one run, pinned away from the server, status and length of every answer checked by it.

Its scripts are in bench/wrk/.  Their check of each answer is too cheap to be seen beside the 6 to 12 µs that an answer
costs wrk anyhow.  What a run says is believed only as far as wrk had time to spare: see :attr:`Shot.busy_s`.
"""

from __future__ import annotations

import contextlib
import math
import resource
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import psutil

from bench.stack import pinned

__all__ = ["ECHO_BODY", "Expected", "GeneratorFailed", "Shot", "fire", "parse"]

SCRIPTS = Path(__file__).parent / "wrk"
#: What wrk posts to be echoed.
ECHO_BODY = (SCRIPTS / "echo.json").read_bytes()
#: An answer that takes longer counts as a timeout.
TIMEOUT_S = 10
#: Seconds beyond the length of a run that wrk may take to end.
_GRACE_S = 30.0


class GeneratorFailed(SystemExit):
    """wrk could not do what it should; ends a benchmark that cannot go on without the run."""


class Expected(msgspec.Struct, frozen=True):
    """A right answer, as far as wrk looks at each."""

    status: int
    length: int


class Shot(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of wrk measured."""

    requests: int
    took_us: int
    wrong_statuses: int = 0
    wrong_lengths: int = 0
    socket_errors: int = 0
    timeouts: int = 0
    p50_us: int
    p99_us: int
    #: Of a script that leaves the opening out: answers after it, and for how long they came.
    counted: int = 0
    counted_us: int = 0
    #: Processor seconds of wrk itself.
    busy_s: float = 0.0
    #: The share of its time in which wrk had its core, or wanted it and others had it: 1 leaves it no time to wait for
    #: answers.
    wanted_share: float = 0.0

    @property
    def rate(self) -> float:
        """Return answers a second; of the whole run where nothing came after the opening."""
        if self.counted_us:
            return 1e6 * self.counted / self.counted_us
        return 1e6 * self.requests / self.took_us

    @property
    def wrong(self) -> str:
        """Return what was wrong with answers, or an empty text."""
        if not self.requests:
            return "no answers"
        found = {
            "wrong statuses": self.wrong_statuses,
            "wrong lengths": self.wrong_lengths,
            "socket errors": self.socket_errors,
            "timeouts": self.timeouts,
        }
        return ", ".join(f"{count:,} {what}" for what, count in found.items() if count)


def fire(
    url: str,
    script: str,
    expected: Expected,
    *,
    connections: int,
    seconds: float,
    cpu: int,
    more: Sequence[str] = (),
) -> Shot:
    """Open *connections* at once and keep each busy for *seconds*; *more* is for the script."""
    argv = ["wrk", "-t1", f"-c{connections}", f"-d{math.ceil(seconds) + 1}s", f"--timeout={TIMEOUT_S}s"]
    argv += ["-s", script, url, "--", str(expected.status), str(expected.length), str(connections), *more]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began_at, stolen_s = time.monotonic(), _stolen_s(cpu)
    with pinned(cpu):
        wrk = subprocess.Popen(argv, cwd=SCRIPTS, stdout=subprocess.PIPE)
    with wrk:
        # wrk counts in whole seconds; interrupted, it ends its run in order and reports.
        with contextlib.suppress(subprocess.TimeoutExpired):
            wrk.wait(seconds)
        # Of the time until now alone: what it waits for after that, until it notices that it is to end, nobody sees.
        wanted_s = _wanted_s(wrk.pid) + _stolen_s(cpu) - stolen_s
        wanted_share = min(1.0, wanted_s / (time.monotonic() - began_at))
        wrk.send_signal(signal.SIGINT)
        try:
            output, _ = wrk.communicate(timeout=_GRACE_S)
        except subprocess.TimeoutExpired:
            wrk.kill()
            raise GeneratorFailed("wrk does not end") from None
    # wrk is the only child that ended meanwhile.
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return msgspec.structs.replace(parse(output), busy_s=used_s, wanted_share=wanted_share)


def _wanted_s(pid: int) -> float:
    """Return for how long a process ran or could have run, as far as the kernel keeps account of it."""
    wanted_ns = 0
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            ran_ns, waited_ns, _ = map(int, (task / "schedstat").read_text().split())
            wanted_ns += ran_ns + waited_ns
    return wanted_ns / 1e9


def _stolen_s(cpu: int) -> float:
    """Return for how long a core was another machine's on the same host: whoever ran on it seems to have slept then."""
    return float(psutil.cpu_times(percpu=True)[cpu].steal)


def parse(output: bytes) -> Shot:
    """Return what the scripts' last line says; wrk's own words are for people, in units that change."""
    lines = output.strip().splitlines()
    try:
        return msgspec.json.decode(lines[-1], type=Shot)
    except (IndexError, msgspec.DecodeError) as error:
        raise GeneratorFailed(f"wrk said nothing that can be read: {output.decode(errors='replace')}") from error
