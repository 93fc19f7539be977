"""What the rounds of bench.server say together: medians, ratios of medians, who was thrown out, what was the limit.

Pure but for printing: samples in, goals out.  A contestant whose answers were wrong once counts no more on that line,
whatever it had reached before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import click
import msgspec

from bench.contestants import CONTESTANTS, Contestant
from bench.lines import Line, Promise
from bench.report import Report, median, spread

__all__ = ["Sample", "Standings"]

#: Above this share of a core, what others do on the machine is in the numbers.
STRANGERS_MAX = 0.15
#: The generator is the limit when it has no time left while the server has this much.
GENERATOR_FULL, SERVER_FULL = 0.95, 0.90


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One measured run."""

    rate: float
    p50_ms: float
    p99_ms: float
    #: Processor microseconds of the server for one request.
    server_us: float
    #: Shares of a core, from 0 to 1.
    server_share: float
    generator_share: float
    postgres_share: float
    #: In which the generator had its core, or wanted it and others had it.
    wanted_share: float = 0.0
    #: What everybody else on the machine used of the two cores.
    strangers_share: float

    @property
    def limit(self) -> str:
        """Return what else than the server was the limit, or an empty text."""
        if self.server_share >= SERVER_FULL:
            return ""
        if self.generator_share >= GENERATOR_FULL:
            return "limited by the generator"
        # They share a core.
        if self.generator_share + self.postgres_share >= GENERATOR_FULL:
            return "limited by the generator and PostgreSQL together"
        if self.wanted_share >= GENERATOR_FULL:
            return "limited by the generator, whose core others used"
        return ""


class Standings:
    """Collects samples by line and contestant."""

    def __init__(self, contestants: Mapping[str, Contestant] = CONTESTANTS) -> None:
        self._contestants = contestants
        self.samples: dict[str, dict[str, list[Sample]]] = {}
        #: Why, by line and contestant.
        self.out: dict[tuple[str, str], str] = {}

    def add(self, line: Line, contestant: str, sample: Sample) -> None:
        """Keep what a run measured."""
        self.samples.setdefault(line.name, {}).setdefault(contestant, []).append(sample)

    def throw_out(self, line: Line, contestant: str, reason: str) -> None:
        """Forget what the contestant reached on this line, and say why."""
        self.out.setdefault((line.name, contestant), reason)

    def is_out(self, line: Line, contestant: str) -> bool:
        """Whether it need not be asked any more."""
        return (line.name, contestant) in self.out

    def of(self, line: Line, contestant: str) -> Sequence[Sample]:
        """Return what counts."""
        return () if self.is_out(line, contestant) else self.samples.get(line.name, {}).get(contestant, ())

    def median(self, line: Line, contestant: str, what: str) -> float:
        """Return a median over the rounds; nan, which keeps no promise, for who has none."""
        samples = self.of(line, contestant)
        return median([getattr(sample, what) for sample in samples]) if samples else math.nan

    def measured(self, line: Line, promise: Promise) -> float:
        """Return what a promise is held against."""
        ours = self.median(line, line.ours, promise.of)
        return ours / (self.median(line, promise.to, promise.of) if promise.to else promise.unit_of)

    def report(self, line: Line, report: Report) -> None:
        """Put the line's goals, notes and raw samples into *report*."""
        for promise in line.promises:
            name, unit, measured = self._named(line, promise), _unit(promise), self.measured(line, promise)
            report.goal(name, promise.goal, measured, unit, "least" if promise.of == "rate" else "most")
            if promise.stretch is not None:
                reached = "reached" if measured >= promise.stretch else "not reached"
                report.note(f"{name}: stretch {promise.stretch:g}, {reached} ({measured:.2f})")
        for contestant in line.contestants:
            reason = self.out.get((line.name, contestant))
            if reason is not None:
                report.note(f"{line.name}: {self._contestants[contestant].title} is left out: {reason}")
            limits = [sample.limit for sample in self.of(line, contestant) if sample.limit]
            if limits:
                report.note(
                    f"{line.name}: {self._contestants[contestant].title}: {limits[0]}, {len(limits)} runs"
                )
        disturbed = [
            sample.strangers_share
            for contestant in line.contestants
            for sample in self.of(line, contestant)
            if sample.strangers_share > STRANGERS_MAX
        ]
        if disturbed:
            report.note(
                f"{line.name}: disturbed: beside {len(disturbed)} runs other processes used up to "
                f"{max(disturbed):.0%} of a core"
            )
        report.add(line.name, self.samples.get(line.name, {}))

    def print(self, line: Line) -> None:
        """Print the line's table."""
        click.echo(f"\n{line.title}")
        for contestant in line.contestants:
            samples = self.of(line, contestant)
            title = self._contestants[contestant].title
            if not samples:
                click.echo(f"  {title:<26} {self.out.get((line.name, contestant), 'not run')}")
                continue
            rates = [sample.rate for sample in samples]
            ratio = self.median(line, line.ours, "rate") / median(rates)
            compared = "" if contestant == line.ours or math.isnan(ratio) else f"  ours: {ratio:.2f}x"
            click.echo(
                f"  {title:<26} {median(rates):>9,.0f}/s ({spread(rates)})"
                f"  p50 {self.median(line, contestant, 'p50_ms'):.1f} ms"
                f"  p99 {self.median(line, contestant, 'p99_ms'):.1f} ms"
                f"  {self.median(line, contestant, 'server_us'):.1f} µs a request"
                f"{compared}"
            )

    def _named(self, line: Line, promise: Promise) -> str:
        what = "p99" if promise.of == "p99_ms" else "answers"
        against = f" to {self._contestants[promise.to].title}" if promise.to else ""
        against = against or (f" to the ceiling of {promise.unit_of:,.0f}/s" if promise.unit_of != 1 else "")
        return f"{line.title}: {what}{against}"


def _unit(promise: Promise) -> str:
    return "x" if promise.to or promise.unit_of != 1 else {"rate": "/s", "p99_ms": "ms"}[promise.of]
