"""The values of a call: where it goes, what is sent, what came back."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from gateway.domain.deadline import Deadline
from gateway.domain.resilience.priority import Priority
from gateway.rpc.timeouts import Timeouts

__all__ = ["Call", "CallResult", "Policy", "RawHeaders", "Service", "endpoint_label", "find_header", "header_map"]

RawHeaders = list[tuple[bytes, bytes]]


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How one service differs from the others; None: the setting of ``[rpc]``."""

    #: Connections to each of its endpoints (``rpc.connections_max``).
    connections_max: int | None = None
    #: Seconds to the answer's head above which a call is slow (``rpc.breaker_slow_s``).
    slow_s: float | None = None
    #: Where its health is asked by GET every ``rpc.probe_period_s``, below the base URL; empty: nowhere.
    probe_path: str = ""
    #: Whether an idempotent call may be made a second time when the first is late.
    hedge: bool = False
    #: Whether it counts each of its callers by itself, as a platform does its bots: then a 429 is that one caller's,
    #: and no word about the service.
    quotas: bool = False
    #: Whether its address came out of a payload: then it must not lead into a private network.
    guarded: bool = False


class Service(msgspec.Struct, frozen=True, cache_hash=True):
    """What is called: one or several copies of the same thing.

    A base URL is ``http://``, ``https://`` or ``http+unix://%2Fpath%2Fof.sock``, with an optional path prefix.
    """

    name: str
    base_urls: tuple[str, ...]
    policy: Policy = Policy()


def endpoint_label(name: str, base_url: str, *, among: int) -> str:
    """Return what people and metrics call the endpoint at *base_url*, one of *among* of the service *name*."""
    return name if among == 1 else f"{name}@{urlsplit(base_url).netloc}"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request."""

    service: Service
    method: str
    #: Appended to the base URL's path; begins with ``/`` or is empty; may hold a query.
    path: str = ""
    #: Framing, Host and the like are the client's own and refused here.
    headers: Mapping[str, str] = {}
    body: bytes = b""
    deadline: Deadline
    #: Doing it twice changes nothing: it may be sent again although the other side may have seen it.
    idempotent: bool = False
    #: None: the setting ``rpc.body_bytes_max``.
    body_bytes_max: int | None = None
    #: None: the settings.  Change some of them with ``msgspec.structs.replace(client.timeouts, idle_s=...)``.
    timeouts: Timeouts | None = None
    #: Who waits longest and is shed first when there is too much to do.
    priority: Priority = Priority.NORMAL
    #: Among equals, room is shared out by this label; empty: nobody in particular.
    tenant: str = ""
    #: Name of a header in which each attempt says how many milliseconds are left; empty: none.
    deadline_header: str = ""
    #: Seconds of them that are kept back, for the answer to travel and be worked on.
    deadline_margin_s: float = 0.0
    #: Whether a compressed answer is welcome; it is decompressed as it comes.
    gzip: bool = True
    #: Further attempts; None: the setting ``rpc.retries_max``.  0 where somebody else repeats: one layer does.
    retries_max: int | None = None
    #: Redirects that are followed, by GET and HEAD and within the same origin.
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
