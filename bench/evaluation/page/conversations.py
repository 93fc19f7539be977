"""The conversations' part of the page: bench.locust's report.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bench.evaluation.amounts import plain
from bench.evaluation.page.chat import FAULTS
from bench.evaluation.page.promises import Held, held
from bench.evaluation.page.tables import Row, Table

__all__ = ["LocustPart", "locust_part"]


class LocustPart(msgspec.Struct, frozen=True, kw_only=True):
    """What the page tells of conversations."""

    held: Sequence[Held]
    #: A row for each channel.
    channels: Table | None
    notes: Sequence[str]


def locust_part(report: Mapping[str, Any]) -> LocustPart:
    """Return the part of a report."""
    channels: Mapping[str, Mapping[str, float]] = report.get("samples", {}).get("summary", {}).get("channels", {})
    counts, took = ("late", *FAULTS), ("p50_ms", "p99_ms", "max_ms", "accepted_p99_ms")
    rows = [
        Row(
            name=name[0].upper() + name[1:],
            cells=[
                *(plain(one[each]) if each in one else "" for each in took),
                *(f"{one[each]:,.0f}" if each in one else "" for each in ("asked", *counts)),
            ],
        )
        for name, one in channels.items()
    ]
    head = ["", "p50, ms", "p99, ms", "greatest, ms", "accepted: p99, ms", "messages", *counts]
    caption = "From the intended start of a message to the arrival of its answer"
    return LocustPart(
        held=held(report),
        channels=Table(caption=caption, head=head, rows=rows) if rows else None,
        # A channel's row says what its note says.
        notes=[note for note in report.get("notes", ()) if note.partition(":")[0] not in channels],
    )
