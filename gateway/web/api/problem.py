"""Problem details for HTTP APIs (RFC 9457): the one form of every refusal of the API."""

from __future__ import annotations

from collections.abc import Callable

import flask
import msgspec
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from gateway import telemetry
from gateway.domain.errors import SwitchboardError, TryLater
from gateway.domain.http import status_line

__all__ = ["Problem", "Refusal", "problem", "problems_below", "refuse_with_problems"]

#: What Flask sends: a response, or its own page of an error.
Refusal = flask.Response | HTTPException


class Problem(msgspec.Struct, frozen=True):
    """Why something was not done."""

    title: str
    status: int
    detail: str
    #: Our own short stable word.
    reason: str


def problem(status: int, *, reason: str, detail: str, headers: dict[str, str] | None = None) -> flask.Response:
    """Return a refusal.  *reason* is our own short stable word; ``type`` is left at its default, ``about:blank``."""
    body = Problem(status_line(status).partition(" ")[2], status, detail, reason)
    return flask.Response(
        msgspec.json.encode(body),
        status,
        content_type="application/problem+json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def refuse_with_problems(pages: flask.Blueprint) -> None:
    """Have every error of *pages* answered so, our own crashes included."""
    pages.register_error_handler(SwitchboardError, _ours)
    pages.register_error_handler(HTTPException, _flasks)
    pages.register_error_handler(Exception, _crash)


def problems_below(app: flask.Flask, path: str, *, elsewhere: Callable[[HTTPException], Refusal]) -> None:
    """Have requests at *path* and below that are no blueprint's refused so: what is nowhere, or takes other methods.

    Those at other paths are refused as *elsewhere* says: Flask has one handler for all of an application's.
    """

    def refuse(error: HTTPException) -> Refusal:
        return _flasks(error) if f"{flask.request.path}/".startswith(path) else elsewhere(error)

    app.register_error_handler(HTTPException, refuse)


def _ours(error: SwitchboardError) -> flask.Response:
    headers = {"Retry-After": str(max(1, round(error.retry_after_s)))} if isinstance(error, TryLater) else None
    return problem(error.status, reason=error.reason, detail=str(error), headers=headers)


def _flasks(error: HTTPException) -> flask.Response:
    status = error.code or 500
    methods = error.valid_methods if isinstance(error, MethodNotAllowed) else None
    if isinstance(error, NotFound):
        return problem(status, reason=f"http_{status}", detail="nothing is at this address")
    if isinstance(error, RequestEntityTooLarge):
        detail = f"expected a body of at most {flask.request.max_content_length} bytes"
        return problem(status, reason=f"http_{status}", detail=detail)
    if methods is None:
        return problem(status, reason=f"http_{status}", detail=error.description or "")
    # RFC 9110, section 15.5.6: it must say what may be asked here.
    allowed = ", ".join(sorted(methods))
    detail = f"expected one of {allowed}, got {flask.request.method[:40]}"
    return problem(status, reason=f"http_{status}", detail=detail, headers={"Allow": allowed})


def _crash(error: Exception) -> flask.Response:
    telemetry.event(
        "request.crashed",
        route=flask.request.endpoint or "",
        reason=type(error).__name__,
        detail=telemetry.trace(error),
    )
    return problem(500, reason="crashed", detail="our own code failed; the log says where")
