"""An answer from bytes: httptools' parser (llhttp), plus what it does not bound or refuse.

Rules:

1. Bytes go in by ``feed``, the end of the stream by ``end``; nothing here reads, waits or looks at a clock.
2. Interim answers (1xx) are read over.  ``101`` is refused: we never ask for an upgrade.
3. What follows the answer on the same connection belongs to nobody.  It never changes the answer; it costs
   the connection.
4. Head, framing and trailers together are bounded, and so is the body, announced or not (:mod:`gateway.rpc.bounds`).
5. Trailers arrive through the same callback as headers and are dropped: ``Content-Type`` after the body is
   none.
6. A compressed body is decoded as it comes (:mod:`gateway.rpc.coding`), and the headers then speak of the decoded one:
   ``Content-Encoding`` and ``Content-Length`` are dropped.  What has no body (HEAD, 204, 304) keeps its headers.
7. The outcome depends on the bytes alone, never on how the network cut them.

Most answers are short, come in one piece and have nothing unusual; their way is kept free of questions that only
others need.
"""

from __future__ import annotations

import httptools

from gateway.domain.errors import Reached
from gateway.rpc.bounds import FRAMING_RATIO_MAX, body_too_large, framing_too_large
from gateway.rpc.call import RawHeaders
from gateway.rpc.coding import GzipDecoder, is_coded, without_coding
from gateway.rpc.errors import BadAnswer, ConnectionLost

__all__ = ["ResponseReader"]


class ResponseReader:
    """Reads the answers of one connection, one after the other.  ``begin`` before each."""

    __slots__ = (
        "_announcement_read", "_bodiless", "_body_bytes", "_body_bytes_max", "_decoder", "_fault", "_fed", "_framed",
        "_has_codings", "_header_bytes_max", "_interim", "_more", "_parser", "body", "done", "headers", "reusable",
        "status",
    )  # fmt: skip

    def __init__(self, header_bytes_max: int) -> None:
        self._header_bytes_max = header_bytes_max
        self._parser = httptools.HttpResponseParser(self)
        # What only unusual answers set, and leave again as it was.
        self._interim = NO_INTERIM
        self._decoder: GzipDecoder | None = None
        self._framed = False
        self._fault: BadAnswer | None = None
        #: What came of the body after ``body``.  Not a list of pieces: each would weigh an object's 33 bytes and its
        #: place beside its own, and a body of small chunks twenty times what it is allowed.
        self._more = bytearray()
        self._bodiless = False
        self.begin(bodiless=False, body_bytes_max=0)

    def begin(self, bodiless: bool, body_bytes_max: int) -> None:
        """Make ready for the next answer; *bodiless* if it answers a HEAD."""
        if self._bodiless:
            # The parser still waits for the body that an answer to HEAD announces and never brings.
            self._parser = httptools.HttpResponseParser(self)
        self._bodiless = bodiless
        self._body_bytes_max = body_bytes_max
        self._fed = 0
        self._body_bytes = 0  # as they came, not decoded
        self._has_codings = False
        self._announcement_read = False
        #: Those of the final answer.
        self.headers: RawHeaders = []
        #: The final answer's status; 0 until its head is complete.
        self.status = 0
        #: What came of the body and was not taken: once ``done`` all of it, before that its first piece.
        self.body = b""
        self.done = False
        #: Whether the connection may serve another call once this answer is done.
        self.reusable = False

    @property
    def begun(self) -> bool:
        """Whether any byte of an answer has come."""
        return self._fed > 0

    def feed(self, data: bytes) -> None:
        """Take what came, or raise :exc:`BadAnswer`."""
        fed = self._fed
        if fed < len(HTTP_1) and not data.startswith(HTTP_1):
            self._check_protocol(data)
        self._fed = fed = fed + len(data)
        if fed > self._header_bytes_max:
            self._feed_within_bounds(data)
        else:
            try:
                self._parser.feed_data(data)
            except PARSER_ERRORS as error:
                self._refuse(error)
        if not self.done and self.status and not self._announcement_read:
            self._read_announcement()

    def end(self) -> None:
        """Take the end of the stream: it completes an answer that is framed by it, and breaks any other."""
        self.reusable = False
        if self.done:
            return
        if not self._fed:
            raise ConnectionLost(
                "the endpoint closed the connection without an answer", reason="closed_early", sent="maybe"
            )
        if not self.status:
            raise BadAnswer("the answer ended inside its head", reason="truncated", sent="maybe")
        if self._framed or is_framed(self.headers):
            raise BadAnswer("the answer ended before its announced end", reason="truncated", sent="answered")
        self.on_message_complete()

    def retire(self) -> None:
        """Part from the parser, which holds this reader's methods: a cycle for the collector."""
        del self._parser

    def take(self) -> bytes:
        """Return the body's bytes that came since the last time."""
        data = self.body
        if self._more:
            data += self._more
            self._more.clear()
        self.body = b""
        return data

    def _check_protocol(self, data: bytes) -> None:
        # llhttp takes RTSP and ICE for granted, and empty lines before an answer.
        rest = HTTP_1[self._fed :]
        if not data.startswith(rest) and not rest.startswith(data):
            raise not_http_1()

    def _feed_within_bounds(self, data: bytes) -> None:
        # llhttp does not say where in a read it is.  So it gets no more at once than it may find to be framing;
        # any byte of body makes room for many.
        fed = self._fed - len(data)
        rest = memoryview(data)
        while rest and not self.done:
            room = self._header_bytes_max + (1 + FRAMING_RATIO_MAX) * self._body_bytes - fed
            if room <= 0:
                raise framing_too_large(self._header_bytes_max, self._reached())
            try:
                self._parser.feed_data(rest[:room])
            except PARSER_ERRORS as error:
                self._refuse(error)
                return
            fed += room
            rest = rest[room:]
        if rest:
            self.reusable = False  # rule 3

    def _read_announcement(self) -> None:
        # Asked only of an answer whose body was not in the same read, because that is when asking spares something.
        self._announcement_read = True
        for name, value in self.headers:
            if name.lower() == b"content-length" and int(value) > self._body_bytes_max:
                raise body_too_large(self._body_bytes_max)

    def _refuse(self, error: Exception) -> None:
        if self.done:
            self.reusable = False  # rule 3
            return
        if self._fault is not None:
            raise self._fault from None
        raise BadAnswer(
            f"the answer is not valid HTTP: {error}", reason="not_http", sent=self._reached()
        ) from None

    def _reached(self) -> Reached:
        return "answered" if self.status else "maybe"

    def _fail(self, fault: BadAnswer) -> None:
        # Raised through llhttp, which turns it into an error of its own: ``_refuse`` finds it here.
        self._fault = fault
        raise fault

    # What the parser calls.

    def on_message_begin(self) -> None:
        """Another answer begins."""
        if self.done:
            self.reusable = False  # rule 3

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header, or one trailer."""
        if not self.status:
            self.headers.append((name, value))
            if 15 < len(name) < 18:  # as long as Content-Encoding and Transfer-Encoding are
                self._has_codings = True

    def on_headers_complete(self) -> None:
        """A head is complete: an interim one, or the answer's."""
        if self.done:
            return
        parser = self._parser
        status = parser.get_status_code()
        if (status < 200 or self._interim) and self._read_over(status):
            return
        self.status = status
        self.reusable = parser.should_keep_alive()
        if self._has_codings:
            self._read_codings(status)
        if self._bodiless:
            self.done = True

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        if self.done:
            self.reusable = False  # a body after HEAD: rule 3
            return
        self._body_bytes = body_bytes = self._body_bytes + len(data)
        if self._decoder is not None:
            data = self._decoded(data)
        elif body_bytes > self._body_bytes_max:
            self._fail(body_too_large(self._body_bytes_max))
        if self.body:
            self._more += data
        else:
            self.body = data

    def on_message_complete(self) -> None:
        """An answer is complete: an interim one, or the one that was asked for."""
        if self._interim == INSIDE_INTERIM:
            self._interim = AFTER_INTERIM
            self.headers = []
            return
        if self._decoder is not None:
            self._finish_decoding()
        if self._more:
            self.body = self.take()
        self.done = True

    # What unusual answers need.

    def _read_over(self, status: int) -> bool:
        """Return whether this head is an interim answer's."""
        if status < 200:
            if status < 100 or status == 101:
                self._fail(BadAnswer(f"status {status} was not asked for", reason="not_http", sent="maybe"))
            self._interim = INSIDE_INTERIM
            return True
        self._interim = NO_INTERIM
        # ``feed`` looks only at how the first answer begins.
        if self._parser.get_http_version() not in VERSIONS:
            self._fail(not_http_1())
        return False

    def _read_codings(self, status: int) -> None:
        for name, value in self.headers:
            if name.lower() == b"transfer-encoding":
                if value.lower() != b"chunked":
                    self._fail(
                        BadAnswer("a transfer coding was not asked for", reason="not_http", sent="answered")
                    )
                if self._parser.get_http_version() != "1.1":
                    self.reusable = False  # RFC 9112, section 6.1: who says so may have been misunderstood
        if self._bodiless or status in (204, 304):
            return
        try:
            coded = is_coded(self.headers)
        except BadAnswer as fault:
            self._fail(fault)
        else:
            if coded:
                self._framed = is_framed(self.headers)
                self._decoder = GzipDecoder(self._header_bytes_max, self._body_bytes_max)
                self.headers = without_coding(self.headers)

    def _decoded(self, data: bytes) -> bytes:
        assert self._decoder is not None
        try:
            return self._decoder.decode(data)
        except BadAnswer as fault:
            self._fault = fault
            raise

    def _finish_decoding(self) -> None:
        assert self._decoder is not None
        try:
            self._decoder.finish()
        except BadAnswer as fault:
            self._fail(fault)
        self._decoder = None
        self._framed = False


def is_framed(headers: RawHeaders) -> bool:
    """Whether *headers* say where the body ends; otherwise the connection's end does."""
    return any(name.lower() in FRAMING for name, _ in headers)


def not_http_1() -> BadAnswer:
    """Return the refusal of another protocol."""
    return BadAnswer("the endpoint does not speak HTTP/1", reason="not_http", sent="maybe")


HTTP_1 = b"HTTP/1."
VERSIONS = frozenset({"1.1", "1.0"})
FRAMING = frozenset({b"content-length", b"transfer-encoding"})
PARSER_ERRORS = (httptools.HttpParserError, httptools.HttpParserUpgrade)

NO_INTERIM, INSIDE_INTERIM, AFTER_INTERIM = range(3)
