"""The picture for the README: the lines of 2018 and the chat turn side by side, on a ground of its own.

It stands on GitHub's light and dark pages alike, so it brings its own white.  Pure.
"""

from __future__ import annotations

import textwrap
from typing import Any

from bench.evaluation.amounts import amount_of
from bench.evaluation.page.chat import chat_part
from bench.evaluation.page.plots import PICTURE, bars, frame
from bench.evaluation.page.sections import bars_of
from bench.evaluation.results import Measured, Results
from bench.evaluation.sentences import answer, titles

__all__ = ["picture"]

#: As many letters as a line of the title has room for, and of what stands below it.
_LEAD_MAX, _BELOW_MAX = 90, 135
_COLUMNS, _COLUMN_PX, _BETWEEN_PX, _AROUND_PX = 2, 370, 28, 16
#: The most telling that there are, as many as fit.
_WANTED, _PANELS_MAX = ("echo", "rpc1000", "kvs_get", "kvs_put", "curve_echo", "idle"), 6


#: Here nobody reads what a line is about.
_TITLES = {"curve_echo": "Echo at fixed rates, p99 within 10 ms"}


def picture(results: Results) -> dict[str, Any]:
    """Return the whole picture's specification; drawn at two pixels for one it is 1,600 pixels wide."""
    names = titles(results)
    found = {measured.name: measured for measured in results.measures if measured.results}
    chosen = [name for name in _WANTED if name in found] or list(found)
    panels = [_panel(found[name], names) for name in chosen]
    if results.chat is not None:
        drawn = chat_part(results.chat).drawn
        panels[4:4] = [
            _titled(bars(each.bars, each.amount, PICTURE, width=_COLUMN_PX), "Chat turns, 64 under way: turns/s")
            for each in drawn[:1]
        ]
    panels = panels[:_PANELS_MAX]
    model = results.machine.model or results.machine.platform
    rounds = f"medians of {results.rounds} rounds, with least and greatest"
    rounds = rounds if results.rounds > 1 else "one take each"
    found_out = answer(results)
    told = f"One core each of {model}; {results.began[:10]}; {rounds}."
    below = [line for sentence in (*found_out.beside, told) for line in textwrap.wrap(sentence, _BELOW_MAX)]
    return {
        **frame(PICTURE),
        # On a dark page the ground ends somewhere; it must not end at the letters.
        "background": "#ffffff",
        "padding": _AROUND_PX,
        "title": {
            "text": textwrap.wrap(found_out.lead, _LEAD_MAX),
            "subtitle": below,
            "anchor": "start",
            "offset": 16,
            "color": PICTURE.ink,
            "subtitleColor": PICTURE.muted,
            "fontSize": 16,
            "subtitleFontSize": 11,
            "subtitlePadding": 5,
        },
        "spacing": {"row": 22, "column": _BETWEEN_PX},
        "columns": _COLUMNS,
        "concat": panels,
        "resolve": {"scale": {"x": "independent", "y": "independent"}},
    }


def _panel(measured: Measured, names: dict[str, str]) -> dict[str, Any]:
    amount = amount_of(measured.value)
    rows = bars_of(measured, measured.value, names)
    spec = bars(rows, amount, PICTURE, width=_COLUMN_PX, less_is_better=measured.better == "less")
    less = ", less is better" if measured.better == "less" else ""
    return _titled(spec, f"{_TITLES.get(measured.name, measured.title)}: {measured.unit}{less}")


def _titled(spec: dict[str, Any], title: str) -> dict[str, Any]:
    text = {"text": title, "anchor": "start", "frame": "group", "offset": 6, "color": PICTURE.ink, "fontSize": 12}
    outer = {"$schema", "background", "padding", "config"}
    return {"title": {**text, "fontWeight": "bold"}, **{key: value for key, value in spec.items() if key not in outer}}

