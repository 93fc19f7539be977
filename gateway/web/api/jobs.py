"""``/api/v1/jobs``: asks for jobs, shows what waits for workers and what was given up, and does what operators want.

| request                       | answer                                                                            |
|-------------------------------|-----------------------------------------------------------------------------------|
| `GET /jobs`                   | the newest jobs, how many there are by kind and state, which kinds are paused      |
| `POST /jobs`                  | 202 with `Location` and {job_id, fresh}: it is committed, and a worker will run it |
| `GET /jobs/<id>`              | one job with its payload, result, progress and dead letters                        |
| `POST /jobs/<id>/retry`       | 200: a buried job is ready again, at its lane's end; 409 where it is not buried    |
| `DELETE /jobs/<id>`           | 200: it is dropped; `holder` is the worker that had read it, and may be running it |
| `PUT /jobs/pauses/<kind>`     | 200 and the pause: no worker starts a job of this kind until it is taken back      |
| `DELETE /jobs/pauses/<kind>`  | 204; 404 if it was not paused                                                      |

`GET /jobs` takes `kind`, `state` (ready, scheduled, done, buried), `lane`, `limit`, and `before` with the last id of
the page before.  The body of PUT is ``{"reason": "..."}``.  A lane whose next job is of a paused kind waits behind it.

The body of POST has `kind` and `payload`, and may have `lane`, `run_at` (a time with a zone, or Unix seconds) or
`delay_s`, `unique`, `priority` (high, normal, low) and `keep_s`, as :meth:`gateway.jobs.jobs.Jobs.enqueue` has them.
The header ``Idempotency-Key`` is a `unique` key: while an unfinished job bears it no other is written, `fresh` is
false, and the answer names that one.  Whether a worker has a handler for the kind is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import get_args

import flask
import msgspec

from gateway.domain.errors import BadRequest, NotFound
from gateway.domain.resilience.priority import Priority
from gateway.jobs.admin import Asked, JobAdmin
from gateway.jobs.drafts import WORD_CHARS_MAX
from gateway.jobs.jobs import Jobs
from gateway.settings.secret import Secret
from gateway.store.job_views import State
from gateway.web.api.bearer import bearer_guard
from gateway.web.api.problem import refuse_with_problems

__all__ = ["job_pages"]

_BODY_BYTES_MAX = 8_192
_ID_MAX = 2**63 - 1
_NUMBERS = ("before", "limit")
_NUMBER = re.compile(r"-?[0-9]{1,19}")
_PRIORITIES = {one.name.lower(): one for one in Priority}


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of PUT."""

    reason: str


class NewJob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of POST."""

    kind: str
    #: As it was written: a number may have more digits than ours.
    payload: msgspec.Raw
    lane: str | None = None
    run_at: float | datetime | None = None
    delay_s: float | None = None
    unique: str | None = None
    priority: str = "normal"
    keep_s: float = 0.0


class Written(msgspec.Struct, frozen=True):
    """The answer to POST."""

    job_id: int
    fresh: bool


def job_pages(
    admin: JobAdmin, jobs: Jobs, tokens: Sequence[Secret], *, payload_bytes_max: int
) -> flask.Blueprint:
    """Return the routes."""
    pages = flask.Blueprint("api_jobs", __name__, url_prefix="/api/v1/jobs")
    pages.before_request(bearer_guard(tokens))
    refuse_with_problems(pages)
    views = _Jobs(admin, jobs, payload_bytes_max + _BODY_BYTES_MAX)
    pages.add_url_rule("", "list", views.list, methods=["GET"])
    pages.add_url_rule("", "enqueue", views.enqueue, methods=["POST"])
    pages.add_url_rule("/<int:job_id>", "show", views.show, methods=["GET"])
    pages.add_url_rule("/<int:job_id>", "drop", views.drop, methods=["DELETE"])
    pages.add_url_rule("/<int:job_id>/retry", "retry", views.retry, methods=["POST"])
    pages.add_url_rule("/pauses/<kind>", "pause", views.pause, methods=["PUT"])
    pages.add_url_rule("/pauses/<kind>", "resume", views.resume, methods=["DELETE"])
    return pages


class _Jobs:
    """The views."""

    def __init__(self, admin: JobAdmin, jobs: Jobs, body_bytes_max: int) -> None:
        self._admin = admin
        self._jobs = jobs
        self._body_bytes_max = body_bytes_max

    def list(self) -> flask.Response:
        """Show what there is."""
        return _json(self._admin.look(_asked()))

    def enqueue(self) -> flask.Response:
        """Ask for one."""
        wanted = _new_job(self._body_bytes_max)
        enqueued = self._jobs.enqueue(
            wanted.kind,
            wanted.payload,
            lane=wanted.lane,
            run_at=wanted.run_at,
            delay_s=wanted.delay_s,
            unique=_idempotency_key() if wanted.unique is None else wanted.unique,
            priority=_PRIORITIES[wanted.priority],
            keep_s=wanted.keep_s,
        )
        response = _json(Written(enqueued.job_id, enqueued.fresh))
        response.status_code = 202
        response.headers["Location"] = flask.url_for(".show", job_id=enqueued.job_id)
        return response

    def show(self, job_id: int) -> flask.Response:
        """Show one whole."""
        return _json(self._admin.show(_id(job_id)))

    def retry(self, job_id: int) -> flask.Response:
        """Let a buried one start anew."""
        return _json(self._admin.retry(_id(job_id), by=_by()))

    def drop(self, job_id: int) -> flask.Response:
        """Forget one."""
        return _json(self._admin.drop(_id(job_id), by=_by()))

    def pause(self, kind: str) -> flask.Response:
        """Have none of a kind started."""
        return _json(self._admin.pause(kind, by=_by(), reason=_wanted().reason))

    def resume(self, kind: str) -> flask.Response:
        """Have them started again."""
        if not self._admin.resume(kind):
            raise NotFound(f"jobs of kind {kind[:80]!r} are not paused", reason="not_paused")
        return flask.Response(status=204)


def _asked() -> Asked:
    known = Asked.__struct_fields__
    given = flask.request.args.to_dict()
    if strange := sorted(set(given) - set(known)):
        raise BadRequest(f"expected only {', '.join(known)}, got {strange[0][:40]!r}", reason="bad_query")
    for name, texts in flask.request.args.lists():
        if len(texts) > 1:
            raise BadRequest(f"expected {name} once, got it {len(texts)} times", reason="bad_query")
        if name in _NUMBERS and not _NUMBER.fullmatch(texts[0]):
            raise BadRequest(
                f"expected {name} as a whole number of at most 19 digits, got {texts[0][:40]!r}", reason="bad_query"
            )
    state = given.get("state")
    if state is not None and state not in get_args(State):
        raise BadRequest(
            f"expected state to be one of {', '.join(get_args(State))}, got {state[:40]!r}", reason="bad_query"
        )
    # Words of a query are texts: "7" is a number where one is wanted.
    return msgspec.convert(given, Asked, strict=False)


def _id(job_id: int) -> int:
    if job_id > _ID_MAX:
        raise NotFound("there is no job of such a number", reason="no_such_job")
    return job_id


def _wanted() -> Wanted:
    flask.request.max_content_length = _BODY_BYTES_MAX
    try:
        return msgspec.json.decode(flask.request.get_data(), type=Wanted)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"expected a JSON object with a reason, {_got(error)}", reason="bad_body") from None


def _new_job(body_bytes_max: int) -> NewJob:
    flask.request.max_content_length = body_bytes_max
    try:
        wanted = msgspec.json.decode(flask.request.get_data(), type=NewJob)
        # What is left as it was written has only been passed over.
        msgspec.json.decode(wanted.payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(
            f"expected a JSON object with kind and payload, and perhaps {', '.join(NewJob.__struct_fields__[2:])}, "
            f"{_got(error)}",
            reason="bad_body",
        ) from None
    if wanted.priority not in _PRIORITIES:
        raise BadRequest(
            f"expected priority to be one of {', '.join(_PRIORITIES)}, got {wanted.priority[:40]!r}",
            reason="bad_priority",
        )
    return wanted


def _got(error: Exception) -> str:
    return f"got what is none: {error}" if flask.request.get_data().strip() else "got an empty body"


def _idempotency_key() -> str | None:
    key = flask.request.headers.get("Idempotency-Key")
    if key is not None and not 0 < len(key) <= WORD_CHARS_MAX:
        raise BadRequest(
            f"expected the header Idempotency-Key with 1 to {WORD_CHARS_MAX} characters, got {len(key)}",
            reason="bad_unique",
        )
    return key


def _by() -> str:
    return f"api ({flask.request.remote_addr or 'unknown'})"


def _json(value: object) -> flask.Response:
    return flask.Response(
        msgspec.json.encode(value), content_type="application/json", headers={"Cache-Control": "no-store"}
    )
