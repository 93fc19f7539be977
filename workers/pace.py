"""How the rows of one statement are shared among partitions: who was read least far gets most.  Pure.

Partitions hold unequally many jobs, because lanes fall to them by their names.  Read evenly, those with few would run
through their backlog while those with many still had their oldest to run.  That is unfair to whoever waits longest, and
slow: what is read, and deleted soon after, is then spread over the whole of a long table, of which PostgreSQL's memory
may hold a part only.  So all are kept at about the same place; and one that is far ahead, because others have a backlog
when it gets a job, still has its rows.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["rows_each"]

#: One part in so many of the rows is shared evenly.  The rest goes to those that were read least far: of the partitions
#: one in so many.
_PART = 4


def rows_each(marks: Sequence[int | None], rows_max: int) -> list[int]:
    """Return how many rows to read of each partition, at least one.

    *marks*: the highest place read of each, or None where its last look found its end: that one may have something new,
    and no backlog.  Together they are no more than *rows_max*, if that is at least their number.
    """
    count = len(marks)
    backlogs = sorted((mark, number) for number, mark in enumerate(marks) if mark is not None)
    if not backlogs:
        return [max(1, rows_max // count)] * count
    last = backlogs[: max(1, count // _PART)]
    rows = [max(1, rows_max // _PART // count)] * count
    more = max(0, rows_max - sum(rows)) // len(last)
    for _, number in last:
        rows[number] += more
    return rows
