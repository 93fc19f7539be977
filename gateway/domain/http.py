"""One HTTP call as plain values: what every webhook handler takes and returns.

Handlers of hot routes are functions ``Request -> Response``.  The same function is reached through Flask and through
the express table ahead of it, so neither value knows of WSGI.  Header names are lower case; a header that came twice
is joined with ``", "`` by the server (RFC 9110, section 5.3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus

import msgspec

from gateway.domain.errors import SwitchboardError, TryLater

__all__ = [
    "WITHOUT_CONTENT",
    "Request",
    "Response",
    "error_response",
    "json_response",
    "status_line",
    "text_response",
]

#: Statuses whose answers have no content, and say nothing of any (RFC 9110, sections 8.6, 15.3.5 and 15.4.5).
WITHOUT_CONTENT = frozenset({204, 304})
#: With RFC 9110's phrases, where this Python may still have those of RFC 7231.
_STATUS_LINES = {
    **{status.value: f"{status.value} {status.phrase}" for status in HTTPStatus},
    413: "413 Content Too Large",
    414: "414 URI Too Long",
    416: "416 Range Not Satisfiable",
    422: "422 Unprocessable Content",
}


class Request(msgspec.Struct, frozen=True):
    """What arrived.  ``path`` is decoded, ``query`` is the raw string after the question mark."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    def header(self, name: str) -> str:
        """Return the header *name* (lower case), or an empty string."""
        return self.headers.get(name, "")


class Response(msgspec.Struct, frozen=True):
    """What leaves.  ``headers`` are pairs, because ``Set-Cookie`` may stand twice."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    #: Told once, after the last byte was handed to the socket (True) or could not be (False).
    written: Callable[[bool], None] | None = None


def status_line(status: int) -> str:
    """Return the number with its phrase, which is for people: ``404 Not Found``."""
    return _STATUS_LINES.get(status) or f"{status} Unknown"


def json_response(value: object, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """Return *value* as a JSON body."""
    return Response(status, msgspec.json.encode(value), "application/json", headers)


def text_response(text: str, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """Return *text* as a plain body."""
    return Response(status, text.encode(), headers=headers)


def error_response(error: SwitchboardError) -> Response:
    """Return the HTTP form of one of our own errors: its status, its reason and what to do."""
    headers: tuple[tuple[str, str], ...] = ()
    if isinstance(error, TryLater):
        headers = (("Retry-After", str(max(1, round(error.retry_after_s)))),)
    return json_response({"error": error.reason, "message": str(error)}, error.status, headers)
