"""The values of a call: where it goes, what is sent, what came back."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.domain.deadline import Deadline
from gateway.rpc.timeouts import Timeouts

__all__ = ["Call", "CallResult", "Endpoint", "RawHeaders", "find_header", "header_map"]

RawHeaders = list[tuple[bytes, bytes]]


class Endpoint(msgspec.Struct, frozen=True):
    """The unit of isolation: every endpoint has its own pool and circuit breaker.

    ``base_url`` is ``http://``, ``https://`` or ``http+unix://%2Fpath%2Fof.sock``, with an optional path
    prefix.
    """

    name: str
    base_url: str


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request."""

    endpoint: Endpoint
    method: str
    #: Appended to the base URL's path; begins with ``/`` or is empty; may hold a query.
    path: str = ""
    #: Framing, Host and the like are the client's own and refused here.
    headers: Mapping[str, str] = {}
    body: bytes = b""
    deadline: Deadline
    #: Doing it twice changes nothing: it may be sent again if the connection died before an answer's first
    #: byte.
    idempotent: bool = False
    #: None: the setting ``rpc.body_bytes_max``.
    body_bytes_max: int | None = None
    #: None: the settings.  Change some of them with ``msgspec.structs.replace(client.timeouts, idle_s=...)``.
    timeouts: Timeouts | None = None
    #: Whether the answer may come compressed; it is decoded as it arrives.
    gzip: bool = True
    #: Name of a header that tells the milliseconds left when an attempt is sent; empty for none.
    deadline_header: str = ""
    #: Redirects that are followed: GET and HEAD only, never to another origin.
    redirects_max: int = 0


class CallResult(msgspec.Struct, frozen=True, gc=False):
    """An answer, whatever its status."""

    status: int
    raw_headers: RawHeaders
    body: bytes
    #: Seconds from the call's begin to the answer's last byte.
    duration_s: float
    #: Whether it went over a connection that had served another call.
    reused: bool

    def header(self, name: str) -> str | None:
        """Return the header *name* (any case), repetitions joined with a comma, or None."""
        return find_header(self.raw_headers, name)

    @property
    def headers(self) -> dict[str, str]:
        """All headers by lower-case name, made anew each time."""
        return header_map(self.raw_headers)


def find_header(raw_headers: RawHeaders, name: str) -> str | None:
    """Return the values of *name* joined with a comma (RFC 9110, section 5.3), or None."""
    wanted = name.lower().encode("latin-1")
    found = [value for key, value in raw_headers if key.lower() == wanted]
    return b", ".join(found).decode("latin-1") if found else None


def header_map(raw_headers: RawHeaders) -> dict[str, str]:
    """Return all headers by lower-case name, repetitions joined with a comma."""
    headers: dict[str, str] = {}
    for key, value in raw_headers:
        name, text = key.decode("latin-1").lower(), value.decode("latin-1")
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return headers
