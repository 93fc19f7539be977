"""``/api/v1/jobs``: asks for jobs, shows what waits for workers and what was given up, and does what operators want.

Whether a worker has a handler for a kind is not known here.  A lane whose next job is of a paused kind waits behind it.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.domain.errors import BadRequest, NotFound
from gateway.domain.resilience.priority import Priority
from gateway.jobs.admin import ROWS_MAX, Asked, JobAdmin, Overview
from gateway.jobs.drafts import DELAY_S_MAX, KEEP_S_MAX, WORD_CHARS_MAX
from gateway.jobs.jobs import Jobs as JobQueue
from gateway.jobs.kinds import OWN_KINDS
from gateway.store.job_admin import Dropped, Pause, Retried
from gateway.store.job_views import JobView, State
from gateway.web.api.fields import Id, Reason, Time
from gateway.web.api.operation import Caller, Located, operation

__all__ = ["Jobs"]

_BODY_BYTES_MAX = 8_192
_PRIORITIES = {one.name.lower(): one for one in Priority}

_Kind = Annotated[
    str,
    Meta(pattern=r"^[a-z][a-z0-9_.-]{0,63}$", description="a word of lower-case letters, digits and _ . -, at most 64"),
]
_Word = Annotated[str, Meta(min_length=1, max_length=WORD_CHARS_MAX)]


class JobsAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Which jobs are to be listed."""

    kind: _Kind | None = None
    state: State | None = None
    lane: _Word | None = None
    #: Only those asked for before the one of this id.
    before: Id | None = None
    limit: Annotated[int, Meta(ge=1, le=ROWS_MAX)] = 50


class JobList(Overview, frozen=True, kw_only=True):
    """The newest jobs, how many there are by kind and state, and which kinds are paused."""

    next: int | None


class NewJob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A job that is asked for."""

    kind: _Kind
    #: As it was written: a number may have more digits than ours.
    payload: msgspec.Raw
    lane: _Word | None = None
    #: A time with a zone, or Unix seconds.
    run_at: float | Time | None = None
    delay_s: Annotated[float, Meta(ge=0, le=DELAY_S_MAX)] | None = None
    #: While an unfinished job bears it no other is written.
    unique: _Word | None = None
    priority: Literal["high", "normal", "low"] = "normal"
    keep_s: Annotated[float, Meta(ge=0, le=KEEP_S_MAX)] = 0.0


class JobHeaders(msgspec.Struct, frozen=True):
    """The unique key, where the body has none."""

    unique: _Word | None = msgspec.field(name="Idempotency-Key", default=None)


class Written(msgspec.Struct, frozen=True):
    """A job that is in the ledger."""

    job_id: int
    #: False: it bears the unique key, and was there before.
    fresh: bool


class NewPause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why no job of a kind is to be started."""

    reason: Reason


class Jobs:
    """The operations."""

    def __init__(self, admin: JobAdmin, queue: JobQueue, *, payload_bytes_max: int) -> None:
        self._admin = admin
        self._queue = queue
        self.body_bytes_max = payload_bytes_max + _BODY_BYTES_MAX

    @operation("GET", "/jobs", scope="jobs:read")
    def list(self, query: JobsAsked) -> JobList:
        """Show the newest jobs, how many there are by kind and state, and which kinds are paused."""
        found = self._admin.look(
            Asked(kind=query.kind, state=query.state, lane=query.lane, before=query.before, limit=query.limit)
        )
        more = len(found.jobs) == query.limit
        return JobList(
            counts=found.counts,
            pauses=found.pauses,
            jobs=found.jobs,
            next=found.jobs[-1].job_id if more else None,
        )

    # Programs ask for thousands a second: no line in the log for each.
    @operation("POST", "/jobs", scope="jobs:write", status=202, body_bytes_max="body_bytes_max", logged=False)
    def enqueue(self, headers: JobHeaders, body: NewJob) -> Located[Written]:
        """Ask for a job: it is committed, and a worker will run it.

        While an unfinished job bears the same unique key no other is written, and the answer names that one.  The
        platform's own kinds cannot be asked for here: what they belong to has operations of its own.
        """
        if body.kind in OWN_KINDS:
            # Else who may ask for jobs could erase people, and speak in an assistant's name.
            raise BadRequest(
                f"expected a kind of your own, got {body.kind!r}, which is the platform's: ask for what it belongs to "
                "(POST /conversations/{conversation_id}/messages, /users/erase, /dead-letters/{letter_id}/retry)",
                reason="own_kind",
            )
        _check_payload(body.payload)
        enqueued = self._queue.enqueue(
            body.kind,
            body.payload,
            lane=body.lane,
            run_at=body.run_at,
            delay_s=body.delay_s,
            unique=headers.unique if body.unique is None else body.unique,
            priority=_PRIORITIES[body.priority],
            keep_s=body.keep_s,
        )
        return Located(Written(enqueued.job_id, enqueued.fresh), f"/jobs/{enqueued.job_id}")

    @operation("GET", "/jobs/{job_id}", scope="jobs:read")
    def show(self, job_id: int) -> JobView:
        """Show one job with its payload, result, progress and dead letters."""
        return self._admin.show(job_id)

    @operation("POST", "/jobs/{job_id}/retry", scope="jobs:write", problems=(409,))
    def retry(self, job_id: int, caller: Caller) -> Retried:
        """Let a buried job start anew, at its lane's end."""
        return self._admin.retry(job_id, by=caller.by)

    @operation("DELETE", "/jobs/{job_id}", scope="jobs:write", problems=(409,))
    def drop(self, job_id: int, caller: Caller) -> Dropped:
        """Forget a job that is not done.

        `holder` is the worker that had read it, and may be running it.
        """
        return self._admin.drop(job_id, by=caller.by)

    @operation("PUT", "/jobs/pauses/{kind}", scope="jobs:write")
    def pause(self, kind: _Kind, body: NewPause, caller: Caller) -> Pause:
        """Have no worker start a job of this kind, until the pause is taken back."""
        return self._admin.pause(kind, by=caller.by, reason=body.reason)

    @operation("DELETE", "/jobs/pauses/{kind}", scope="jobs:write")
    def resume(self, kind: _Kind) -> None:
        """Have jobs of this kind started again."""
        if not self._admin.resume(kind):
            raise NotFound(f"jobs of kind {kind[:80]!r} are not paused", reason="not_paused")


def _check_payload(payload: msgspec.Raw) -> None:
    # What is left as it was written has only been passed over.
    try:
        msgspec.json.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"expected a payload in JSON, got what is none: {error}", reason="bad_body") from None
