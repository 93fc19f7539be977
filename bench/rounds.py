"""The rounds of bench.server: contestants take turns, each checked, warmed up, measured, checked again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click

from bench.answers import WrongAnswer
from bench.contestants import CONTESTANTS, Contestant, Running, command, run
from bench.keys import Keys
from bench.lines import Line
from bench.needs import NEEDS, Need, missing
from bench.sampling import Pace, sampled
from bench.standings import Standings

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

    def command(self, name: str, port: int) -> tuple[list[str], dict[str, str]]:
        """Return the command that has a contestant serve on *port*, and its environment."""
        return command(self.contestants[name], port, self._env)


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
            pace = Pace(warm_s=self._plan.warm_s, measured_s=self._plan.measured_s)
            self.standings.add(line, name, sampled(line, server, self._keys, self._postgres_pid, pace))
        except WrongAnswer as error:
            self.standings.throw_out(line, name, str(error))
