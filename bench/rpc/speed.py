"""Calls a second: our client beside others and beside bare loops, each a process of its own on one core.

All speak to the same echo server (bench/rpc/echo.py), which has the other core; they take turns, and another one is
first in each round.  Ratios are of medians over the rounds of one run.
"""

from __future__ import annotations

import contextlib
import math
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import IO

import click
import msgspec

from bench.needs import CLIENTS, PEERS, missing
from bench.report import Report, median, spread
from bench.stack import GATEWAY_CPU, OTHERS_CPU, ROOT, busy_s, cpu_s, pinned

__all__ = ["CONTESTANTS", "Contestant", "EchoServer", "Failed", "Sample", "Speeds", "echo_server", "measure", "run"]

OURS = "ours"
#: What one run of a contestant may take beyond its seconds: the slowest imports a second long.
_GRACE_S = 30.0
#: Above this share of its core the echo server may be what limits; of both cores, others of the machine.
ECHO_FULL, STRANGERS_MAX = 0.90, 0.15


class Contestant(msgspec.Struct, frozen=True):
    """A client that bench/peers/rpc knows by name."""

    name: str
    title: str
    #: Ours must make this many times its calls; 0: told, not promised.
    goal: float = 0.0
    needs: tuple[str, ...] = ("http clients",)


CONTESTANTS: Mapping[str, Contestant] = {
    contestant.name: contestant
    for contestant in (
        Contestant(OURS, "Switchboard", needs=()),
        Contestant("ours_metered", "Switchboard, with metrics", needs=()),
        Contestant("geventhttpclient", "geventhttpclient", 2.0),
        Contestant("urllib3", "urllib3", 5.0),
        Contestant("requests", "requests"),
        Contestant("httpx", "httpx"),
        Contestant("httpx_asyncio", "httpx on asyncio"),
        Contestant("bare", "bare loop", 0.8, needs=()),
        Contestant("bare_watcher", "bare loop, lasting watcher", needs=()),
    )
}


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    calls: int
    wall_s: float
    #: Processor seconds of the client.
    cpu_s: float
    #: Shares of a core: of the echo server, and of everybody else on the machine.
    echo_share: float
    strangers_share: float

    @property
    def rate(self) -> float:
        """Return calls a second."""
        return self.calls / self.wall_s


class Failed(Exception):
    """A contestant could not be run, or answered wrongly; says what it said."""


class EchoServer:
    """The echo server's process."""

    def __init__(self) -> None:
        with pinned(OTHERS_CPU):
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bench.rpc.echo"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def cpu_s(self) -> float:
        """Return the processor seconds that it has used so far."""
        return cpu_s(self._process.pid)

    def stop(self) -> None:
        """End it: its stdin ends."""
        self._process.communicate(timeout=_GRACE_S)


class Speeds:
    """Samples by contestant, and who was thrown out; pure but for printing."""

    def __init__(self, contestants: Mapping[str, Contestant] = CONTESTANTS) -> None:
        self._contestants = contestants
        self.samples: dict[str, list[Sample]] = {}
        self.out: dict[str, str] = {}

    def rate(self, name: str) -> float:
        """Return the median of calls a second; nan, which keeps no promise, for who has none."""
        samples = self.samples.get(name, [])
        return median([sample.rate for sample in samples]) if samples and name not in self.out else math.nan

    def report(self, report: Report) -> None:
        """Put goals, notes and raw samples into *report*."""
        for name, contestant in self._contestants.items():
            if contestant.goal:
                measured = self.rate(OURS) / self.rate(name)
                report.goal(f"calls/s to those of {contestant.title}", contestant.goal, measured, "x")
        for name, reason in self.out.items():
            report.note(f"{self._contestants[name].title} is left out: {reason}")
        for name, samples in self.samples.items():
            echo = max(sample.echo_share for sample in samples)
            if echo > ECHO_FULL:
                report.note(
                    f"{self._contestants[name].title}: the echo server used up to {echo:.0%} of its core "
                    "and may have been the limit"
                )
        strangers = [s.strangers_share for each in self.samples.values() for s in each]
        if strangers and max(strangers) > STRANGERS_MAX:
            report.note(f"speed: disturbed: other processes used up to {max(strangers):.0%} of a core")
        report.add("speed", self.samples)

    def print(self) -> None:
        """Print the table."""
        click.echo("\nCalls, 64 greenlets, one core")
        for name, contestant in self._contestants.items():
            if name in self.out or name not in self.samples:
                click.echo(f"  {contestant.title:<28} {self.out.get(name, 'not run')}")
                continue
            samples = self.samples[name]
            rates = [sample.rate for sample in samples]
            cpu_us = median([1e6 * sample.cpu_s / sample.calls for sample in samples])
            echo = median([sample.echo_share for sample in samples])
            ratio = self.rate(OURS) / self.rate(name)
            compared = "" if name == OURS or math.isnan(ratio) else f"  ours: {ratio:.2f}x"
            click.echo(
                f"  {contestant.title:<28} {median(rates):>9,.0f}/s ({spread(rates)})  {cpu_us:.1f} µs a call"
                f"  echo server {echo:.0%}{compared}"
            )


def run(name: str, echo: EchoServer, *, warm_s: float, measured_s: float) -> Sample:
    """Run one contestant once; raise :exc:`Failed`."""
    argv = [sys.executable, str(PEERS / "rpc" / "caller.py"), name, str(echo.port), f"{warm_s}", f"{measured_s}"]
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{CLIENTS}"}
    with pinned(GATEWAY_CPU):
        process = subprocess.Popen(argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        ready = _line(process.stdout)
        if ready != b"ready":
            raise Failed(_wrong(ready))
        all_s, echo_s = busy_s(), echo.cpu_s()
        process.stdin.write(b"\n")
        process.stdin.flush()
        said = _line(process.stdout)
        echo_s = echo.cpu_s() - echo_s
        strangers_s = busy_s() - all_s - echo_s
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
        process.kill()
        process.communicate()
    try:
        found = msgspec.json.decode(said, type=dict[str, float])
        wall_s = found["wall_s"]
        return Sample(
            calls=int(found["calls"]),
            wall_s=wall_s,
            cpu_s=found["cpu_s"],
            echo_share=echo_s / wall_s,
            strangers_share=max(0.0, strangers_s - found["cpu_s"]) / wall_s,
        )
    except (msgspec.DecodeError, KeyError):
        raise Failed(_wrong(said)) from None


def _line(stream: IO[bytes]) -> bytes:
    return stream.readline().strip()


def _wrong(said: bytes) -> str:
    try:
        return msgspec.json.decode(said, type=dict[str, str])["wrong"]
    except (msgspec.DecodeError, KeyError):
        return f"said {said[:80]!r}"


@contextlib.contextmanager
def echo_server() -> Iterator[EchoServer]:
    """Run the echo server until the block ends."""
    echo = EchoServer()
    try:
        yield echo
    finally:
        echo.stop()


def measure(report: Report) -> None:
    """Let them take turns; a quick run has those that a goal names."""
    quick = report.quick
    names = [name for name, each in CONTESTANTS.items() if name == OURS or each.goal or not quick]
    rounds, warm_s, measured_s = (1, 0.2, 0.6) if quick else (5, 0.5, 2.0)
    speeds = Speeds()
    for name in names:
        lack = missing(CONTESTANTS[name].needs)
        if lack:
            speeds.out[name] = lack
    with echo_server() as echo, click.progressbar(length=rounds * len(names), label="speed  ") as progress:
        for number in range(rounds):
            for name in _turns(names, number):
                progress.update(1)
                if name in speeds.out:
                    continue
                try:
                    sample = run(name, echo, warm_s=warm_s, measured_s=measured_s)
                    speeds.samples.setdefault(name, []).append(sample)
                except Failed as error:
                    speeds.out[name] = str(error)
    speeds.print()
    speeds.report(report)


def _turns(names: Sequence[str], number: int) -> list[str]:
    first = number % len(names)
    return [*names[first:], *names[:first]]
