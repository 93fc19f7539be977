"""One HTTP call as plain values: what every webhook handler takes and returns.

Handlers of hot routes are functions ``Request -> Response``.  The same function is reached through Flask and through
the express table ahead of it, so neither value knows of WSGI.  Header names are lower case; a header that came twice
is joined with ``", "`` by the server (RFC 9110, section 5.3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from gateway.domain.errors import SwitchboardError, TryLater

__all__ = ["Request", "Response", "error_response", "json_response", "text_response"]


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
