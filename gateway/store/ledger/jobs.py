"""Jobs in the ledger: asked for, read by their partition's owner, settled.  The rules are in ``jobs.sql``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import gevent
import msgspec
import psycopg2
from psycopg2.extensions import cursor as Cursor

from gateway.domain.errors import BadRequest, TryLater
from gateway.domain.job import Draft, Enqueued, Job, JobEnd
from gateway.store.ledger.process import Process

__all__ = [
    "Pull", "Scan", "Settled", "accuse", "enqueue", "enqueue_and_commit", "progress", "promote", "scan", "scan_lanes",
    "settle",
]  # fmt: skip

_ENQUEUE = (
    "SELECT * FROM jobs_enqueue(%s::text[], %s::text[], %s::smallint[], %s::text[], %s::float8[], %s::text[],"
    " %s::float8[], %s::text[])"
)

_encode = msgspec.json.Encoder().encode


class Pull(msgspec.Struct, frozen=True):
    """What is wanted of one partition and priority: up to ``rows_max`` jobs from behind a place on."""

    partition: int
    priority: int
    behind: int
    rows_max: int


class Scan(msgspec.Struct, frozen=True):
    """What a look brought, and between which transactions it was made (``jobs_scan`` says what that is good for)."""

    low: int
    high: int
    jobs: list[Job]


class Settled(msgspec.Struct, frozen=True):
    """Partitions that are still ours, under which fences, and jobs that were written.

    A partition has one fence in the ledger, so of the ends of one call only those under its highest one are written.
    One of an earlier ownership may be another run of the same job, so who wants to know asks by the job as it was read.
    """

    held: frozenset[int]
    changed: frozenset[int]
    fences: Mapping[int, int]

    def wrote(self, job: Job) -> bool:
        """Return whether the end of this run was written."""
        return job.job_id in self.changed and self.fences[job.partition] == job.fence

    def holds(self, job: Job) -> bool:
        """Return whether the job's partition is still ours, under the fence of its read."""
        return job.partition in self.held and self.fences[job.partition] == job.fence


def enqueue(cursor: Cursor, drafts: Sequence[Draft]) -> list[Enqueued]:
    """Write jobs in the cursor's transaction, in order.

    :raises BadRequest: a payload cannot be written as JSON.
    """
    cursor.execute(_ENQUEUE, _columns(drafts))
    return [Enqueued(*row) for row in cursor.fetchall()]


def enqueue_and_commit(cursor: Cursor, drafts: Sequence[Draft]) -> list[Enqueued]:
    """Write jobs in a transaction of their own, on a connection in autocommit mode.

    The commit is a step of its own, so that only its answer can leave a doubt when it is lost.  Any other error means
    that nothing was written, and the same may be tried again.

    :raises TryLater: nobody knows whether they were written (``commit_unknown``).
    """
    try:
        cursor.execute("BEGIN;" + _ENQUEUE, _columns(drafts))
    except (psycopg2.Error, ValueError):
        if not cursor.connection.closed:
            cursor.execute("ROLLBACK")
        raise
    enqueued = [Enqueued(*row) for row in cursor.fetchall()]
    try:
        cursor.execute("COMMIT")
    except (psycopg2.Error, gevent.Timeout) as error:
        raise TryLater(
            "PostgreSQL did not say whether the jobs were written; ask again with a unique key, or look for them",
            reason="commit_unknown",
            retry_after_s=2,
        ) from error
    return enqueued


def scan(
    cursor: Cursor,
    process: Process,
    pulls: Sequence[Pull],
    fences: Mapping[int, int],
    *,
    known: Iterable[int] = (),
    skip_lanes: Sequence[str] = (),
    skip_kinds: Sequence[str] = (),
    finishing: Sequence[int] = (),
) -> Scan:
    """Read ready jobs of partitions that this process owns, but for those at *known* places; *fences* are theirs.

    What is of *skip_kinds*, or behind such a one in its lane, is left out, unless that one's place is in *finishing*.
    With any, each lane that is read shows the last job that it has below its pull, too: that one is not claimed.
    """
    cursor.execute(
        "SELECT * FROM jobs_scan(%s, %s, %s::smallint[], %s::smallint[], %s::bigint[], %s::integer[], %s::bigint[],"
        " %s::text[], %s::text[], %s::bigint[])",
        (
            process.process_id,
            process.epoch,
            [pull.partition for pull in pulls],
            [pull.priority for pull in pulls],
            [pull.behind for pull in pulls],
            [pull.rows_max for pull in pulls],
            # Written by hand: there may be thousands.
            f"{{{','.join(map(str, known))}}}",
            list(skip_lanes),
            list(skip_kinds),
            list(finishing),
        ),
    )
    rows = cursor.fetchall()
    return Scan(rows[0][0], rows[0][1], [_job(row[2:], fences) for row in rows if row[3] is not None])


def scan_lanes(
    cursor: Cursor, process: Process, lanes: Mapping[str, int], fences: Mapping[int, int], rows_max: int
) -> list[Job]:
    """Read up to *rows_max* jobs of each lane, from behind the place that is given with it."""
    cursor.execute(
        "SELECT * FROM jobs_scan_lanes(%s, %s, %s::text[], %s::bigint[], %s)",
        (process.process_id, process.epoch, list(lanes), list(lanes.values()), rows_max),
    )
    return [_job(row, fences) for row in cursor.fetchall()]


def settle(
    cursor: Cursor, process: Process, ends: Sequence[JobEnd], ended_claims: Sequence[int] = ()
) -> Settled:
    """Write what became of jobs: of a partition's only those under its highest fence, as ``Settled`` says."""
    fences: dict[int, int] = {}
    for end in ends:
        if end.job.fence > fences.get(end.job.partition, 0):
            fences[end.job.partition] = end.job.fence
    # The others may not pass under the later fence, nor make that one look lost.
    ends = [end for end in ends if end.job.fence == fences[end.job.partition]]
    done = [end.job.job_id for end in ends if end.fate == "done" and not end.job.keep_s]
    rest = [end for end in ends if end.fate != "done" or end.job.keep_s]
    cursor.execute(
        "SELECT * FROM jobs_settle(%s, %s::smallint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],"
        " %s::text[], %s::text[], %s::text[], %s::text[], %s::float8[], %s::integer[], %s::bigint[])",
        (
            process.process_id,
            list(fences),
            list(fences.values()),
            done,
            [end.job.job_id for end in rest],
            [end.job.place for end in rest],
            [end.fate for end in rest],
            [end.result for end in rest],
            [end.reason or None for end in rest],
            [end.detail or None for end in rest],
            [end.after_s for end in rest],
            [end.attempts for end in rest],
            list(ended_claims),
        ),
    )
    row = cursor.fetchone()
    assert row is not None, "jobs_settle answers with one row"
    return Settled(frozenset(row[0]), frozenset(row[1]), fences)


def accuse(cursor: Cursor, process: Process, suspect: Job) -> bool:
    """Say that this suspect is about to be run; return whether its partition is still ours."""
    cursor.execute(
        "SELECT jobs_accuse(%s, %s::smallint, %s, %s, %s)",
        (process.process_id, suspect.partition, suspect.fence, suspect.job_id, suspect.place),
    )
    row = cursor.fetchone()
    assert row is not None, "a function answers with one row"
    return bool(row[0])


def progress(cursor: Cursor, process: Process, reports: Sequence[tuple[Job, str]]) -> None:
    """Write what running jobs say of their progress, as JSON; of those whose partition is not ours any more nothing."""
    cursor.execute(
        "SELECT jobs_progress(%s, %s::smallint[], %s::bigint[], %s::bigint[], %s::text[])",
        (
            process.process_id,
            [job.partition for job, _ in reports],
            [job.fence for job, _ in reports],
            [job.job_id for job, _ in reports],
            [value for _, value in reports],
        ),
    )


def promote(cursor: Cursor, partitions: Sequence[int], rows_max: int) -> tuple[int, float | None]:
    """Let due jobs join their lanes; return how many, and the seconds until the next is due, if any is scheduled."""
    cursor.execute("SELECT * FROM jobs_promote(%s::smallint[], %s)", (list(partitions), rows_max))
    row = cursor.fetchone()
    assert row is not None, "an aggregate answers with one row"
    return int(row[0]), row[1]


def _columns(drafts: Sequence[Draft]) -> tuple[list[Any], ...]:
    return (
        [draft.kind for draft in drafts],
        [draft.lane for draft in drafts],
        [int(draft.priority) for draft in drafts],
        [_json(draft) for draft in drafts],
        [draft.run_at for draft in drafts],
        [draft.unique for draft in drafts],
        [draft.keep_s for draft in drafts],
        [draft.trace_id for draft in drafts],
    )


def _json(draft: Draft) -> str:
    try:
        return _encode(draft.payload).decode()
    except (TypeError, ValueError) as error:
        raise BadRequest(
            f"expected a payload that can be written as JSON, got for kind {draft.kind!r}: {error}",
            reason="bad_payload",
        ) from None


def _job(row: tuple[Any, ...], fences: Mapping[int, int]) -> Job:
    claim, job_id, place, partition, priority, *rest = row
    kind, lane, payload, attempts, deaths, wait_s, keep_s, trace_id, age_s = rest
    return Job(
        job_id, place, partition, fences[partition], priority, kind, lane, payload, attempts, deaths, wait_s, keep_s,
        trace_id, age_s, claim,
    )  # fmt: skip
