"""The rounds of bench.chat: contestants take turns, each started anew, warmed up, measured and watched."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import click
import msgspec

from bench.chat.contestants import CONTESTANTS, HOOK, Contestant, Running, run
from bench.chat.scenes import BURST, Order, Outcome, Played
from bench.chat.stage import Outside
from bench.chat.standings import CLOSED, COMMON, HALF, LINES, MOST, Sample, Standings
from bench.needs import NEEDS, Need, missing
from bench.stack import busy_s
from gateway.embedded.errors import StartFailed

__all__ = ["COMMON_RATE", "Plan", "Rounds"]

#: Messages a second that all contestants can answer.
COMMON_RATE = 300.0
#: Messages made before the first closed loop; before the next, half as many again as the last one took.
_FIRST_MESSAGES = 2_000


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What one run measures, and how long."""

    names: tuple[str, ...]
    rounds: int = 5
    warm_s: float = 6.0
    measured_s: float = 4.0
    lines: tuple[str, ...] = tuple(LINES)
    #: Messages of the scene "repeats", and bursts of ten of "bursts".
    repeats: int = 200
    bursts: int = 50
    #: How long answers are waited for that do not come, and doubles that may.
    idle_max_s: float = 5.0
    doubles_s: float = 0.3

    def order_of(self, number: int) -> Iterator[str]:
        """Return who comes when in a round: another one first in each."""
        first = number % len(self.names)
        yield from self.names[first:] + self.names[:first]


class Rounds:
    """Measures what a plan says."""

    def __init__(
        self,
        plan: Plan,
        outside: Outside,
        *,
        contestants: Mapping[str, Contestant] = CONTESTANTS,
        needs: Mapping[str, Need] = NEEDS,
    ) -> None:
        self.standings = Standings(contestants)
        self._plan = plan
        self._outside = outside
        self._contestants = contestants
        self._needs = needs

    def run(self) -> None:
        """Run all of them."""
        for name in self._plan.names:
            if lack := missing(self._contestants[name].needs, self._needs):
                self._leave_out(name, lack)
        turns = self._plan.rounds * len(self._plan.names)
        with click.progressbar(length=turns, label="turns  ", item_show_func=str) as progress:
            for number in range(self._plan.rounds):
                for name in self._plan.order_of(number):
                    progress.update(1, f"round {number + 1}, {name}")
                    self._take_turn(name)

    def _leave_out(self, name: str, reason: str) -> None:
        for line in self._plan.lines:
            self.standings.throw_out(line, name, reason)

    def _take_turn(self, name: str) -> None:
        if all(self.standings.is_out(line, name) for line in self._plan.lines):
            return
        try:
            with run(
                self._contestants[name], assistant=self._outside.assistant, slack=self._outside.slack
            ) as running:
                self._measure(name, running)
        except StartFailed as error:
            self._leave_out(name, str(error))

    def _measure(self, name: str, running: Running) -> None:
        plan, standings = self._plan, self.standings
        warm = self._play(running, scene="closed", seconds=plan.warm_s, messages=_FIRST_MESSAGES)
        rate = warm.turns / plan.warm_s
        for line in plan.lines:
            if standings.is_out(line, name):
                continue
            sample, outcome = self._sampled(line, running, rate)
            standings.add(line, name, sample, outcome.verdict)
            if line == CLOSED:
                rate = sample.rate
        counted: tuple[tuple[Played, int], ...] = (("repeats", plan.repeats), ("bursts", plan.bursts * BURST))
        for scene, messages in counted:
            standings.count(scene, name, self._play(running, scene=scene, messages=messages).verdict)

    def _sampled(self, line: str, running: Running, rate: float) -> tuple[Sample, Outcome]:
        """Play a speed line; *rate* is what the contestant did in the last closed loop."""
        seconds = self._plan.measured_s
        asked_rate = {CLOSED: 0.0, COMMON: COMMON_RATE, HALF: 0.5 * rate, MOST: 0.8 * rate}[line]
        began = time.perf_counter()
        before = busy_s(), running.cpu_s(), running.stores_cpu_s()
        if line == CLOSED:
            messages = int(1.5 * rate * seconds)
            outcome = self._play(running, scene="closed", seconds=seconds, messages=messages)
        else:
            outcome = self._play(running, scene="rate", seconds=seconds, rate=max(1.0, asked_rate))
        all_s = busy_s() - before[0]
        own_s = [now - then for now, then in zip(running.cpu_s(), before[1], strict=True)]
        stores_s = [now - then for now, then in zip(running.stores_cpu_s(), before[2], strict=True)]
        answered = max(1, outcome.verdict.asked - outcome.verdict.lost)
        strangers_s = all_s - sum(own_s) - sum(stores_s) - outcome.spent_s
        sample = Sample(
            rate=outcome.turns / outcome.took_s,
            asked_rate=asked_rate,
            p50_ms=outcome.p50_ms,
            p99_ms=outcome.p99_ms,
            late_p99_ms=outcome.late_p99_ms,
            own_us=tuple(1e6 * each / answered for each in own_s),
            postgres_us=1e6 * stores_s[0] / answered,
            redis_us=1e6 * stores_s[1] / answered,
            own_share=sum(own_s) / outcome.took_s,
            outside_share=outcome.busy_s / outcome.took_s,
            stores_share=sum(stores_s) / outcome.took_s,
            strangers_share=max(0.0, strangers_s / (time.perf_counter() - began)),
        )
        return sample, outcome

    def _play(
        self, running: Running, *, scene: Played, seconds: float = 0.0, rate: float = 0.0, messages: int = 0
    ) -> Outcome:
        return self._outside.play(
            Order(
                scene=scene,
                port=running.port,
                path=HOOK,
                seconds=seconds,
                rate=rate,
                messages=messages,
                idle_max_s=self._plan.idle_max_s,
                doubles_s=self._plan.doubles_s,
            )
        )
