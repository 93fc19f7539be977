"""One measure as the page tells it: where ours stands, drawings, tables, and who is left out.

Pure but for the drawing itself.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import msgspec
from markupsafe import Markup

from bench.contestants import OURS
from bench.evaluation.amounts import Amount, amount_of, plain
from bench.evaluation.measure import Plot
from bench.evaluation.page import drawing
from bench.evaluation.page.panels import Curve, panel
from bench.evaluation.page.plots import PAGE, Bar, bars, logarithmic
from bench.evaluation.page.tables import Table, course, never, noted, numbers, shown
from bench.evaluation.results import Measured, Result
from bench.evaluation.sentences import standing

__all__ = ["Figure", "Section", "bars_of", "figure", "section"]

_BARS_PX, _PANEL_PX, _PANEL_HIGH_PX = 330, 172, 132
_FIGURES_MAX = 3
#: Drawn beside what contestants are ordered by, where a measure has them, the first two that it has.
_BESIDE = (
    "p99_ms", "server_us", "away_share", "back_s", "senders_p99_ms", "readers_p99_ms", "echo_p99_ms", "lost",
    "p99_at_1000_ms", "capacity_rate", "cpu_ms",
)  # fmt: skip
#: Of these more is better, and of all others less.
_MORE = frozenset({"rate", "goodput_rate", "goodput_share", "done_share", "capacity_rate"})


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A drawing and what stands above it."""

    caption: str
    svg: Markup


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """What the page tells of one measure."""

    name: str
    title: str
    about: str
    standing: str
    #: Ours is neither first nor second.
    behind: bool
    figures: Sequence[Figure]
    #: A small one for each contestant, and what their axes are.
    panels: Sequence[Figure]
    axes: str
    numbers: Table | None
    course: Table | None
    notes: Sequence[str]
    #: Titles and reasons.
    out: Sequence[tuple[str, str]]


def section(measured: Measured, names: Mapping[str, str], *, drawn: bool) -> Section:
    """Return a measure's section; *drawn*: whether there is what draws."""
    points = course(measured, names)
    curves = _curves(measured, names) if points is not None else []
    plot = measured.plot
    return Section(
        name=measured.name,
        title=measured.title,
        about=measured.about,
        standing=standing(measured, names),
        behind=measured.place > 2,
        figures=_figures(measured, names) if drawn and measured.results else (),
        panels=[_panel(curve, curves, plot) for curve in curves] if drawn and plot else (),
        axes=_axes(plot) if plot else "",
        numbers=numbers(measured, names) if measured.results else None,
        course=points,
        notes=noted(measured, names),
        out=[(names.get(name, name), reason) for name, reason in measured.out.items()],
    )


def figure(caption: str, rows: Sequence[Bar], amount: Amount, *, less_is_better: bool) -> Figure:
    """Return bars, described for who does not see them."""
    spec = bars(rows, amount, PAGE, width=_BARS_PX, less_is_better=less_is_better)
    # A percentile is written small.
    first = caption[0] if re.match(r"p\d", caption) else caption[0].upper()
    log = ", logarithmic" if logarithmic(rows, less_is_better=less_is_better) else ""
    heading = f"{first}{caption[1:]}, {'less' if less_is_better else 'more'} is better{log}"
    told = "; ".join(f"{row.title} {row.never or amount.text(row.median)}" for row in rows)
    return Figure(caption=heading, svg=_svg(spec, f"{'Points' if log else 'Bars'}. {heading}: {told}."))


def bars_of(measured: Measured, name: str, names: Mapping[str, str]) -> list[Bar]:
    """Return the bars of one of a measure's values, in the order of its results."""
    rows = []
    for each in measured.results:
        title, ours = names.get(each.contestant, each.contestant), each.contestant == OURS
        if name == measured.value:
            bar = Bar(title=title, median=each.median, least=each.least, greatest=each.greatest, ours=ours)
            rows.append(msgspec.structs.replace(bar, at_least=each.at_least))
        elif said := never(each, name):
            rows.append(Bar(title=title, median=0.0, least=0.0, greatest=0.0, ours=ours, never=said))
        elif name in each.values:
            least, greatest = _ends(each, name)
            rows.append(Bar(title=title, median=each.values[name], least=least, greatest=greatest, ours=ours))
    return rows


def _figures(measured: Measured, names: Mapping[str, str]) -> list[Figure]:
    """Return bars of what contestants are ordered by, and of what stands beside it."""
    ordering, *values = shown(measured)
    beside = [name for name in _BESIDE if name in values]
    amount, short = amount_of(ordering, measured.unit), amount_of(ordering)
    # Beside a bar there is room for "KB", not for "KB a connection".
    short = short if short.unit else amount
    caption = amount.head if amount.bare else amount.unit
    rows = bars_of(measured, ordering, names)
    figures = [figure(caption, rows, short, less_is_better=measured.better == "less")]
    for name in beside[: _FIGURES_MAX - 1]:
        amount, rows = amount_of(name), bars_of(measured, name, names)
        # Nothing but zeros is an empty axis; the table says it.
        if any(row.median or row.never for row in rows):
            figures.append(figure(amount.head, rows, amount, less_is_better=name not in _MORE))
    return figures


def _ends(result: Result, name: str) -> tuple[float, float]:
    found = [taken.values[name] for taken in result.takes if name in taken.values] or [result.values[name]]
    return min(found), max(found)


def _curves(measured: Measured, names: Mapping[str, str]) -> list[Curve]:
    return [
        Curve(title=names.get(each.contestant, each.contestant), rows=each.rows, ours=each.contestant == OURS)
        for each in measured.results
        if each.rows
    ]


def _panel(curve: Curve, curves: Sequence[Curve], plot: Plot) -> Figure:
    spec = panel(curve, curves, plot, PAGE, width=_PANEL_PX, height=_PANEL_HIGH_PX)
    first, last = (
        f"{plain(row.get(plot.y, math.nan))} at {row[plot.x]:,g}" for row in (curve.rows[0], curve.rows[-1])
    )
    told = f"{curve.title}: {plot.y_title} from {first} to {last} {plot.x_title}."
    return Figure(caption=curve.title, svg=_svg(spec, told))


def _axes(plot: Plot) -> str:
    scale = ", on a logarithmic axis" if plot.log_y else ""
    return f"Across: {plot.x_title}. Up: {plot.y_title}{scale}."


def _svg(spec: dict[str, object], description: str) -> Markup:
    # Vega has escaped the texts, and what reads and writes its drawing again does so too.
    return Markup(drawing.svg(spec, description))  # noqa: S704
