"""The rounds of the evaluation: whatever of a plan is not in the journal yet is measured, and put there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import click
import msgspec
import psutil

from bench.answers import WrongAnswer
from bench.evaluation.journal import Journal
from bench.evaluation.measure import Measure, Taken
from bench.evaluation.plan import Turn
from bench.evaluation.stage import Rounded
from bench.generator import GeneratorFailed
from gateway.embedded.errors import StartFailed

__all__ = ["Rounds"]

#: What a contestant may do to whoever measures it: answer wrongly, not start, not connect, be gone.
_FAULTS = (WrongAnswer, StartFailed, OSError, psutil.Error, GeneratorFailed)
#: The bar counts whole steps, tenths of a second.
_STEPS_A_S = 10


class Rounds:
    """Measures what is left of a journal's plan."""

    def __init__(self, journal: Journal, stage: Rounded, measures: Mapping[str, Measure]) -> None:
        self._journal = journal
        self._stage = stage
        self._measures = measures
        self._plan = journal.head.plan

    def run(self, lacks: Mapping[str, str]) -> None:
        """Run it; contestants in *lacks* cannot take part."""
        rounds = [
            [turn for turn in self._plan.turns(number, self._measures) if turn.contestant not in lacks]
            for number in range(self._plan.rounds)
        ]
        # Those that are done are no part of the bar, which would take them for an achievement and promise too much.
        rounds = [[turn for turn in turns if not self._journal.is_done(turn)] for turns in rounds]
        length = sum(map(self._steps, rounds))
        with click.progressbar(length=length, label="rounds", item_show_func=lambda item: item or "") as progress:
            for number, turns in enumerate(rounds, 1):
                if not turns:
                    continue
                with self._stage.round(_names(turns)):
                    # Contestants are started when the first of them is asked for.
                    starting = self._start_steps(turns)
                    for turn in turns:
                        # What is under way, which may take a quarter of a minute, rather than what is over.
                        progress.current_item = f"{number} of {len(rounds)}: {turn.measure} {turn.contestant}"
                        progress.render_progress()
                        self._take(turn)
                        progress.update(starting + self._turn_steps(turn))
                        starting = 0

    def _take(self, turn: Turn) -> None:
        if self._journal.is_done(turn):
            return
        measure = self._measures[turn.measure]
        try:
            taken = _told(measure.take(turn.contestant, self._stage), measure)
        except _FAULTS as error:
            self._journal.throw_out(turn.measure, turn.contestant, str(error) or repr(error))
        else:
            # A journal that cannot be written is no contestant's fault.
            self._journal.took(turn, taken)

    def _steps(self, turns: Sequence[Turn]) -> int:
        return self._start_steps(turns) + sum(map(self._turn_steps, turns))

    def _start_steps(self, turns: Sequence[Turn]) -> int:
        return round(_STEPS_A_S * self._stage.start_s * len(_names(turns)))

    def _turn_steps(self, turn: Turn) -> int:
        return round(_STEPS_A_S * self._measures[turn.measure].take_s)


def _names(turns: Sequence[Turn]) -> list[str]:
    """Return who takes part, each once."""
    return list(dict.fromkeys(turn.contestant for turn in turns))


def _told(taken: Taken, measure: Measure) -> Taken:
    """Return a take without what is no number: JSON has none for it, and what is not known is not told."""
    if not math.isfinite(taken.values[measure.value]):
        raise WrongAnswer(f"its {measure.value} could not be measured")
    return msgspec.structs.replace(taken, values=_finite(taken.values), rows=[_finite(row) for row in taken.rows])


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if math.isfinite(value)}
