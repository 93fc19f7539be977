"""``python -m bench.server``: our worker beside gunicorn's own, Falcon, Node and Fastify, on one core each.

Every round starts its contestants anew and lets them take turns line by line: checked, warmed up, measured, checked
again.  Ratios are of medians over the rounds of one run; numbers of different runs do not compare.
"""

from __future__ import annotations

import argparse
import math
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click

from bench.answers import WrongAnswer
from bench.connections import ECHO, STREAM, growth_per_connection, raise_descriptors, time_of_one_event
from bench.contestants import CONTESTANTS, OURS, Running, run
from bench.generator import fire
from bench.keys import Keys
from bench.lines import LINES, Line
from bench.needs import missing
from bench.report import Report, median
from bench.stack import OTHERS_CPU, ROOT, cpu_s, durable_stores, pin_to_others
from bench.standings import Sample, Standings

FIRST_PORT = 18_500
#: Ports of one round: those of the round before have connections that the kernel still remembers.
PORTS_A_ROUND = 16
CONNECTIONS, STREAMS_TOLD = 10_000, 15_000
#: Descriptors that the benchmark needs beside connections.
OTHER_DESCRIPTORS = 200
IDLE_GOAL_KB, STREAM_GOAL_KB, EVENT_GOAL_S = 3.0, 4.0, 1.0
MEMORY = ("idle", "streams")

#: A gateway must have somebody to answer.  Nobody comes.
SETTINGS = """
[assistants.nobody]
kind = "http"
url = "http://127.0.0.1:9/turn"
signing_secrets = ["env:BENCH_SECRET"]

[accounts.webchat.nobody]
assistant = "nobody"
cookie_secrets = ["env:BENCH_SECRET"]
"""


class Plan:
    """What one run measures, and how long."""

    def __init__(self, only: Sequence[str], *, quick: bool) -> None:
        self.lines = [line for line in LINES.values() if line.name in only]
        self.memory = [name for name in MEMORY if name in only]
        self.quick = quick
        self.rounds = 1 if quick else 5
        self.memory_rounds = 1 if quick else 3
        self.warm_s, self.measured_s = (0.3, 0.9) if quick else (2.0, 4.0)

    def contestants(self, line: Line) -> list[str]:
        """Return who takes part; in a quick run, whom a promise names."""
        named = {line.ours, *(promise.to for promise in line.promises)}
        return [name for name in line.contestants if name in named or not self.quick]

    def memory_contestants(self) -> list[str]:
        """Return whose memory is measured."""
        return [OURS] if self.quick else [OURS, "fastify", "node", "falcon"]


class Bench:
    """A run: stores, standings, and what is left out."""

    def __init__(
        self, plan: Plan, env: Mapping[str, str], keys: Keys, postgres_pid: int, folder: Path
    ) -> None:
        self.plan = plan
        self.standings = Standings()
        self._env = env
        self._keys = keys
        self._postgres_pid = postgres_pid
        self._folder = folder
        self._round = 0
        self._lacks: dict[str, str] = {}

    def measure_lines(self) -> None:
        """Run all rounds."""
        for line in self.plan.lines:
            for name in self.plan.contestants(line):
                lack = self._lack(name)
                if lack:
                    self.standings.throw_out(line, name, lack)
        runs = sum(len(self.plan.contestants(line)) for line in self.plan.lines) * self.plan.rounds
        with click.progressbar(
            length=runs, label="lines ", item_show_func=lambda item: item or ""
        ) as progress:
            for number in range(self.plan.rounds):
                names = {name for line in self.plan.lines for name in self.plan.contestants(line)}
                with run(self._ports(sorted(names)), self._env, self._folder) as running:
                    for line, name in self._turns(number):
                        progress.update(1, f"{line.name} {name}")
                        self._take_turn(line, name, running.get(name))

    def measure_memory(self, report: Report) -> None:
        """Measure what connections cost."""
        grown: dict[str, dict[str, list[float]]] = {"idle": {}, "streams": {}, "event": {}}
        names = [name for name in self.plan.memory_contestants() if not self._lack(name)]
        with click.progressbar(names * self.plan.memory_rounds, label="memory") as progress:
            for name in progress:
                # A process for each: what one measurement leaves behind is not to be the next one's.
                for what in self.plan.memory:
                    for key, value in self._of_connections(name, what):
                        grown[key].setdefault(name, []).append(value)
        report.add("memory", grown)
        asked = {"idle"} & set(self.plan.memory) | (
            {"streams", "event"} if "streams" in self.plan.memory else set()
        )
        goals = {
            "idle": ("idle connection, PSS", IDLE_GOAL_KB, "KB"),
            "streams": ("held stream, PSS", STREAM_GOAL_KB, "KB"),
            "event": (f"one event to {STREAMS_TOLD:,} streams", EVENT_GOAL_S, "s"),
        }
        for key, (title, goal, unit) in goals.items():
            if key in asked:
                ours = grown[key].get(OURS)
                report.goal(title, goal, median(ours) if ours else math.nan, unit, "most")
                for name, values in grown[key].items():
                    report.note(f"{title}: {CONTESTANTS[name].title} {median(values):.2f} {unit}")

    def _of_connections(self, name: str, what: str) -> Iterator[tuple[str, float]]:
        if what == "streams" and name == "falcon":
            return
        with run(self._ports([name]), self._env, self._folder) as running:
            if name not in running:
                return
            try:
                request = ECHO if what == "idle" else STREAM
                yield what, growth_per_connection(running[name], request, CONNECTIONS) / 1024
                if what == "streams":
                    yield "event", time_of_one_event(running[name], STREAMS_TOLD)
            except OSError as error:
                click.echo(f"\n{name}, {what}: {error}", err=True)

    def _turns(self, number: int) -> Iterator[tuple[Line, str]]:
        """Return one round's runs; who comes first changes from round to round."""
        for line in self.plan.lines:
            names = self.plan.contestants(line)
            first = number % len(names)
            for name in names[first:] + names[:first]:
                yield line, name

    def _take_turn(self, line: Line, name: str, server: Running | None) -> None:
        if self.standings.is_out(line, name):
            return
        if server is None:
            self.standings.throw_out(line, name, "it did not start")
            return
        try:
            self.standings.add(line, name, self._measure(line, server))
        except WrongAnswer as error:
            self.standings.throw_out(line, name, str(error))

    def _measure(self, line: Line, server: Running) -> Sample:
        expected = line.check(server.port, self._keys)
        url = f"http://127.0.0.1:{server.port}{line.path}"
        for seconds in (self.plan.warm_s, self.plan.measured_s):
            server_s, postgres_s = server.cpu_s(), cpu_s(self._postgres_pid)
            shot = fire(
                url, line.script, expected, connections=line.connections, seconds=seconds, cpu=OTHERS_CPU
            )
            if shot.wrong:
                raise WrongAnswer(shot.wrong)
        server_s, postgres_s = server.cpu_s() - server_s, cpu_s(self._postgres_pid) - postgres_s
        if line.check(server.port, self._keys) != expected:
            raise WrongAnswer("its answers look different after a run")
        took_s = shot.took_us / 1e6
        return Sample(
            rate=shot.rate,
            p50_ms=shot.p50_us / 1e3,
            p99_ms=shot.p99_us / 1e3,
            server_us=1e6 * server_s / shot.requests,
            server_share=server_s / took_s,
            generator_share=shot.busy_s / took_s,
            postgres_share=postgres_s / took_s,
        )

    def _lack(self, name: str) -> str:
        if name not in self._lacks:
            self._lacks[name] = missing(CONTESTANTS[name].needs)
        return self._lacks[name]

    def _ports(self, names: Sequence[str]) -> dict[str, int]:
        first = FIRST_PORT + self._round * PORTS_A_ROUND
        self._round += 1
        return {name: first + number for number, name in enumerate(names) if not self._lacks.get(name)}


def main() -> None:
    """Run it."""
    known = [*LINES, *MEMORY]
    parser = argparse.ArgumentParser(prog="python -m bench.server", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="within 60 s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write goals and raw samples")
    parser.add_argument("--only", default=",".join(known), metavar="NAME,...", help=", ".join(known))
    options = parser.parse_args()
    only = options.only.split(",")
    strangers = [name for name in only if name not in known]
    if strangers:
        parser.error(f"expected --only to name some of {', '.join(known)}, got {', '.join(strangers)}")
    lack = missing(("wrk",))
    if lack:
        raise SystemExit(lack)
    if raise_descriptors() < STREAMS_TOLD + OTHER_DESCRIPTORS:
        raise SystemExit(f"needs {STREAMS_TOLD + OTHER_DESCRIPTORS:,} descriptors: raise `ulimit -n`")
    plan = Plan(only, quick=options.quick)
    report = Report("bench.server", quick=options.quick)
    pin_to_others()
    with durable_stores() as (postgres, redis, postgres_pid), tempfile.TemporaryDirectory() as folder:
        env = _environment(postgres.url(), redis.url, Path(folder))
        keys = Keys(postgres.url())
        keys.fill()
        bench = Bench(plan, env, keys, postgres_pid, Path(folder))
        bench.measure_lines()
        for line in plan.lines:
            bench.standings.print(line)
            bench.standings.report(line, report)
        if plan.memory:
            bench.measure_memory(report)
        keys.close()
    report.print()
    report.write(options.json)


def _environment(database_url: str, redis_url: str, folder: Path) -> dict[str, str]:
    """Return what every contestant's environment has."""
    config = folder / "switchboard.toml"
    config.write_text(SETTINGS)
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "SWITCHBOARD_CONFIG": str(config),
        "SWITCHBOARD_HOME": str(folder),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "BENCH_SECRET": "whsec_YS1zZWNyZXQtb2YtdGhlLWJlbmNobWFyay13aXRoLTMyLWI=",
        "NODE_ENV": "production",
    }


if __name__ == "__main__":
    main()
