"""An answer from bytes: httptools' parser (llhttp), plus what it does not bound or refuse.

Rules:

1. Bytes go in by ``feed``, the end of the stream by ``end``; nothing here reads, waits or looks at a clock.
2. Interim answers (1xx) are read over.  ``101`` is refused: we never ask for an upgrade.
3. What follows the answer on the same connection belongs to nobody.  It never changes the answer; it costs
   the connection.
4. Head, framing and trailers together are bounded, and so is the body, announced or not.
5. Trailers arrive through the same callback as headers and are dropped: ``Content-Type`` after the body is
   none.
"""

from __future__ import annotations

import httptools

from gateway.rpc.call import RawHeaders
from gateway.rpc.errors import BadAnswer, ConnectionLost

__all__ = ["ResponseReader"]

#: Bytes of chunk framing allowed for each byte of body: one byte a chunk costs five, extensions a little
#: more.
FRAMING_RATIO_MAX = 16


class ResponseReader:
    """Reads the answers of one connection, one after the other.  ``begin`` before each."""

    def __init__(self, header_bytes_max: int) -> None:
        self._header_bytes_max = header_bytes_max
        self._parser = httptools.HttpResponseParser(self)
        self._chunks: list[bytes] = []
        self.headers: RawHeaders = []
        self._reset(bodiless=False, body_bytes_max=0)

    def begin(self, *, bodiless: bool, body_bytes_max: int) -> None:
        """Make ready for the next answer; *bodiless* if it answers a HEAD."""
        if self._bodiless:
            # The parser still waits for the body that an answer to HEAD announces and never brings.
            self._parser = httptools.HttpResponseParser(self)
        self._reset(bodiless=bodiless, body_bytes_max=body_bytes_max)

    def _reset(self, *, bodiless: bool, body_bytes_max: int) -> None:
        self._bodiless = bodiless
        self._body_bytes_max = body_bytes_max
        self._fed = 0
        self._feeding = 0
        self._body_bytes = 0
        self._interim = self._after_interim = False
        self._until_close = False
        self._fault: BadAnswer | None = None
        self._chunks.clear()
        self.headers = []
        #: The final answer's status; 0 until its head is complete.
        self.status = 0
        self.done = False
        #: Whether the connection may serve another call once this answer is done.
        self.reusable = False

    @property
    def begun(self) -> bool:
        """Whether any byte of an answer has come."""
        return self._fed > 0

    def feed(self, data: bytes) -> None:
        """Take what came, or raise :exc:`BadAnswer`."""
        if self._fed < len(HTTP_1) and not self._looks_like_http(data):
            raise BadAnswer("the endpoint does not speak HTTP/1", reason="not_http", sent="maybe")
        self._feeding = len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._refuse(error)
        self._fed += len(data)
        if not self.done and self._fed - self._body_bytes > (
            self._header_bytes_max + FRAMING_RATIO_MAX * self._body_bytes
        ):
            raise self._too_large_head()

    def end(self) -> None:
        """Take the end of the stream: it completes an answer that is framed by it, and breaks any other."""
        self.reusable = False
        if self.done:
            return
        if self._until_close:
            self.done = True
        elif not self._fed:
            raise ConnectionLost(
                "the endpoint closed the connection without an answer", reason="closed_early", sent="maybe"
            )
        elif self.status:
            raise BadAnswer("the answer ended before its announced end", reason="truncated", sent="answered")
        else:
            raise BadAnswer("the answer ended inside its head", reason="truncated", sent="maybe")

    def retire(self) -> None:
        """Part from the parser, which holds this reader's methods: a cycle for the collector."""
        del self._parser

    def take(self) -> bytes:
        """Return the body's bytes that came since the last time."""
        chunks = self._chunks
        if len(chunks) == 1:
            return chunks.pop()
        data = b"".join(chunks)
        chunks.clear()
        return data

    def _looks_like_http(self, data: bytes) -> bool:
        # llhttp takes RTSP and ICE for granted, and empty lines before an answer.
        return data.startswith(HTTP_1[self._fed :]) or HTTP_1[self._fed :].startswith(data)

    def _refuse(self, error: Exception) -> None:
        if self.done:
            self.reusable = False  # rule 3
            return
        if self._fault is not None:
            raise self._fault from None
        raise BadAnswer(
            f"the answer is not valid HTTP: {error}",
            reason="not_http",
            sent="answered" if self.status else "maybe",
        ) from None

    def _too_large_head(self) -> BadAnswer:
        return BadAnswer(
            f"the answer's head or framing exceeds {self._header_bytes_max} bytes (rpc.header_bytes_max)",
            reason="header_too_large",
            sent="answered" if self.status else "maybe",
        )

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

    def on_headers_complete(self) -> None:
        """A head is complete: an interim one, or the answer's."""
        if self.done:
            return
        parser = self._parser
        status = parser.get_status_code()
        if self._fed + self._feeding > self._header_bytes_max:
            self._check_head()
        if status < 200:
            if status < 100 or status == 101:
                self._fail(BadAnswer(f"status {status} was not asked for", reason="not_http", sent="maybe"))
            # What comes next was not looked at by ``feed``, which sees only how the first answer begins.
            self._interim = self._after_interim = True
            return
        if self._after_interim and parser.get_http_version() not in VERSIONS:
            self._fail(BadAnswer("the endpoint does not speak HTTP/1", reason="not_http", sent="maybe"))
        self.status = status
        self.reusable = parser.should_keep_alive()
        self._check_framing(status)
        if self._bodiless:
            self._until_close = False
            self.done = True

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        if self.done:
            self.reusable = False  # a body after HEAD: rule 3
            return
        self._body_bytes += len(data)
        if self._body_bytes > self._body_bytes_max:
            self._fail(self._too_large_body())
        self._chunks.append(data)

    def on_message_complete(self) -> None:
        """An answer is complete: an interim one, or the one that was asked for."""
        if self._interim:
            self._interim = False
            self.headers = []
        else:
            self.done = True

    def _check_head(self) -> None:
        # The head shares its last read with the body: only now is its own size known.
        head_bytes = sum(len(name) + len(value) + 4 for name, value in self.headers)
        if self._fed + head_bytes > self._header_bytes_max:
            self._fail(self._too_large_head())

    def _check_framing(self, status: int) -> None:
        framed = status in (204, 304)
        for name, value in self.headers:
            size = len(name)
            if size == 14 and name.lower() == b"content-length":
                framed = True
                if int(value) > self._body_bytes_max and not self._bodiless and status != 304:
                    self._fail(self._too_large_body())
            elif size == 17 and name.lower() == b"transfer-encoding":
                framed = True
                if value.lower() != b"chunked":
                    self._fail(
                        BadAnswer("a transfer coding was not asked for", reason="not_http", sent="answered")
                    )
        self._until_close = not framed

    def _too_large_body(self) -> BadAnswer:
        return BadAnswer(
            f"the answer's body exceeds {self._body_bytes_max} bytes (body_bytes_max)",
            reason="body_too_large",
            sent="answered",
        )


HTTP_1 = b"HTTP/1."
VERSIONS = frozenset({"1.1", "1.0"})
