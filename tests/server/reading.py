"""A reader fed in any pieces, as a connection feeds it, and watched at its bounds.  No sockets: thousands a second."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, NamedTuple

from gateway.domain.errors import BadRequest
from gateway.server.forwarded import TrustedPeers, apply_forwarded
from gateway.server.reader import Reader, Request
from gateway.settings.server import ServerSettings

__all__ = ["SEEDS", "SMALL", "Outcome", "assert_same", "read", "split"]

#: Bounds that generated requests reach.
SMALL = ServerSettings(
    request_line_bytes_max=200, headers_max=12, header_bytes_max=400, body_bytes_max=300, pipelined_max=50
)
_TRUSTED = [TrustedPeers("10.0.0.0/8"), TrustedPeers("*"), TrustedPeers("")]

#: What is noticed sooner or later, as the bytes come: bounds of what has not ended yet, and the doubt that
#: ``head.http_version`` describes.
_EARLIER = {"head_too_large", "chunk_overhead", "protocol"}

#: One of each kind of request, for mutations to begin with.
SEEDS = (
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\r\nGET /a%20b?c=d HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a:80\r\nContent-Length: 5\r\nContent-Type: text/x\r\n\r\nhello",
    b"PUT /x HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nA: b\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
    b"GET http://b/c?d HTTP/1.1\r\nHost: a\r\nCookie: e=f\r\ncookie: g=h\r\nX_Y: z\r\nX-Y: \xe9 \t\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\nSM",
    b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /a RTSP/1.0\r\nHost: a\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.0.0.1\r\nForwarded: for=x\r\n\r\n",
)


class Outcome(NamedTuple):
    """What became of some bytes."""

    #: Each request's environ, and whether its connection goes on.
    requests: list[tuple[dict[str, Any], bool]]
    #: The status and reason with which the connection ends, if one was refused.
    refusal: tuple[int, str] | None
    #: Something has begun and is not complete.
    unfinished: bool


def read(pieces: Iterable[bytes], limits: ServerSettings = SMALL) -> Outcome:
    """Feed *pieces* until one is refused, or was the last, and hold the reader to its bounds."""
    reader = Reader(limits)
    requests: list[tuple[dict[str, Any], bool]] = []
    for piece in pieces:
        reader.feed(piece)
        requests += map(_told, reader.done)
        assert len(reader.done) <= limits.pipelined_max
        reader.done.clear()
        _check_bounds(reader, limits, len(piece))
        if reader.refusal is not None:
            assert not reader.idle
            return Outcome(requests, (reader.refusal.status, reader.refusal.reason), False)
        if reader.spent:
            return Outcome(requests, None, False)
    return Outcome(requests, None, not reader.idle)


def assert_same(whole: Outcome, cut: Outcome) -> None:
    """The same bytes, cut differently, are the same requests, and are refused or not."""
    reasons = {one.refusal[1] for one in (whole, cut) if one.refusal is not None}
    if reasons & _EARLIER:
        fewest = min(len(whole.requests), len(cut.requests))
        assert whole.requests[:fewest] == cut.requests[:fewest]
        return
    assert whole.requests == cut.requests
    # Of two faults either may be the one that is told: llhttp holds a field back until the next one begins.
    assert (whole.refusal is None, whole.unfinished) == (cut.refusal is None, cut.unfinished)


def split(data: bytes, at: Iterable[int]) -> list[bytes]:
    """Return *data* cut at the places *at*."""
    places = sorted({place % (len(data) + 1) for place in at} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(places)]


def _told(request: Request) -> tuple[dict[str, Any], bool]:
    environ = {**request.environ, "RAW_URI": request.target.decode("ascii")}
    environ["SERVER_PROTOCOL"] = "HTTP/1.1" if request.http_1_1 else "HTTP/1.0"
    body = environ["gateway.body"]
    assert all(type(key) is str and key for key in environ)
    assert "HTTP_TRANSFER_ENCODING" not in environ
    assert int(environ.get("CONTENT_LENGTH", 0)) == len(body)
    for trusted in _TRUSTED:
        told = {**environ, "REMOTE_ADDR": "10.0.0.1", "REMOTE_PORT": "1"}
        with contextlib.suppress(BadRequest):
            apply_forwarded(told, trusted)
    return environ, request.keep_alive


def _check_bounds(reader: Reader, limits: ServerSettings, piece_bytes: int) -> None:
    assert reader.body_bytes <= limits.body_bytes_max or reader.refusal is not None
    if reader.idle:
        assert not reader._raw
    # What one read brings is its reader's bound, not ours; what is kept beyond it is.
    kept_bytes_max = limits.header_bytes_max + limits.request_line_bytes_max + piece_bytes
    assert len(reader._raw) - reader._first_read_bytes <= kept_bytes_max
