"""Curves as specifications of Vega-Lite: a small panel for each contestant, all with the same axes.  Pure.

Ten lines in one drawing cannot be told apart.  Here each has a panel of its own, in which ours is dashed, so that the
two are compared without colours, and the others' are faint.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from bench.evaluation.measure import Plot
from bench.evaluation.page.plots import SIZE, Palette, Spec, frame, powers

__all__ = ["Curve", "panel"]

#: More points than this are a line without points, and others' lines are left out behind it.
_POINTS_MAX = 40


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """One contestant's rows."""

    title: str
    rows: Sequence[Mapping[str, float]]
    ours: bool = False


def panel(curve: Curve, beside: Sequence[Curve], plot: Plot, palette: Palette, *, width: int, height: int) -> Spec:
    """Return one contestant's curve; ours is dashed in it, all others' are faint.  *beside*: everybody's curves."""
    every = [each for each in beside if each.rows]
    dense = max((len(each.rows) for each in every), default=0) > _POINTS_MAX
    x, y = _shared_axes(every, plot, palette)
    layers: list[Spec] = []
    if not dense:
        faint = [
            {"x": row[plot.x], "y": row[plot.y], "who": at}
            for at, each in enumerate(every)
            if each.title != curve.title and not each.ours
            for row in _drawn(each, plot)
        ]
        layers.append(
            {
                "data": {"values": faint},
                "mark": {"type": "line", "color": palette.faint, "strokeWidth": 1, "aria": False},
                "encoding": {"x": x, "y": y, "detail": {"field": "who", "type": "nominal"}},
            }
        )
    if not curve.ours:
        layers += [
            _line(each, plot, {"color": palette.ours, "strokeWidth": 1.5, "strokeDash": [4, 3]}, x, y)
            for each in every
            if each.ours
        ]
    own = palette.ours if curve.ours else palette.ink
    layers.append(_line(curve, plot, {"color": own, "strokeWidth": 2}, x, y))
    if not dense:
        dots = {"type": "point", "filled": True, "size": 16, "color": own, "opacity": 1, "aria": True}
        points = _line(curve, plot, dots, x, y)
        points["encoding"]["description"] = {"field": "told"}
        layers.append(points)
    title = {"text": curve.title + (" (ours)" if curve.ours else ""), "anchor": "start", "frame": "group", "offset": 6}
    colours = {"color": own, "fontSize": SIZE, "fontWeight": "bold", "limit": width}
    return {
        **frame(palette),
        "autosize": {"type": "fit", "contains": "padding"},
        "width": width,
        "height": height,
        "title": {**title, **colours},
        "layer": layers,
    }


def _shared_axes(every: Sequence[Curve], plot: Plot, palette: Palette) -> tuple[Spec, Spec]:
    """Return the axes that all panels of a measure share: they are there to be compared."""
    rows = [row for each in every for row in _drawn(each, plot)]
    xs = [row[plot.x] for row in rows] or [0.0, 1.0]
    ys = [row[plot.y] for row in rows] or [1.0]
    axis = {"gridColor": palette.grid}
    x = {
        "field": "x",
        "type": "quantitative",
        "scale": {"domain": [min(0.0, *xs), max(xs)], "nice": False},
        "axis": {**axis, "grid": False, "tickCount": 3, "labelFlush": True},
    }
    if plot.log_y:
        low, high = min(ys) * 0.8, max(ys) * 1.1
        scale: Spec = {"type": "log", "domain": [low, high], "nice": False}
        ticks: Spec = {"values": powers(low, high)}
    else:
        scale, ticks = {"domain": [0, max(ys) * 1.05 or 1.0], "nice": False}, {"tickCount": 3}
    y = {"field": "y", "type": "quantitative", "scale": scale, "axis": {**axis, **ticks}}
    return x, y


def _line(curve: Curve, plot: Plot, mark: Spec, x: Spec, y: Spec) -> Spec:
    values = [
        {
            "x": row[plot.x],
            "y": row[plot.y],
            "told": f"{curve.title}: {plot.x_title} {row[plot.x]:,g}, {plot.y_title} {row[plot.y]:,.4g}",
        }
        for row in _drawn(curve, plot)
    ]
    return {"data": {"values": values}, "mark": {"type": "line", "aria": False, **mark}, "encoding": {"x": x, "y": y}}


def _drawn(curve: Curve, plot: Plot) -> list[Mapping[str, float]]:
    """Return the rows that can be drawn: a logarithmic axis has no zero."""
    lowest = 0.0 if plot.log_y else -math.inf
    return [
        row
        for row in curve.rows
        if plot.x in row and math.isfinite(row.get(plot.y, math.nan)) and row[plot.y] > lowest
    ]
