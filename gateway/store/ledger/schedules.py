"""When schedules tick next, in the ledger.  The rules are in ``schedules.sql``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from psycopg2.extensions import cursor as Cursor

from gateway.store.ledger.process import Process

__all__ = ["Read", "Scheduled", "forget", "read", "set_next", "tick"]


class Scheduled(msgspec.Struct, frozen=True):
    """What the ledger has of one schedule: what its time was worked out of, and that time (Unix seconds)."""

    timing: str
    next_at: float


class Read(msgspec.Struct, frozen=True):
    """One look."""

    #: This worker's settings are the newest: it is the one to act.
    leads: bool
    #: Unix seconds, on the ledger's clock.
    now: float
    schedules: Mapping[str, Scheduled]


def read(cursor: Cursor, process: Process, dead_after_s: float) -> Read:
    """Return what there is."""
    cursor.execute(
        "SELECT * FROM schedules_read(%s, make_interval(secs => %s))", (process.process_id, dead_after_s)
    )
    rows = cursor.fetchall()
    leads, now = rows[0][:2]
    return Read(leads, now, {name: Scheduled(timing, at) for *_, name, timing, at in rows if name is not None})


def set_next(cursor: Cursor, schedules: Mapping[str, Scheduled]) -> None:
    """Set when these tick next."""
    cursor.execute(
        "SELECT schedules_set(%s::text[], %s::text[], %s::float8[])",
        (list(schedules), [one.timing for one in schedules.values()], [one.next_at for one in schedules.values()]),
    )


def forget(cursor: Cursor, names: Sequence[str]) -> None:
    """Forget these."""
    cursor.execute("SELECT schedules_forget(%s::text[])", (list(names),))


def tick(cursor: Cursor, name: str, read_: Scheduled, next_at: float) -> bool:
    """Have one tick that still stands as it was read; its job is to be written in the same transaction."""
    cursor.execute("SELECT schedule_tick(%s, %s, %s, %s)", (name, read_.timing, read_.next_at, next_at))
    row = cursor.fetchone()
    return row is not None and bool(row[0])
