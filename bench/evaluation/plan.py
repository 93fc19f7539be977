"""What one run of the evaluation measures, of whom, and in which order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from bench.evaluation.measure import Measure

__all__ = ["PARTS", "ROUNDS", "Plan", "Turn"]

#: Spreads of two equal machines with three takes each lie apart by chance in one of ten pairs; with four, in 3 of 100.
ROUNDS = 4
#: Benchmarks of their own whose reports a whole run ends with.
PARTS = ("chat", "locust")


class Turn(msgspec.Struct, frozen=True):
    """One take that is meant to be."""

    round: int
    measure: str
    contestant: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Two runs of the same plan compare; and one goes on where the other was stopped."""

    measures: tuple[str, ...]
    contestants: tuple[str, ...]
    rounds: int
    quick: bool
    parts: tuple[str, ...] = ()

    def turns(self, number: int, measures: Mapping[str, Measure]) -> Iterator[Turn]:
        """Return the takes of a round; who comes first changes from round to round."""
        for measure in (measures[name] for name in self.measures):
            names = [name for name in self.contestants if name in measure.contestants]
            if not names:
                continue
            first = number % len(names)
            for name in names[first:] + names[:first]:
                yield Turn(number, measure.name, name)

    def all_turns(self, measures: Mapping[str, Measure]) -> list[Turn]:
        """Return the takes of all rounds, in order."""
        return [turn for number in range(self.rounds) for turn in self.turns(number, measures)]
