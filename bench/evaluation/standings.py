"""What the takes say together: medians and spreads, the order, the place of ours, who is out.

Pure: takes in, results out.  A contestant that was wrong once counts no more in that measure, whatever it had reached.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from bench.contestants import OURS
from bench.evaluation.journal import Journal
from bench.evaluation.measure import Measure, Plot, Taken
from bench.evaluation.results import Measured, Result
from bench.report import median

__all__ = ["measured", "place", "standings"]


def standings(journal: Journal, measures: Mapping[str, Measure]) -> list[Measured]:
    """Return what a journal holds, measure by measure."""
    return [_of(journal, measures[name]) for name in journal.head.plan.measures]


def _of(journal: Journal, measure: Measure) -> Measured:
    takes: defaultdict[str, list[Taken]] = defaultdict(list)
    for turn, taken in sorted(journal.taken.items(), key=lambda each: each[0].round):
        if turn.measure == measure.name:
            takes[turn.contestant].append(taken)
    out = {name: reason for (of, name), reason in journal.out.items() if of == measure.name}
    return measured(measure, takes, out)


def measured(measure: Measure, takes: Mapping[str, Sequence[Taken]], out: Mapping[str, str]) -> Measured:
    """Return a measure's results, best first."""
    results = [_result(name, of, measure) for name, of in takes.items() if name not in out]
    results.sort(key=lambda result: result.median, reverse=measure.better == "more")
    return Measured(
        name=measure.name,
        title=measure.title,
        about=measure.about,
        value=measure.value,
        unit=measure.unit,
        better=measure.better,
        plot=measure.plot,
        results=results,
        out=out,
        place=place(results, measure.better),
    )


def place(results: Sequence[Result], better: Literal["more", "less"], name: str = OURS) -> int:
    """Return the place of ours: one behind those whose whole spread is better than the whole of ours.

    0 if ours has no result, and if it is alone: there is no place where there is nobody else.
    """
    ours = next((result for result in results if result.contestant == name), None)
    if ours is None or len(results) == 1:
        return 0
    ahead = [
        other
        for other in results
        if (other.least > ours.end if better == "more" else other.end < ours.least)
    ]
    return 1 + len(ahead)


def _result(name: str, takes: Sequence[Taken], measure: Measure) -> Result:
    ordering = [taken.values[measure.value] for taken in takes]
    counts = Counter(note for taken in takes for note in taken.notes)
    return Result(
        contestant=name,
        median=median(ordering),
        least=min(ordering),
        greatest=max(ordering),
        values=_medians([taken.values for taken in takes]),
        rows=_rows([taken.rows for taken in takes], measure.plot),
        notes=[_counted(note, count, len(takes)) for note, count in counts.items()],
        takes=takes,
    )


def _rows(takes: Sequence[Sequence[Mapping[str, float]]], plot: Plot | None) -> list[Mapping[str, float]]:
    """Return the medians of rows that belong together: those at the same place of the plot, or of the same number.

    What no more than half of the takes reached is left out: a curve that only the luckiest round went on with.
    """
    together: defaultdict[float, list[Mapping[str, float]]] = defaultdict(list)
    for rows in takes:
        for number, row in enumerate(rows):
            together[row[plot.x] if plot else number].append(row)
    return [_medians(together[at]) for at in sorted(together) if 2 * len(together[at]) > len(takes)]


def _medians(values: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the median of each number, by itself, over those that have it."""
    return {name: median([each[name] for each in values if name in each]) for name in _names(values)}


def _names(values: Iterable[Mapping[str, float]]) -> dict[str, None]:
    """Return all names, each once, in the order in which they came."""
    return {name: None for each in values for name in each}


def _counted(note: str, count: int, takes: int) -> str:
    return note if takes == 1 else f"{note}, {count} of {takes} takes"
