"""From bytes to requests: httptools' callbacks, and the bounds that hold while a request arrives.

A reader belongs to a connection only while a request is arriving; idle connections have none.  It cannot be stopped in
the middle of a read (llhttp parses all that it is given), so what one read may hold is bounded: its bytes by whoever
reads, its requests by ``pipelined_max``.

``feed`` leaves the requests that are complete in ``done``, in order.  What is wrong with the one behind them is in
``refusal``; after it the reader cannot be used any more, and the connection is to be closed behind the answer.
"""

from __future__ import annotations

from typing import Any

import httptools

from gateway.domain.errors import BadRequest, SwitchboardError, body_too_large
from gateway.server.head import (
    FORWARDED,
    SINGLE,
    HeadTooLarge,
    LineTooLong,
    environ_key,
    finish_head,
    http_version,
)
from gateway.settings.server import ServerSettings

__all__ = ["Reader", "Request"]

#: Names of header fields that have been seen, by how they were written.  Bounded: callers choose what is in it.
_KEYS: dict[bytes, str] = {}
_KEYS_MAX = 1_024
_KEY_BYTES_MAX = 64
#: Bytes of one chunk's size line, extensions included, on the average, and of all of one body beyond that, and of one
#: trailer: llhttp reads chunk extensions of any length and tells nobody.  What one read holds of them is its own bound.
_CHUNK_LINE_BYTES_MAX = 64
_CHUNK_LINES_BYTES_FREE = 4_096
#: Digits of a Content-Length, leading zeros included: Python refuses to read thousands.
_LENGTH_DIGITS_MAX = 100

_METHODS: dict[bytes, str] = {}


class Request:
    """One complete request."""

    __slots__ = ("charged", "environ", "forwarded", "http_1_1", "keep_alive", "target")

    def __init__(
        self, environ: dict[str, Any], target: bytes, http_1_1: bool, keep_alive: bool, forwarded: bool
    ) -> None:
        #: Its own part of a WSGI environ: method, path, query, fields and ``gateway.body``.  As few entries as can be:
        #: a dict that outgrows five or ten of them is built anew.
        self.environ = environ
        #: What it asks for, as it was written.
        self.target = target
        #: Whether it says for whom it was forwarded.
        self.forwarded = forwarded
        self.http_1_1 = http_1_1
        #: Whether the caller wants to go on with this connection.
        self.keep_alive = keep_alive
        #: Bytes of its body that count against ``buffered_bytes_max``.
        self.charged = 0


class Reader:
    """Reads one connection's requests."""

    def __init__(self, limits: ServerSettings) -> None:
        self._limits = limits
        self.done: list[Request] = []
        self.refusal: SwitchboardError | None = None
        #: No request has begun.
        self.idle = True
        #: The last request said that it was the last: llhttp takes nothing more, of no connection.
        self.spent = False
        #: Empty from a request's first byte to its last one.  A part of a method is all that may have come of it, and
        #: the parser keeps that to itself; a list, because its methods are the cheapest callbacks there are.
        self._between: list[None] = [None]
        self.on_message_begin = self._between.clear
        #: The request that arrives now, from its target on; None between two requests.
        self._environ: dict[str, Any] | None = None
        self._target = b""
        #: Fields of the head that made no entry of their own in the environ; then the trailer's.
        self._header_count = 0
        self._header_bytes = 0
        #: The head is complete.
        self.in_body = False
        self.body_bytes = 0
        #: Bytes of the body that count against ``buffered_bytes_max``.
        self.charged = 0
        #: Gathered in one piece: as objects of their own, chunks of two bytes would take thirty times what is counted.
        self._body: bytes | bytearray = b""
        self._chunks = 0
        self._http_1_1 = True
        #: The last head was completed by the last read.
        self._head_ended = False
        self._forwarded = False
        #: What arrived since the read in which this request began, until its head is complete.
        self._raw = b""
        #: It begins with this request.
        self._raw_is_ours = True
        #: How much of it was in that first read, which may have held other requests before.
        self._first_read_bytes = 0
        #: Bytes that were read of a body so far, with its framing.
        self._body_raw_bytes = 0
        self.parser = httptools.HttpRequestParser(self)

    @property
    def expects_continue(self) -> bool:
        """Whether the caller waits for a word before it sends the body (RFC 9110, section 10.1.1)."""
        return (
            self.in_body
            and not self.body_bytes
            and self._head_ended
            and self._environ is not None
            and self._http_1_1
            and "HTTP_EXPECT" in self._environ
        )

    def close(self) -> None:
        """Let go of the parser, which knows this reader: what has come of a body must not wait for the collector."""
        del self.parser

    def feed(self, data: bytes) -> None:
        """Take what was read."""
        self._head_ended = False
        if self._raw:
            self._raw += data
        else:
            self._raw = data
            self._raw_is_ours = not self.in_body
            self._first_read_bytes = len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._end_at_upgrade()
        except httptools.HttpParserError as error:
            self._refuse(error)
        if self._between:
            # Nothing has begun; a line break between two requests is not kept either.
            self._raw = b""
            self.idle = self.refusal is None
            return
        self.idle = False
        if self.in_body:
            # The head is complete.  The read in which the body began may hold much else.
            self._raw = b""
            self._count_framing(0 if self._head_ended else len(data))
        elif len(self._raw) - self._first_read_bytes > (
            self._limits.header_bytes_max + self._limits.request_line_bytes_max
        ):
            line_is_it = len(self._target) > self._limits.request_line_bytes_max
            self.refusal = self.refusal or (self._too_long_line() if line_is_it else self._too_large_head())

    def on_url(self, url: bytes) -> None:
        if self._environ is None:
            if len(self.done) >= self._limits.pipelined_max:
                raise _TooManyRequests
            self._environ = {}
            self._target = url
            self._forwarded = False
            self._header_count = self._header_bytes = 0
        else:
            self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value) + 4
        if self.in_body:
            # A trailer: it must not become a header (RFC 9110, section 6.5.1).
            self._header_count += 1
            return
        key = _KEYS.get(name)
        if key is None:
            key = self._learn(name)
        environ = self._environ
        assert environ is not None
        if key in environ:
            self._repeated(environ, key, value)
        else:
            environ[key] = value.decode("latin-1").rstrip(" \t")

    def on_headers_complete(self) -> None:
        limits = self._limits
        environ = self._environ
        assert environ is not None
        # Each field has made an entry, or was a repeated one.
        header_count = len(environ) + self._header_count
        if header_count > limits.headers_max or self._header_bytes > limits.header_bytes_max:
            raise self._too_large_head()
        if len(self._target) > limits.request_line_bytes_max:
            raise self._too_long_line()
        if "" in environ:
            del environ[""]
        method = self.parser.get_method()
        if self._raw_is_ours and self._raw.startswith(b"%b %b HTTP/1.1\r\n" % (method, self._target)):
            self._http_1_1 = True
        else:
            line = b"%b %b" % (method, self._target)
            number = self.parser.get_http_version()
            version = http_version(line, number, self._raw, ours=self._raw_is_ours)
            self._http_1_1 = version == "HTTP/1.1"
        finish_head(
            environ, _METHODS.get(method) or _method(method), self._target.decode("ascii"), self._http_1_1
        )
        length = environ.get("CONTENT_LENGTH")
        if length is not None:
            if len(length) > _LENGTH_DIGITS_MAX:
                raise BadRequest(
                    f"expected a Content-Length of at most {_LENGTH_DIGITS_MAX} digits", reason="malformed"
                )
            if int(length) > limits.body_bytes_max:
                raise body_too_large(limits.body_bytes_max, f"{length} bytes")
        self.in_body = self._head_ended = True
        self.body_bytes = self._chunks = self._body_raw_bytes = self._header_bytes = self._header_count = 0
        self._body = b""

    def on_chunk_header(self) -> None:
        self._chunks += 1

    def on_body(self, piece: bytes) -> None:
        self.body_bytes += len(piece)
        if self.body_bytes > self._limits.body_bytes_max:
            raise body_too_large(self._limits.body_bytes_max, "more")
        if not self._body:
            self._body = piece
        elif isinstance(self._body, bytearray):
            self._body += piece
        else:
            self._body = bytearray(self._body) + piece

    def on_message_complete(self) -> None:
        environ = self._environ
        assert environ is not None
        if self._header_bytes > self._limits.header_bytes_max or self._header_count > self._limits.headers_max:
            raise self._too_large_head()
        body = self._body if isinstance(self._body, bytes) else bytes(self._body)
        if "HTTP_TRANSFER_ENCODING" in environ:
            if not self._chunks:
                # With an Upgrade field llhttp leaves the body to the other protocol.
                raise _upgrade_with_body()
            # RFC 9112, section 7.1.3: decoded, it is a body of known length.
            del environ["HTTP_TRANSFER_ENCODING"]
            environ["CONTENT_LENGTH"] = str(len(body))
        environ["gateway.body"] = body
        keep_alive = self.parser.should_keep_alive()
        if not keep_alive:
            self.spent = True
        request = Request(environ, self._target, self._http_1_1, keep_alive, self._forwarded)
        request.charged, self.charged = self.charged, 0
        self.done.append(request)
        self._environ = None
        self._between.append(None)
        self.in_body = self._raw_is_ours = False
        self._body = b""

    def _learn(self, name: bytes) -> str:
        key = environ_key(name)
        if key.startswith(FORWARDED):
            # Never kept, so that each request that has one passes here.
            self._forwarded = True
        elif len(_KEYS) < _KEYS_MAX and len(name) <= _KEY_BYTES_MAX:
            _KEYS[name] = key
        return key

    def _repeated(self, environ: dict[str, Any], key: str, value: bytes) -> None:
        self._header_count += 1
        if not key:
            return
        if key in SINGLE:
            raise BadRequest(f"expected one {_field(key)} field, got two", reason="repeated_field")
        separator = "; " if key == "HTTP_COOKIE" else ", "
        environ[key] = environ[key] + separator + value.decode("latin-1").rstrip(" \t")

    def _count_framing(self, fed: int) -> None:
        """Refuse a chunked body that is mostly something else."""
        self._body_raw_bytes += fed
        # Trailers that are complete have their own bounds.
        overhead = self._body_raw_bytes - self.body_bytes - self._header_bytes
        if overhead > _CHUNK_LINES_BYTES_FREE + self._chunks * _CHUNK_LINE_BYTES_MAX:
            self.refusal = self.refusal or BadRequest(
                "expected a chunked body without so much around its chunks", reason="chunk_overhead"
            )
        elif self._header_bytes > self._limits.header_bytes_max or self._header_count > self._limits.headers_max:
            self.refusal = self.refusal or self._too_large_head()

    def _end_at_upgrade(self) -> None:
        """Nothing else is spoken here: the request is answered as if it had not asked (RFC 9110, section 7.8)."""
        request = self.done[-1]
        request.keep_alive = False
        self.spent = True
        if request.environ["REQUEST_METHOD"] == "CONNECT":
            self.refusal = BadRequest("expected a target that begins with a slash", reason="target")
        elif int(request.environ.get("CONTENT_LENGTH", "0")) != len(request.environ["gateway.body"]):
            self.refusal = _upgrade_with_body()
        if self.refusal is not None:
            self.done.pop()

    def _refuse(self, error: httptools.HttpParserError) -> None:
        ours = error.__context__
        if isinstance(ours, _TooManyRequests):
            # What was read behind the last of them is forgotten; the caller repeats it on another connection.
            self.done[-1].keep_alive = False
            self.spent = True
        elif isinstance(ours, SwitchboardError):
            # Without its stack, which holds this reader and the piece that it was about.
            self.refusal = ours.with_traceback(None)
        elif ours is not None and not isinstance(ours, httptools.HttpParserError):
            raise ours
        elif self.done and not self.done[-1].keep_alive:
            # Bytes behind a request that said it was the last: they are nothing.
            pass
        else:
            self.refusal = BadRequest(f"expected an HTTP/1.1 request: {error}", reason="malformed")

    def _too_long_line(self) -> LineTooLong:
        limits = self._limits
        return LineTooLong(
            f"expected a target of at most {limits.request_line_bytes_max} bytes"
            " (server.request_line_bytes_max)",
            reason="line_too_long",
        )

    def _too_large_head(self) -> HeadTooLarge:
        limits = self._limits
        return HeadTooLarge(
            f"expected at most {limits.headers_max} header fields of {limits.header_bytes_max} bytes in all"
            " (server.headers_max, server.header_bytes_max)",
            reason="head_too_large",
        )


class _TooManyRequests(Exception):
    """One read held more requests than ``pipelined_max``."""


def _method(method: bytes) -> str:
    # llhttp knows a few dozen methods, so this cannot grow.
    return _METHODS.setdefault(method, method.decode("ascii"))


def _field(key: str) -> str:
    return key.removeprefix("HTTP_").replace("_", "-").title()


def _upgrade_with_body() -> BadRequest:
    return BadRequest("expected no body with an Upgrade field", reason="upgrade_with_body")
