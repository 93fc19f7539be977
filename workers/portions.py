"""Long work on many rows, as many short statements: nobody waits long for what one of them has locked."""

from __future__ import annotations

from collections.abc import Callable

from psycopg2.extensions import cursor as Cursor

from workers.context import Context

__all__ = ["ROWS_MAX", "has_time", "in_portions"]

#: Rows of one statement.
ROWS_MAX = 1_000
#: Seconds before its time limit at which a job begins no more statements: the one under way may take that long.
_MARGIN_S = 15.0


def has_time(job: Context) -> bool:
    """Return whether another statement can end before the job must."""
    return job.deadline.expires_at - job.tools.clock() > _MARGIN_S


def in_portions(job: Context, forget: Callable[[Cursor], int]) -> tuple[int, bool]:
    """Call *forget* until it finds nothing more; return how many rows it found, and whether that is all."""
    rows = 0
    while has_time(job):
        found = job.tools.database.run(forget)
        rows += found
        if not found:
            return rows, True
    return rows, False
