"""The rounds of bench.server: contestants take turns, each checked, warmed up, measured, checked again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click

from bench.answers import WrongAnswer
from bench.contestants import CONTESTANTS, Contestant, Running, run
from bench.generator import fire
from bench.keys import Keys
from bench.lines import Line
from bench.needs import NEEDS, Need, missing
from bench.stack import OTHERS_CPU, busy_s, cpu_s
from bench.standings import Sample, Standings

__all__ = ["Field", "Plan", "Rounds"]


class Plan:
    """What one run measures, and how long."""

    def __init__(
        self,
        lines: Sequence[Line],
        *,
        quick: bool,
        rounds: int = 5,
        warm_s: float = 2.0,
        measured_s: float = 4.0,
    ) -> None:
        self.lines = lines
        self.quick = quick
        self.rounds = rounds
        self.warm_s = warm_s
        self.measured_s = measured_s

    def taking_part(self, line: Line) -> list[str]:
        """Return who takes part; in a quick run, whom a promise names."""
        named = {line.ours, *(promise.to for promise in line.promises)}
        return [name for name in line.contestants if name in named or not self.quick]

    def turns(self, number: int) -> Iterator[tuple[Line, str]]:
        """Return the runs of a round; who comes first changes from round to round."""
        for line in self.lines:
            names = self.taking_part(line)
            first = number % len(names)
            for name in names[first:] + names[:first]:
                yield line, name


class Field:
    """Starts contestants, those whose needs are met; everything about the machine is here."""

    def __init__(
        self,
        env: Mapping[str, str],
        folder: Path,
        *,
        contestants: Mapping[str, Contestant] = CONTESTANTS,
        needs: Mapping[str, Need] = NEEDS,
    ) -> None:
        self.contestants = contestants
        self._needs = needs
        self._env = env
        self._folder = folder
        self._lacks: dict[str, str] = {}

    def lack(self, name: str) -> str:
        """Return what a contestant lacks and how to get it, or an empty text."""
        if name not in self._lacks:
            self._lacks[name] = missing(self.contestants[name].needs, self._needs)
        return self._lacks[name]

    def start(self, names: Sequence[str]) -> contextlib.AbstractContextManager[dict[str, Running]]:
        """Run those of *names* that can run, until the block ends."""
        able = [self.contestants[name] for name in names if not self.lack(name)]
        return run(able, self._env, self._folder)


class Rounds:
    """Measures the lines of a plan."""

    def __init__(self, plan: Plan, field: Field, keys: Keys, postgres_pid: int) -> None:
        self.standings = Standings(field.contestants)
        self._plan = plan
        self._field = field
        self._keys = keys
        self._postgres_pid = postgres_pid

    def run(self) -> None:
        """Run all of them."""
        for line, name in self._plan.turns(0):
            lack = self._field.lack(name)
            if lack:
                self.standings.throw_out(line, name, lack)
        names = sorted({name for _, name in self._plan.turns(0)})
        turns = len(list(self._plan.turns(0))) * self._plan.rounds
        with click.progressbar(length=turns, label="lines ", item_show_func=str) as progress:
            for number in range(self._plan.rounds):
                # Anew in each round: where a process happens to lie in memory is part of its speed.
                with self._field.start(names) as running:
                    for line, name in self._plan.turns(number):
                        progress.update(1, f"{line.name} {name}")
                        self._take_turn(line, name, running.get(name))

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
        for seconds in (self._plan.warm_s, self._plan.measured_s):
            all_s, server_s, postgres_s = busy_s(), server.cpu_s(), cpu_s(self._postgres_pid)
            shot = fire(
                url,
                line.script,
                expected,
                connections=line.connections,
                seconds=seconds * line.longer,
                cpu=OTHERS_CPU,
            )
            server_s, postgres_s = server.cpu_s() - server_s, cpu_s(self._postgres_pid) - postgres_s
            strangers_s = busy_s() - all_s - server_s - postgres_s - shot.busy_s
            if shot.wrong:
                raise WrongAnswer(shot.wrong)
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
            strangers_share=max(0.0, strangers_s / took_s),
        )
