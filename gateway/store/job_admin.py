"""What operators do to jobs, and which kinds they have paused: ``ledger/job_admin.sql`` and the table ``job_pauses``.

PostgreSQL keeps it all; Redis only makes it quick (:mod:`gateway.jobs.admin`).
"""

from __future__ import annotations

from typing import Any

import msgspec
from psycopg2.extensions import cursor as Cursor

from gateway.domain.errors import BadRequest, Conflict, NotFound, Overloaded
from gateway.store.ledger.process import Process
from gateway.store.postgres import Database

__all__ = [
    "PAUSES_MAX", "Dropped", "Pause", "Retried", "drop", "dropped", "list_pauses", "pause", "read_pauses", "resume",
    "retried", "retry", "unowned_partitions",
]  # fmt: skip

#: Kinds that may be paused at once: every worker reads them all, twice a second.
PAUSES_MAX = 1_000

_PAUSES = "SELECT kind, by, extract(epoch FROM at)::float8, reason FROM job_pauses ORDER BY kind"
#: The bound is not exact under two pauses at once, and need not be.
_PAUSE = """
    INSERT INTO job_pauses (kind, by, reason) SELECT %(kind)s, %(by)s, %(reason)s
    WHERE (SELECT count(*) FROM job_pauses WHERE kind <> %(kind)s) < %(most)s
    ON CONFLICT (kind) DO UPDATE SET by = EXCLUDED.by, reason = EXCLUDED.reason, at = clock_timestamp()
    RETURNING kind, by, extract(epoch FROM at)::float8, reason"""


class Pause(msgspec.Struct, frozen=True):
    """A kind of which no worker starts a job."""

    kind: str
    #: The person, as far as that is known.
    by: str
    #: Unix seconds.
    at: float
    reason: str


class Retried(msgspec.Struct, frozen=True):
    """A buried job that is ready again, at its lane's end."""

    job_id: int
    partition: int
    priority: int


class Dropped(msgspec.Struct, frozen=True):
    """A job that is no more."""

    job_id: int
    partition: int
    #: The worker that had read it, by its label: it is told, but may be running it already.
    holder: str | None


def retry(cursor: Cursor, job_id: int, *, by: str) -> Retried:
    """Let a buried job start anew at its lane's end, with no failed try and no death to its name.

    :raises NotFound: there is no such job.
    :raises Conflict: it is not buried, or another unfinished job bears its unique key.
    """
    cursor.execute("SELECT * FROM job_retry(%s, %s)", (job_id, by))
    return retried(job_id, *_row(cursor))


def retried(job_id: int, outcome: str, partition: int, priority: int, other: int | None) -> Retried:
    """Return what ``job_retry`` has said, or raise as :func:`retry` does."""
    if outcome == "retried":
        return Retried(job_id, partition, priority)
    if outcome == "key_taken":
        raise Conflict(
            f"job {job_id} cannot be retried: job {other} bears its unique key and is not done yet",
            reason="key_taken",
        )
    raise _refused(job_id, outcome, f"job {job_id} is {outcome}: only what was buried can be retried")


def drop(cursor: Cursor, job_id: int, *, by: str) -> Dropped:
    """Forget a job that waits, is scheduled or was buried.

    :raises NotFound: there is no such job.
    :raises Conflict: it is done.
    """
    cursor.execute("SELECT * FROM job_drop(%s, %s)", (job_id, by))
    return dropped(job_id, *_row(cursor))


def dropped(job_id: int, outcome: str, partition: int, holder: str | None) -> Dropped:
    """Return what ``job_drop`` has said, or raise as :func:`drop` does."""
    if outcome == "dropped":
        return Dropped(job_id, partition, holder)
    raise _refused(job_id, outcome, f"job {job_id} is done: its result is forgotten by itself, in time")


def pause(cursor: Cursor, kind: str, *, by: str, reason: str) -> Pause:
    """Have no worker start a job of *kind*, until it is resumed.

    :raises Overloaded: too many kinds are paused.
    """
    cursor.execute(_PAUSE, {"kind": kind, "by": by, "reason": reason, "most": PAUSES_MAX})
    row = cursor.fetchone()
    if row is None:
        raise Overloaded(
            f"{PAUSES_MAX} kinds of jobs are paused already: resume some", reason="pauses_full", retry_after_s=60
        )
    return Pause(*row)


def resume(cursor: Cursor, kind: str) -> bool:
    """Let workers start jobs of *kind* again; False if it was not paused."""
    cursor.execute("DELETE FROM job_pauses WHERE kind = %s", (kind,))
    return cursor.rowcount > 0


def list_pauses(cursor: Cursor) -> list[Pause]:
    """Return the kinds that are paused, by name."""
    cursor.execute(_PAUSES)
    return [Pause(*row) for row in cursor.fetchall()]


def read_pauses(database: Database) -> frozenset[str]:
    """Return the names of the kinds that are paused: what a worker asks all the time.

    :raises StoreUnavailable: PostgreSQL does not answer, or has no schema yet.
    """
    return database.run(_paused_kinds)


def unowned_partitions(cursor: Cursor, process: Process, dead_after_s: float) -> int | None:
    """Return how many partitions no worker owns; None: it is another worker's turn to count.

    It is that of the one that has been there longest, so that each thing is counted once.
    """
    cursor.execute(
        "SELECT (SELECT count(*) FROM job_partitions WHERE owner_process IS NULL) WHERE %s = ("
        "SELECT min(id) FROM processes WHERE kind = 'worker' AND NOT draining"
        " AND beat > clock_timestamp() - make_interval(secs => %s))",
        (process.process_id, dead_after_s),
    )
    row = cursor.fetchone()
    return None if row is None else int(row[0])


def _paused_kinds(cursor: Cursor) -> frozenset[str]:
    cursor.execute("SELECT kind FROM job_pauses")
    return frozenset(row[0] for row in cursor.fetchall())


def _refused(job_id: int, outcome: str, why: str) -> BadRequest:
    if outcome == "gone":
        return NotFound(f"there is no job {job_id}: it is done, was dropped, or never was", reason="no_such_job")
    return Conflict(why, reason=f"job_{outcome}")


def _row(cursor: Cursor) -> tuple[Any, ...]:
    row = cursor.fetchone()
    assert row is not None, "these functions answer with one row"
    return row
