"""The chat turn's part of the page: bench.chat's report as tables and bars.  Pure.

The report is read as it was written, by another run of another version perhaps: what is not there is left out.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bench.chat.contestants import CEILING, CONTESTANTS, OURS
from bench.chat.standings import CLOSED, COMMON, LINES, SCENES
from bench.evaluation.amounts import Amount, plain
from bench.evaluation.page.plots import Bar
from bench.evaluation.page.promises import Held, held
from bench.evaluation.page.tables import Row, Table

__all__ = ["FAULTS", "ChatPart", "Drawn", "chat_part"]

TURNS = Amount(name="rate", title="turns", unit="/s")
P99 = Amount(name="p99_ms", title="p99", unit="ms")
FAULTS = ("lost", "doubled", "swapped", "wrong", "refused")


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """Bars with what they are."""

    title: str
    amount: Amount
    bars: Sequence[Bar]
    less_is_better: bool = False


class ChatPart(msgspec.Struct, frozen=True, kw_only=True):
    """What the page tells of chat turns."""

    held: Sequence[Held]
    drawn: Sequence[Drawn]
    #: One for each speed line, and one for each scene in which faults are counted.
    lines: Sequence[Table]
    scenes: Sequence[Table]
    notes: Sequence[str]


def chat_part(report: Mapping[str, Any]) -> ChatPart:
    """Return the part of a report."""
    samples = report.get("samples", {})
    lines: Mapping[str, Any] = samples.get("lines", {})
    drawn = [
        Drawn(title=f"Turns a second, {LINES[CLOSED]}", amount=TURNS, bars=_bars(lines, CLOSED, "rate")),
        Drawn(title=f"p99 at {LINES[COMMON]}", amount=P99, bars=_bars(lines, COMMON, "p99_ms"), less_is_better=True),
    ]
    return ChatPart(
        held=held(report),
        drawn=[each for each in drawn if each.bars],
        lines=[_line(LINES.get(name, name), line) for name, line in lines.items() if line],
        scenes=[_scene(SCENES.get(name, name), scene) for name, scene in samples.get("scenes", {}).items() if scene],
        notes=list(report.get("notes", ())),
    )


def _bars(lines: Mapping[str, Any], line: str, what: str) -> list[Bar]:
    rows = []
    for name, samples in lines.get(line, {}).items():
        values = [sample[what] for sample in samples]
        if values:
            median, least, greatest = statistics.median(values), min(values), max(values)
            rows.append(Bar(title=_title(name), median=median, least=least, greatest=greatest, ours=name == OURS))
    return sorted(rows, key=lambda row: -row.median if what == "rate" else row.median)


def _line(title: str, line: Mapping[str, Any]) -> Table:
    processor = ["own processor time a turn, µs", "PostgreSQL's, µs"]
    head = ["", "turns, /s", "least to greatest", "p50, ms", "p99, ms", *processor]
    rows = []
    for name, samples in line.items():
        if not samples:
            continue
        rates = [sample["rate"] for sample in samples]
        own = statistics.median(sum(sample["own_us"]) for sample in samples)
        stores = statistics.median(sample["postgres_us"] for sample in samples)
        cells = [
            plain(statistics.median(rates), exact=True),
            f"{plain(min(rates), exact=True)} to {plain(max(rates), exact=True)}" if len(rates) > 1 else "one take",
            *(plain(statistics.median(sample[what] for sample in samples)) for what in ("p50_ms", "p99_ms")),
            plain(own, exact=True),
            plain(stores, exact=True) if stores else "none",
        ]
        rows.append(Row(name=_title(name), cells=cells, ours=name == OURS))
    return Table(caption=title[0].upper() + title[1:], head=head, rows=rows)


def _scene(title: str, scene: Mapping[str, Any]) -> Table:
    rows = [
        Row(
            name=_title(name),
            cells=[f"{verdict.get('asked', 0):,}", *(f"{verdict.get(fault, 0):,}" for fault in FAULTS)],
            ours=name == OURS,
        )
        for name, verdict in scene.items()
    ]
    return Table(caption=title[0].upper() + title[1:], head=["", "messages", *FAULTS], rows=rows)


def _title(name: str) -> str:
    known = CONTESTANTS.get(name)
    title = known.title if known else name
    return f"{title[0].upper()}{title[1:]}, the ceiling" if name == CEILING else title
