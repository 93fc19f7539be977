"""What is forgotten by age, portion by portion.  The rules are in ``forget.sql``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import msgspec
from psycopg2.extensions import cursor as Cursor

__all__ = ["Portion", "Walk", "gone", "job_results", "processes", "walk"]

#: What is walked by its ids.
Walk = Literal["turns", "conversations", "users", "outbox", "dead_letters", "buried_jobs"]

_WALKS: Mapping[Walk, str] = MappingProxyType({
    "turns": "SELECT * FROM forget_turns(make_interval(secs => %s), %s, %s)",
    "conversations": "SELECT * FROM forget_conversations(make_interval(secs => %s), %s, %s)",
    "users": "SELECT * FROM forget_users(make_interval(secs => %s), %s, %s)",
    "outbox": "SELECT * FROM forget_outbox(make_interval(secs => %s), %s, %s)",
    "dead_letters": "SELECT * FROM forget_dead_letters(make_interval(secs => %s), %s, %s)",
    "buried_jobs": "SELECT * FROM forget_buried_jobs(make_interval(secs => %s), %s, %s)",
})  # fmt: skip


class Portion(msgspec.Struct, frozen=True):
    """What one statement forgot, and the id from behind which the next one goes on; None: there is no more."""

    behind: int | None
    rows: int


def walk(cursor: Cursor, what: Walk, older_than_s: float, behind: int, rows_max: int) -> Portion:
    """Forget what is old among the next rows."""
    cursor.execute(_WALKS[what], (older_than_s, behind, rows_max))
    row = cursor.fetchone()
    assert row is not None, "these functions answer with one row"
    return Portion(*row)


def job_results(cursor: Cursor, rows_max: int) -> int:
    """Forget results of jobs whose time is over; return how many."""
    return _count(cursor, "SELECT forget_job_results(%s)", rows_max)


def processes(cursor: Cursor, older_than_s: float, rows_max: int) -> int:
    """Forget processes that are no more; return how many."""
    return _count(cursor, "SELECT forget_processes(make_interval(secs => %s), %s)", older_than_s, rows_max)


def gone(cursor: Cursor, older_than_s: float, rows_max: int) -> int:
    """Delete users and conversations that lost their names so long ago; return how many rows went."""
    return _count(cursor, "SELECT forget_gone(make_interval(secs => %s), %s)", older_than_s, rows_max)


def _count(cursor: Cursor, statement: str, *values: float) -> int:
    cursor.execute(statement, values)
    row = cursor.fetchone()
    assert row is not None, "these functions answer with one row"
    return int(row[0])
