"""How jobs stand, for those who asked for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from psycopg2.extensions import cursor as Cursor

__all__ = ["JobStatus", "estimate", "statuses"]


class JobStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One job.  Times are Unix seconds."""

    job_id: int
    kind: str
    lane: str | None
    #: ready: in its lane, or running; scheduled: joins its lane when it is due; done and buried: ended.
    state: Literal["ready", "scheduled", "done", "buried"]
    #: Tries that have failed.
    attempts: int
    #: What its handler last said of its progress.
    progress: Any
    #: Of one that is done.
    result: Any
    #: Of the last try that failed, or why it was given up.
    reason: str
    detail: str
    created_at: float
    #: Not to be started before.
    due_at: float
    finished_at: float | None

    @property
    def ended(self) -> bool:
        """Return whether nothing more will come of it by itself."""
        return self.state in {"done", "buried"}


_STATUSES = """
    SELECT id, kind, lane, state, attempts, progress::text, result::text, coalesce(reason, ''), coalesce(detail, ''),
           extract(epoch FROM created_at)::float8, extract(epoch FROM due_at)::float8,
           extract(epoch FROM finished_at)::float8
    FROM jobs WHERE id = ANY (%s)
"""


def statuses(cursor: Cursor, job_ids: Sequence[int]) -> list[JobStatus | None]:
    """Return how jobs stand, in order; None: ended well with nothing kept, forgotten since, or never there."""
    cursor.execute(_STATUSES, (list(job_ids),))
    found = {row[0]: _status(row) for row in cursor.fetchall()}
    return [found.get(job_id) for job_id in job_ids]


def estimate(cursor: Cursor) -> int:
    """Return about how many jobs the ledger has: PostgreSQL's own count, which costs nothing to read.

    It is a second old, and 0 after PostgreSQL crashed, until the table is next analyzed.
    """
    cursor.execute("SELECT pg_stat_get_live_tuples('jobs'::regclass)")
    row = cursor.fetchone()
    assert row is not None, "a function answers with one row"
    return int(row[0])


def _status(row: tuple[Any, ...]) -> JobStatus:
    job_id, kind, lane, state, attempts, progress, result, reason, detail, created_at, due_at, finished_at = row
    return JobStatus(
        job_id=job_id,
        kind=kind,
        lane=lane,
        state=state,
        attempts=attempts,
        progress=_value(progress),
        result=_value(result),
        reason=reason,
        detail=detail,
        created_at=created_at,
        due_at=due_at,
        finished_at=finished_at,
    )


def _value(text: str | None) -> Any:
    return None if text is None else msgspec.json.decode(text)
