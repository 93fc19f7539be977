"""What the rounds of bench.chat say together: medians, ratios of medians, who was thrown out, what was the limit.

Pure but for printing.  Who answered one message of a speed line wrongly, twice or not at all counts no more on it.
What happens to redeliveries and bursts is counted, and throws nobody out; nor does order at a fixed rate, where two
messages of a conversation may be on their way at once, over two connections.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

import click
import msgspec

from bench.chat.checker import Verdict
from bench.chat.contestants import CEILING, CONTESTANTS, OURS, Contestant
from bench.report import Report, median, spread

__all__ = ["CLOSED", "COMMON", "LINES", "OTHERS_FULL", "OWN_FULL", "SCENES", "Sample", "Standings"]

#: The speed lines, by name; and the scenes in which faults are counted.
CLOSED, COMMON, HALF, MOST = "closed", "common", "half", "most"
LINES: Mapping[str, str] = {
    CLOSED: "64 turns under way, 500 conversations",
    COMMON: "300 messages a second",
    HALF: "half of what each does",
    MOST: "four fifths of what each does",
}
SCENES: Mapping[str, str] = {
    "repeats": "each message delivered three times",
    "bursts": "ten messages at once in a conversation",
}
TURNS_GOAL = 3.0
#: Above this share of a core, what others do on the machine is in the numbers.
STRANGERS_MAX = 0.15
#: The other core is the limit when it has no time left while the contestant's has this much.
OTHERS_FULL, OWN_FULL = 0.95, 0.90
#: At a fixed rate a hundredth of all messages may leave so much later than meant: timers are of milliseconds.
LATE_MS_MAX = 5.0


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One measured run of a speed line."""

    #: Turns a second; and what was asked for, where a rate was.
    rate: float
    asked_rate: float = 0.0
    p50_ms: float
    p99_ms: float
    #: How much later than meant messages left, at a fixed rate: that is in the latencies, and the generator's own.
    late_p99_ms: float = 0.0
    #: Processor microseconds a turn of each of the contestant's own processes, and of its stores.
    own_us: tuple[float, ...]
    postgres_us: float = 0.0
    redis_us: float = 0.0
    #: Shares of a core, from 0 to 1.
    own_share: float
    outside_share: float
    stores_share: float = 0.0
    #: What everybody else on the machine used of the two cores.
    strangers_share: float = 0.0

    @property
    def turn_us(self) -> float:
        """Return the processor microseconds of all of its own processes for a turn."""
        return sum(self.own_us)

    @property
    def limit(self) -> str:
        """Return what else than the contestant was the limit, or an empty text."""
        if self.late_p99_ms > LATE_MS_MAX:
            return f"limited by the generator: a hundredth of all messages left {self.late_p99_ms:,.0f} ms late or more"
        if self.asked_rate or self.own_share >= OWN_FULL:
            return ""
        if self.outside_share >= OTHERS_FULL:
            return "limited by the generator"
        # They share a core.
        if self.outside_share + self.stores_share >= OTHERS_FULL:
            return "limited by its stores, which share a core with the generator"
        return ""


class Standings:
    """Collects samples by line and contestant, and what was counted by scene and contestant."""

    def __init__(self, contestants: Mapping[str, Contestant] = CONTESTANTS) -> None:
        self._contestants = contestants
        self.samples: dict[str, dict[str, list[Sample]]] = {line: {} for line in LINES}
        self.counted: dict[str, dict[str, Verdict]] = {scene: {} for scene in SCENES}
        self.out: dict[tuple[str, str], str] = {}
        self._swapped: Counter[tuple[str, str]] = Counter()

    def add(self, line: str, name: str, sample: Sample, verdict: Verdict) -> None:
        """Keep what a run measured, if each of its messages was answered once and rightly."""
        if verdict.disqualifies:
            self.throw_out(line, name, f"{verdict.disqualifies} of {verdict.asked:,} messages")
        else:
            self.samples[line].setdefault(name, []).append(sample)
            self._swapped[line, name] += verdict.swapped

    def count(self, scene: str, name: str, verdict: Verdict) -> None:
        """Keep what became of a scene's messages."""
        before = self.counted[scene].get(name)
        self.counted[scene][name] = verdict if before is None else before + verdict

    def throw_out(self, line: str, name: str, reason: str) -> None:
        """Forget what a contestant reached on a line, and say why."""
        self.out.setdefault((line, name), reason)

    def is_out(self, line: str, name: str) -> bool:
        """Whether it need not be asked any more."""
        return (line, name) in self.out

    def of(self, line: str, name: str) -> list[Sample]:
        """Return what counts."""
        return [] if self.is_out(line, name) else self.samples[line].get(name, [])

    def median(self, line: str, name: str, what: str) -> float:
        """Return a median over the rounds; nan, which keeps no promise, for who has none."""
        samples = self.of(line, name)
        return median([getattr(sample, what) for sample in samples]) if samples else math.nan

    def best(self, line: str, what: str) -> float:
        """Return the best median of the others; the ceiling, which promises nothing, is none of them."""
        others = [name for name in self._contestants if name not in {OURS, CEILING} and self.of(line, name)]
        medians = [self.median(line, name, what) for name in others]
        return (max if what == "rate" else min)(medians, default=math.nan)

    def report(self, report: Report) -> None:
        """Put goals, notes and raw samples into *report*."""
        turns = self.median(CLOSED, OURS, "rate") / self.best(CLOSED, "rate")
        report.goal("turns/s to those of the best of the others", TURNS_GOAL, turns, "x")
        p99 = self.median(COMMON, OURS, "p99_ms") / self.best(COMMON, "p99_ms")
        report.goal("p99 at 300/s to that of the best of the others", 1.0, p99, "x", "most")
        for scene, title in SCENES.items():
            ours = self.counted[scene].get(OURS)
            faults = math.nan if ours is None else ours.lost + ours.doubled + ours.swapped + ours.wrong + ours.refused
            report.goal(f"{title}: faults of ours", 0, faults, "messages", "most")
        for (line, name), reason in self.out.items():
            report.note(f"{LINES[line]}: {self._contestants[name].title} is left out: {reason}")
        for (line, name), count in self._swapped.items():
            if count and not self.is_out(line, name):
                report.note(f"{LINES[line]}: {self._contestants[name].title}: {count:,} answers out of order")
        for line, samples in self.samples.items():
            for name in samples:
                limits = [sample.limit for sample in self.of(line, name) if sample.limit]
                if limits:
                    report.note(f"{LINES[line]}: {self._contestants[name].title}: {limits[0]}, {len(limits)} runs")
        strangers = [each.strangers_share for line in self.samples.values() for own in line.values() for each in own]
        disturbed = [share for share in strangers if share > STRANGERS_MAX]
        if disturbed:
            report.note(
                f"disturbed: beside {len(disturbed)} of {len(strangers)} runs other processes used up to "
                f"{max(disturbed):.0%} of a core"
            )
        report.add("lines", self.samples)
        report.add("scenes", self.counted)

    def print(self) -> None:
        """Print the tables."""
        for line, title in LINES.items():
            if self.samples[line]:
                click.echo(f"\n{title}")
                for name in self._contestants:
                    self._print_sample(line, name)
        for scene, title in SCENES.items():
            if self.counted[scene]:
                click.echo(f"\n{title}")
                for name, verdict in self.counted[scene].items():
                    found = verdict.faults or "each answered once, in order"
                    click.echo(f"  {self._contestants[name].title:<32} {verdict.asked:>6,} messages: {found}")

    def _print_sample(self, line: str, name: str) -> None:
        title, samples = self._contestants[name].title, self.of(line, name)
        if not samples:
            if self.is_out(line, name):
                click.echo(f"  {title:<32} {self.out[line, name]}")
            return
        own = " + ".join(f"{median(each):.0f}" for each in zip(*(sample.own_us for sample in samples), strict=True))
        stores = self.median(line, name, "postgres_us"), self.median(line, name, "redis_us")
        beside = f", PostgreSQL {stores[0]:.0f}, Redis {stores[1]:.0f}" if any(stores) else ""
        click.echo(
            f"  {title:<32} {self.median(line, name, 'rate'):>7,.0f}/s ({spread([each.rate for each in samples])})"
            f"  p50 {self.median(line, name, 'p50_ms'):.1f} ms  p99 {self.median(line, name, 'p99_ms'):.1f} ms"
            f" ({spread([each.p99_ms for each in samples])})  {own} µs a turn{beside}"
        )
