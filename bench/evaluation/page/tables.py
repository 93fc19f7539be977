"""The numbers of a measure as tables, which say what its drawings say to who does not see them.  Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from bench.contestants import OURS
from bench.evaluation.amounts import amount_of, plain
from bench.evaluation.results import Measured, Result
from bench.evaluation.sentences import disturbed, listed, number, ordinal, sharing

__all__ = ["Line", "Row", "Table", "bound", "course", "glance", "never", "noted", "numbers", "shown"]

#: Shares of a core that say whether a run counts; what they say is told by notes.
_ASIDE = frozenset({"server_share", "generator_share", "postgres_share", "wanted_share", "strangers_share"})


#: What stands for a value that a contestant never came to.
_NEVER = {"back_s": "not back"}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A row: its name and its cells."""

    name: str
    cells: Sequence[str]
    ours: bool = False


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table; ``head`` has the name of the first column too."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Row]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A measure at a glance: where ours stands, and beside whom."""

    name: str
    title: str
    place: str
    #: First or second.
    ahead: bool
    ours: str
    #: The best of the others, with what it has.
    best: str
    #: Ours to the best of the others.
    ratio: str
    less_is_better: bool
    #: Beside how many of its takes others were busy, or an empty text.
    disturbed: str


def shown(measured: Measured) -> list[str]:
    """Return the names of values that are for readers, what contestants are ordered by in front."""
    names = [name for each in measured.results for name in each.values if name not in _ASIDE]
    return [measured.value, *(name for name in dict.fromkeys(names) if name != measured.value)]


def numbers(measured: Measured, names: Mapping[str, str]) -> Table:
    """Return a row a contestant, best first: its median, the spread, and what ours is of it."""
    amount = amount_of(measured.value, measured.unit)
    beside = [amount_of(name) for name in shown(measured)[1:]]
    own = next((each for each in measured.results if each.contestant == OURS), None)
    first = amount.head if amount.bare else amount.unit
    head = ["", first, "least to greatest", "ours to it", *(each.head for each in beside)]
    rows = []
    for each in measured.results:
        least, greatest = (plain(end * amount.scale, exact=True) for end in (each.least, each.greatest))
        ratio = _ratio(own, each) if own is not None and each is not own else ""
        cells = [
            f"{bound(each)}{plain(each.median * amount.scale, exact=True)}",
            f"{least} to {greatest}" if len(each.takes) > 1 else "one take",
            ratio,
            *(_cell(each, other.name, other.scale) for other in beside),
        ]
        rows.append(
            Row(name=names.get(each.contestant, each.contestant), cells=cells, ours=each.contestant == OURS)
        )
    takes_n = max((len(each.takes) for each in measured.results), default=0)
    told = f"medians of {number(takes_n)} takes" if takes_n > 1 else "one take"
    return Table(caption=f"{measured.title}: {told}", head=head, rows=rows)


def noted(measured: Measured, names: Mapping[str, str]) -> list[str]:
    """Return what a reader of a measure's numbers must know, each note once with those whom it is about."""
    about: dict[str, list[str]] = {}
    for each in measured.results:
        for note in dict.fromkeys(each.notes):
            # As standings count them.
            found = re.fullmatch(r"(.+), (\d+ of \d+ takes)", note)
            said, count = found.groups() if found else (note, "")
            title = names.get(each.contestant, each.contestant)
            about.setdefault(said, []).append(f"{title} ({count})" if count else title)
    # One's name with a count in brackets is not his bare title.
    every = [names.get(each.contestant, each.contestant) for each in measured.results]
    return [
        f"{said[0].upper()}{said[1:]}: {'all of them' if whom == every and len(every) > 2 else listed(whom)}"
        for said, whom in about.items()
    ]


def course(measured: Measured, names: Mapping[str, str]) -> Table | None:
    """Return the rows of all contestants beside each other, a column each; nothing if there are none."""
    plot = measured.plot
    with_rows = [each for each in measured.results if each.rows]
    if plot is None or not with_rows:
        return None
    at = sorted({row[plot.x] for each in with_rows for row in each.rows if plot.x in row})
    found = [{row[plot.x]: row.get(plot.y) for row in each.rows if plot.x in row} for each in with_rows]
    rows = [Row(name=_short(x), cells=[_value(column.get(x)) for column in found]) for x in at]
    head = [plot.x_title, *(names.get(each.contestant, each.contestant) for each in with_rows)]
    return Table(caption=f"{measured.title}: {plot.y_title}", head=head, rows=rows)


def glance(measures: Sequence[Measured], names: Mapping[str, str]) -> list[Line]:
    """Return a line a measure."""
    return [_line(measured, names) for measured in measures]


def _line(measured: Measured, names: Mapping[str, str]) -> Line:
    amount = amount_of(measured.value, measured.unit)
    ours = next((each for each in measured.results if each.contestant == OURS), None)
    best = next((each for each in measured.results if each is not ours), None)
    place = "no result" if ours is None else "alone"
    if ours is not None and measured.place:
        place = ordinal(measured.place) + (", shared" if sharing(measured, ours) else "")
    nearest = "nobody"
    if best is not None:
        nearest = f"{names.get(best.contestant, best.contestant)}: {bound(best)}{amount.text(best.median)}"
    busy_n, takes_n = disturbed([measured])
    return Line(
        name=measured.name,
        title=measured.title,
        place=place,
        ahead=0 < measured.place <= 2,
        ours=f"{bound(ours)}{amount.text(ours.median)}" if ours is not None else "–",
        best=nearest,
        ratio=_ratio(ours, best),
        less_is_better=measured.better == "less",
        disturbed=f"disturbed: {busy_n:,} of {takes_n:,} takes" if busy_n else "",
    )


def bound(result: Result) -> str:
    """Return the sign of a lower bound in front of what is one."""
    return "≥\N{NO-BREAK SPACE}" if result.at_least else ""


def never(result: Result, name: str) -> str:
    """Return what stands for a value that half of a result's takes or more never came to, or an empty text."""
    without_n = sum(name not in taken.values for taken in result.takes)
    return _NEVER.get(name, "") if 2 * without_n >= len(result.takes) else ""


def _ratio(ours: Result | None, best: Result | None) -> str:
    # Of a lower bound there is none.
    if ours is None or best is None or not best.median or ours.at_least or best.at_least:
        return "–"
    return plain(ours.median / best.median)


def _cell(result: Result, name: str, scale: float) -> str:
    value = result.values.get(name)
    return never(result, name) or ("" if value is None else plain(value * scale, exact=True))


def _value(value: float | None) -> str:
    return "" if value is None else plain(value)


def _short(x: float) -> str:
    return f"{x:,.6g}" if x < 1_000_000 else f"{x:,.0f}"
