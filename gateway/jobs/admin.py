"""Jobs in the hands of operators: what ``switchboard jobs`` and the API do alike, and how workers hear of it.

What is ordered is committed first and told after, so that whoever looks finds it.  Fail-open: without Redis a pause is
found by ``jobs.poll_s`` and a retried job by a look; only a job that a worker had read before it was dropped may run
all the same.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence
from typing import get_args

import msgspec
from psycopg2.extensions import cursor as Cursor

from gateway.domain.errors import BadRequest, NotFound
from gateway.domain.hint import JobDropped, JobsPaused
from gateway.domain.resilience.orders import check_reason
from gateway.domain.text import clean
from gateway.store import job_admin, job_views
from gateway.store.job_admin import Dropped, Pause, Retried
from gateway.store.job_hints import JobHints
from gateway.store.job_views import Counted, JobSummary, JobView, State
from gateway.store.postgres import Database
from gateway.store.signals import Signals

__all__ = ["ROWS_MAX", "Asked", "JobAdmin", "Overview", "Tellers", "check_kind", "check_pause", "look", "near", "whole"]

#: Jobs of one list.
ROWS_MAX = 10_000
_LANE_CHARS_MAX = 256
_ID_MAX = 2**63 - 1
_KIND = re.compile(r"[a-z][a-z0-9_.-]{0,63}")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which jobs are to be listed; None: any."""

    kind: str | None = None
    state: State | None = None
    lane: str | None = None
    #: Only those asked for before the one of this id: the last one of the page before.
    before: int | None = None
    limit: int = 50

    def __post_init__(self) -> None:
        if self.kind is not None:
            check_kind(self.kind)
        if self.state is not None and self.state not in get_args(State):
            raise BadRequest(
                f"expected state to be one of {', '.join(get_args(State))}, got {self.state[:40]!r}", reason="bad_state"
            )
        if self.lane is not None and not (0 < len(self.lane) <= _LANE_CHARS_MAX and clean(self.lane) == self.lane):
            # Not the lane itself: it may name a person.
            raise BadRequest(
                f"expected a lane of 1 to {_LANE_CHARS_MAX} characters without NUL and lone surrogates, "
                f"got {len(self.lane)} characters",
                reason="bad_lane",
            )
        if self.before is not None and not 1 <= self.before <= _ID_MAX:
            raise BadRequest(f"expected before to be an id, from 1 on, got {self.before}", reason="bad_before")
        if not 1 <= self.limit <= ROWS_MAX:
            raise BadRequest(f"expected a limit from 1 to {ROWS_MAX}, got {self.limit}", reason="bad_limit")


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """Jobs that were asked about, how many there are at all, and which kinds are paused."""

    counts: Sequence[Counted]
    pauses: Sequence[Pause]
    jobs: Sequence[JobSummary]


def look(cursor: Cursor, asked: Asked) -> Overview:
    """Return what there is."""
    return Overview(
        counts=job_views.census(cursor),
        pauses=job_admin.list_pauses(cursor),
        jobs=job_views.list_jobs(
            cursor, kind=asked.kind, state=asked.state, lane=asked.lane, before=asked.before, rows_max=asked.limit
        ),
    )


def whole(cursor: Cursor, job_id: int) -> JobView:
    """Return one job with everything that is known of it.

    :raises NotFound: there is none; the message says what its last dead letter does.
    """
    found = job_views.show(cursor, job_id)
    if isinstance(found, JobView):
        return found
    if found:
        last = found[-1]
        why = f"{last.reason}: {last.detail}" if last.detail else last.reason
        closed = f" ({last.closed_as})" if last.closed_as and last.closed_as != last.reason else ""
        raise NotFound(f"job {job_id} is gone; its last dead letter says {why}{closed}", reason="job_gone")
    raise NotFound(f"there is no job {job_id}: it is done, or never was", reason="no_such_job")


def check_kind(kind: str) -> None:
    """Check that *kind* can be one.

    :raises BadRequest: it cannot.
    """
    if not _KIND.fullmatch(kind):
        raise BadRequest(
            f"expected a kind of lower-case letters, digits and _ . -, at most 64, got {kind[:80]!r}", reason="bad_kind"
        )


def check_pause(kind: str, reason: str) -> None:
    """Check what a person asks for.

    :raises BadRequest: *kind* is no word, or *reason* says nothing.
    """
    check_kind(kind)
    check_reason(reason)


def near(kind: str, known: Collection[str]) -> str | None:
    """Return the kind that may have been meant, where none of *known* is called *kind*."""
    if kind in known:
        return None
    return next(iter(difflib.get_close_matches(kind, known, n=1, cutoff=0.6)), None)


class Tellers:
    """Both ways to tell workers: all of them of pauses and drops, a partition's owner of a job to be run."""

    def __init__(self, signals: Signals, hints: JobHints) -> None:
        self._signals = signals
        self._hints = hints

    def retried(self, job: Retried) -> None:
        """Have the owner of its partition look."""
        self._hints.publish(job.partition, job.priority, [job.job_id])

    def dropped(self, job: Dropped) -> None:
        """Have whoever has read it forget it."""
        self._signals.publish("workers", JobDropped(job.job_id, job.partition))

    def paused(self) -> None:
        """Have all workers look at what is paused."""
        self._signals.publish("workers", JobsPaused())

    def flush(self) -> bool:
        """Send it now: for a process that is about to end.  False if Redis did not take the word."""
        return all([self._signals.flush(), self._hints.flush()])


class JobAdmin:
    """The same for a process that has a pool.

    Each method raises :exc:`StoreUnavailable` where PostgreSQL does not answer, or has no jobs yet.
    """

    def __init__(self, database: Database, tellers: Tellers) -> None:
        self._database = database
        self._tell = tellers

    def look(self, asked: Asked) -> Overview:
        """Return what there is."""
        return self._database.run(lambda cursor: look(cursor, asked))

    def show(self, job_id: int) -> JobView:
        """Return one job whole.

        :raises NotFound: there is none.
        """
        return self._database.run(lambda cursor: whole(cursor, job_id))

    def retry(self, job_id: int, *, by: str) -> Retried:
        """Let a buried job start anew at its lane's end.

        :raises NotFound: there is no such job.
        :raises Conflict: it is not buried, or another unfinished job bears its unique key.
        """
        retried = self._database.run(lambda cursor: job_admin.retry(cursor, job_id, by=by))
        self._tell.retried(retried)
        return retried

    def drop(self, job_id: int, *, by: str) -> Dropped:
        """Forget a job that is not done.

        :raises NotFound: there is no such job.
        :raises Conflict: it is done.
        """
        dropped = self._database.run(lambda cursor: job_admin.drop(cursor, job_id, by=by))
        self._tell.dropped(dropped)
        return dropped

    def pause(self, kind: str, *, by: str, reason: str) -> Pause:
        """Have no worker start a job of *kind*, until it is resumed.

        :raises BadRequest: *kind* is no word, or *reason* says nothing.
        :raises Overloaded: too many kinds are paused.
        """
        check_pause(kind, reason)
        paused = self._database.run(lambda cursor: job_admin.pause(cursor, kind, by=by, reason=reason))
        self._tell.paused()
        return paused

    def resume(self, kind: str) -> bool:
        """Let workers start jobs of *kind* again; False if it was not paused.

        :raises BadRequest: *kind* is no word.
        """
        check_kind(kind)
        resumed = self._database.run(lambda cursor: job_admin.resume(cursor, kind))
        if resumed:
            self._tell.paused()
        return resumed
