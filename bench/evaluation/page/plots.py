"""Amounts as specifications of Vega-Lite: a bar for each contestant, with its spread.  Pure.

Who is who is said by words, never by colour alone: rows carry names, and ours is bold and named as ours.  Bars begin at
zero; amounts too far apart for that are points on a logarithmic axis.  Colours are the caller's: the page's are
variables of its style sheet, so that one drawing is right in light and in dark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from bench.evaluation.amounts import Amount

__all__ = ["FONT", "PAGE", "PICTURE", "SIZE", "Bar", "Palette", "Spec", "bars", "frame", "logarithmic", "powers"]

Spec = dict[str, Any]

#: Amounts further apart than this, where less is better, are told apart on a logarithmic axis only.
_APART = 25.0
_ROW_PX = 25
_NAMES_PX, _AMOUNTS_PX = 124, 60
SIZE = 11
#: What draws brings it along, so that measures and pictures are the same on every machine.
FONT = "Liberation Sans"
#: Longer names are broken behind their first comma.
_NAME_MAX = 18
#: SI prefixes for thousands; without them d3 would write 0k and 500m.
_NUMBERS = "datum.value >= 1000 ? format(datum.value, '~s') : format(datum.value, '~g')"


class Palette(msgspec.Struct, frozen=True, kw_only=True):
    """The colours of a drawing."""

    ink: str
    muted: str
    grid: str
    ours: str
    others: str
    #: Lines that are there to be seen past.
    faint: str


PAGE = Palette(
    ink="var(--ink)",
    muted="var(--muted)",
    grid="var(--grid)",
    ours="var(--ours)",
    others="var(--others)",
    faint="var(--faint)",
)
#: On the picture's own white ground.
PICTURE = Palette(
    ink="#1a1f26", muted="#59636e", grid="#e3e6ea", ours="#0b66b0", others="#98a2ad", faint="#c9cfd6"
)


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """A row of bars: a median between the least and the greatest of its rounds."""

    title: str
    median: float
    least: float
    greatest: float
    ours: bool = False
    #: It is a lower bound.
    at_least: bool = False
    #: What stands there instead of an amount that was never reached; nothing is drawn then.
    never: str = ""


def bars(rows: Sequence[Bar], amount: Amount, palette: Palette, *, width: int, less_is_better: bool = False) -> Spec:
    """Return a row for each of *rows*, in their order, as wide as *width* with names and amounts."""
    log = logarithmic(rows, less_is_better=less_is_better)
    scale, axis = _log_axis(rows, amount) if log else _zero_axis(rows, amount)
    # Names and amounts have fixed places to the left and to the right of it, however wide they are in a reader's font.
    scale |= {"rangeMin": _NAMES_PX, "rangeMax": width - _AMOUNTS_PX}
    x = {"field": "median", "type": "quantitative", "scale": scale, "axis": axis}
    colour = {"condition": {"test": "datum.ours", "value": palette.ours}, "value": palette.others}
    point, bar = {"type": "point", "filled": True, "size": 70, "opacity": 1}, {"type": "bar", "height": {"band": 0.68}}
    return {
        **frame(palette),
        "width": width,
        "height": _ROW_PX * max(1, len(rows)),
        "data": {"values": [_row(at, each, amount) for at, each in enumerate(rows)]},
        "encoding": {"y": {"field": "row", "type": "nominal", "sort": None, "axis": None}},
        "layer": [
            {"mark": point if log else bar, "encoding": {"x": x, "fill": colour, "description": {"field": "told"}}},
            # Of one round there is none.
            *(_spread(palette) if any(each.least != each.greatest for each in rows) else ()),
            _text("name", palette.ink, x=_NAMES_PX - 7),
            _text("name_below", palette.muted, x=_NAMES_PX - 7, dy=6, fontSize=SIZE - 2),
            _text("amount", palette.ink, x=width),
        ],
    }


def logarithmic(rows: Sequence[Bar], *, less_is_better: bool) -> bool:
    """Whether amounts are so far apart that bars would show nothing but the longest."""
    there = [each for each in rows if not each.never]
    least = min((each.least for each in there), default=0.0)
    greatest = max((each.greatest for each in there), default=0.0)
    return less_is_better and 0 < _APART * least < greatest


def frame(palette: Palette) -> Spec:
    """Return what every specification of ours begins with."""
    labels = {"labelColor": palette.muted, "labelFontSize": SIZE - 1, "domain": False, "ticks": False}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "background": None,
        "padding": {"left": 0, "right": 1, "top": 0, "bottom": 0},
        "config": {
            "font": FONT,
            "view": {"stroke": None},
            "axis": {**labels, "gridColor": palette.grid, "title": None, "labelExpr": _NUMBERS},
        },
    }


def _row(at: int, bar: Bar, amount: Amount) -> dict[str, object]:
    name, below = _broken(_named(bar))
    there = not bar.never
    return {
        # Numbered, because two contestants may have one title.
        "row": at,
        "median": bar.median * amount.scale if there else None,
        "least": bar.least * amount.scale if there else None,
        "greatest": bar.greatest * amount.scale if there else None,
        "ours": bar.ours,
        "name": name,
        "name_below": below,
        "amount": _amount(bar, amount),
        "told": _told(bar, amount),
    }


def _spread(palette: Palette) -> list[Spec]:
    ends = [{"field": end, "type": "quantitative"} for end in ("least", "greatest")]
    rule = {"type": "rule", "color": palette.ink, "strokeWidth": 1.2}
    tick = {"type": "tick", "color": palette.ink, "thickness": 1.2, "height": 7, "aria": False}
    whole = {"x": ends[0], "x2": {"field": "greatest"}, "description": {"field": "told"}}
    return [{"mark": rule, "encoding": whole}, *({"mark": tick, "encoding": {"x": end}} for end in ends)]


def _text(field: str, colour: str, **where: float) -> Spec:
    style: Spec = {"align": "right", "fontSize": SIZE, "color": colour, "aria": False}
    if field == "name":
        # A name of two lines has the first one above the middle of its row.
        style["dy"] = {"expr": "datum.name_below ? -5 : 0"}
    if field != "name_below":
        style["fontWeight"] = {"expr": "datum.ours ? 'bold' : 'normal'"}
    return {"mark": {"type": "text", **style, **where}, "encoding": {"text": {"field": field}}}


def _zero_axis(rows: Sequence[Bar], amount: Amount) -> tuple[Spec, Spec]:
    greatest = max((each.greatest for each in rows), default=0.0) * amount.scale
    axis = {"tickCount": 3, "labelFlush": False}
    return {"domain": [0, greatest * 1.02 or 1.0], "nice": False}, axis


def _log_axis(rows: Sequence[Bar], amount: Amount) -> tuple[Spec, Spec]:
    least = min(each.least for each in rows if not each.never) * amount.scale
    greatest = max(each.greatest for each in rows) * amount.scale
    low, high = least * 0.7, greatest * 1.15
    return {"type": "log", "domain": [low, high], "nice": False}, {"values": powers(low, high), "labelFlush": False}


def powers(low: float, high: float) -> list[float]:
    """Return the powers of ten between two amounts."""
    return [10.0**power for power in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)]


def _named(bar: Bar) -> str:
    return f"{bar.title} (ours)" if bar.ours else bar.title


def _broken(name: str) -> tuple[str, str]:
    """Return a name, a long one as what stands before its first comma and behind."""
    before, _, after = name.partition(", ")
    return (before, after) if after and len(name) > _NAME_MAX else (name, "")


def _told(bar: Bar, amount: Amount) -> str:
    spread = "" if bar.least == bar.greatest else f" ({amount.text(bar.least)} to {amount.text(bar.greatest)})"
    return f"{_named(bar)}: {_amount(bar, amount)}{spread}"


def _amount(bar: Bar, amount: Amount) -> str:
    return bar.never or f"{'≥ ' if bar.at_least else ''}{amount.text(bar.median)}"
