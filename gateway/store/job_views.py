"""Jobs as an operator sees them: lists, one whole, and how many there are.  Changes nothing.

Lists show no payload; one job alone is shown with everything that the ledger has of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from psycopg2.extensions import cursor as Cursor

from gateway.domain.resilience.priority import Priority

__all__ = ["Counted", "JobLetter", "JobSummary", "JobView", "State", "census", "list_jobs", "show"]

State = Literal["ready", "scheduled", "done", "buried"]
Word = Literal["high", "normal", "low"]

#: Rows of a state that are counted one by one, and pages of the table that are looked at where there are more: some
#: milliseconds either way.
_COUNTED_ROWS_MAX = 20_000
_SAMPLED_PAGES_MAX = 1_000
#: Jobs ahead of one in its lane that are counted; where there are more it is not said how many.
AHEAD_MAX = 10_000


class Counted(msgspec.Struct, frozen=True):
    """Jobs of one kind and state; an estimate where there are very many."""

    kind: str
    state: State
    jobs: int
    #: Seconds for which the oldest has been due, or at its end.
    oldest_s: float


class JobSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a list.  Times are Unix seconds."""

    job_id: int
    kind: str
    state: State
    #: Its kind is paused.
    paused: bool
    lane: str | None
    priority: Word
    #: Tries that have failed; processes that died while they had it.
    attempts: int
    deaths: int
    created_at: float
    #: Not to be started before: of a ready one the time of its next try, for which its lane waits.
    due_at: float
    finished_at: float | None
    #: Of the last try that failed, or why it was given up.
    reason: str


class JobLetter(msgspec.Struct, frozen=True, kw_only=True):
    """Once given up, or dropped."""

    letter_id: int
    reason: str
    detail: str
    created_at: float
    closed_at: float | None
    #: retried or dropped; empty: it is open.
    closed_as: str


class JobView(JobSummary, frozen=True, kw_only=True):
    """All of one job."""

    partition: int
    place: int
    unique: str | None
    keep_s: float
    expires_at: float | None
    trace_id: str
    detail: str
    payload: msgspec.Raw
    progress: msgspec.Raw | None
    result: msgspec.Raw | None
    #: Jobs of its lane that run before it (of a scheduled one: if it joined the lane now), up to ``AHEAD_MAX``.
    ahead: int
    #: The worker that owns its partition.
    owner: str | None
    #: The worker that has read it, and may be running it.
    holder: str | None
    letters: tuple[JobLetter, ...] = ()


_SUMMARY = """
    SELECT j.id, j.kind, j.state, j.kind IN (SELECT kind FROM job_pauses), j.lane, j.priority, j.attempts, j.deaths,
    extract(epoch FROM j.created_at)::float8, extract(epoch FROM j.due_at)::float8,
    extract(epoch FROM j.finished_at)::float8, coalesce(j.reason, '')"""

# No index helps with all of these, on purpose: each would be written with every job.  A look at all rows is what an
# operator's rare question costs.
_LIST = f"""
    {_SUMMARY} FROM jobs j
    WHERE (%(kind)s IS NULL OR j.kind = %(kind)s) AND (%(state)s IS NULL OR j.state = %(state)s)
      AND (%(lane)s IS NULL OR j.lane = %(lane)s) AND (%(before)s IS NULL OR j.id < %(before)s)
    ORDER BY j.id DESC LIMIT %(rows)s"""

_VIEW = f"""
    {_SUMMARY}, j.partition, j.place, j.unique_key, j.keep_s, extract(epoch FROM j.expires_at)::float8,
           j.trace_id, coalesce(j.detail, ''), j.payload::text, j.progress::text, j.result::text,
           job_ahead(j.state, j.lane, j.place, %(ahead_max)s), job_owner(j.partition), job_holder(j.state, j.id)
    FROM jobs j WHERE j.id = %(id)s"""

_LETTERS = """
    SELECT id, reason, detail, extract(epoch FROM created_at)::float8, extract(epoch FROM closed_at)::float8,
           coalesce(closed_as, '')
    FROM dead_letters WHERE job_id = %s ORDER BY id"""


def list_jobs(
    cursor: Cursor,
    *,
    kind: str | None = None,
    state: State | None = None,
    lane: str | None = None,
    before: int | None = None,
    rows_max: int = 50,
) -> list[JobSummary]:
    """Return the jobs that were asked for last, newest first; *before* is the id that the last page ended with."""
    cursor.execute(
        _LIST,
        {"kind": kind, "state": state, "lane": lane, "before": before, "rows": rows_max},
    )
    return [JobSummary(**_summary(row)) for row in cursor.fetchall()]


def show(cursor: Cursor, job_id: int) -> JobView | tuple[JobLetter, ...]:
    """Return the job whole, or only what is left of one that is gone: its dead letters, most often none."""
    cursor.execute(_LETTERS, (job_id,))
    letters = tuple(_letter(row) for row in cursor.fetchall())
    cursor.execute(_VIEW, {"id": job_id, "ahead_max": AHEAD_MAX})
    row = cursor.fetchone()
    return letters if row is None else _view(row, letters)


def census(cursor: Cursor) -> list[Counted]:
    """Return how many jobs there are, by kind and state."""
    cursor.execute("SELECT * FROM jobs_census(%s, %s)", (_COUNTED_ROWS_MAX, _SAMPLED_PAGES_MAX))
    return sorted((Counted(*row) for row in cursor.fetchall()), key=lambda one: (one.kind, one.state))


def _summary(row: Sequence[Any]) -> dict[str, Any]:
    job_id, kind, state, paused, lane, priority, attempts, deaths, created_at, due_at, finished_at, reason = row
    return {
        "job_id": job_id,
        "kind": kind,
        "state": state,
        "paused": paused,
        "lane": lane,
        "priority": Priority(priority).name.lower(),
        "attempts": attempts,
        "deaths": deaths,
        "created_at": created_at,
        "due_at": due_at,
        "finished_at": finished_at,
        "reason": reason,
    }


def _view(row: Sequence[Any], letters: tuple[JobLetter, ...]) -> JobView:
    summary, rest = row[:12], row[12:]
    partition, place, unique, keep_s, expires_at, trace_id, detail, payload, progress, result, ahead, *who = rest
    owner, holder = who
    return JobView(
        **_summary(summary),
        partition=partition,
        place=place,
        unique=unique,
        keep_s=keep_s,
        expires_at=expires_at,
        trace_id=trace_id,
        detail=detail,
        payload=msgspec.Raw(payload.encode()),
        progress=_raw(progress),
        result=_raw(result),
        ahead=ahead,
        owner=owner,
        holder=holder,
        letters=letters,
    )


def _raw(text: str | None) -> msgspec.Raw | None:
    return None if text is None else msgspec.Raw(text.encode())


def _letter(row: Sequence[Any]) -> JobLetter:
    letter_id, reason, detail, created_at, closed_at, closed_as = row
    return JobLetter(
        letter_id=letter_id,
        reason=reason,
        detail=detail,
        created_at=created_at,
        closed_at=closed_at,
        closed_as=closed_as,
    )
