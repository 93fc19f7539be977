"""What connections cost a contestant: memory of one that lies idle or is held, and time of one event to all.

Each measurement is of a process of its own: what one leaves behind is not to be the next one's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import click

from bench.connections import ECHO, STREAM, growth_per_connection, time_of_one_event
from bench.contestants import OURS
from bench.report import Report, median
from bench.rounds import Field

__all__ = ["KINDS", "STREAMS_TOLD", "measure"]

KINDS = ("idle", "streams")
CONNECTIONS, STREAMS_TOLD = 10_000, 15_000
ROUNDS = 3
WHO = (OURS, "fastify", "node", "falcon")
#: By what is measured: its name, the goal, the unit, and the kind of which it is a part.
GOALS = {
    "idle": ("idle connection, PSS", 3.0, "KB", "idle"),
    "stream": ("held stream, PSS", 4.0, "KB", "streams"),
    "event": (f"one event to {STREAMS_TOLD:,} streams", 1.0, "s", "streams"),
}


def measure(field: Field, kinds: Sequence[str], report: Report, *, quick: bool) -> None:
    """Measure *kinds* and hold ours against the goals; a quick run leaves the others out."""
    names = [name for name in (WHO[:1] if quick else WHO) if not field.lack(name)]
    values: dict[str, dict[str, list[float]]] = {what: {} for what in GOALS}
    with click.progressbar(names * (1 if quick else ROUNDS), label="memory") as progress:
        for name in progress:
            for kind in kinds:
                # Falcon's stream would be a greenlet that waits; it has none here.
                if not (kind == "streams" and name == "falcon"):
                    for what, value in _measured(field, name, kind):
                        values[what].setdefault(name, []).append(value)
    report.add("memory", values)
    for what, (title, goal, unit, kind) in GOALS.items():
        if kind in kinds:
            ours = values[what].get(OURS)
            report.goal(title, goal, median(ours) if ours else math.nan, unit, "most")
            told = [f"{field.contestants[n].title} {median(v):.2f}" for n, v in values[what].items()]
            report.note(f"{title}, {unit}: {', '.join(told)}")


def _measured(field: Field, name: str, kind: str) -> Iterator[tuple[str, float]]:
    with field.start([name]) as running:
        if name not in running:
            return
        server = running[name]
        try:
            if kind == "idle":
                yield "idle", growth_per_connection(server, ECHO, CONNECTIONS) / 1024
            else:
                yield "stream", growth_per_connection(server, STREAM, CONNECTIONS) / 1024
                yield "event", time_of_one_event(server, STREAMS_TOLD)
        except OSError as error:
            click.echo(f"\n{name}, {kind}: {error}", err=True)
