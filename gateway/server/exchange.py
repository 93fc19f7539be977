"""One request and its response: the application is called, and what it says is written.

Everything here runs in the request's greenlet, so it may wait: for the application, and for a reader that is slower
than what is written to it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias

from gateway import telemetry
from gateway.domain.http import Response
from gateway.server.held import HeldBody
from gateway.server.reader import Request
from gateway.server.response import BadResponse, Framing, encode_head, encode_response
from gateway.server.transport import ReaderGone

if TYPE_CHECKING:
    from gateway.server.connection import Connection
    from gateway.server.server import Server

__all__ = ["Exchange"]

ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType]

_FAILED = b'{"error":"crashed","message":"the application failed; its log says why"}'


class Exchange:
    """Calls the application for one request."""

    # What most answers never change: nothing is spent on it for each of them.
    _status = ""
    _headers: Sequence[tuple[str, str]] = ()
    #: None until the head is on its way.
    _framing: Framing | None = None
    #: Bytes that the announced length still allows.
    _left = 0
    #: Whether the application failed in the middle of an answer that only the connection's end would end.
    broken_off = False
    #: The whole response, if it is all there and nothing of it has been written: the connection's to write.
    whole = b""

    def __init__(self, server: Server, connection: Connection, request: Request) -> None:
        self._server = server
        self._connection = connection
        self._request = request
        #: Whether the connection can be used for another request.
        self.keep_alive = request.keep_alive

    def run_and_tell(self) -> None:
        """Answer the request and write a line about it.  Not its query, which may hold what is nobody's business."""
        began = time.monotonic()
        self.run()
        environ = self._request.environ
        telemetry.event(
            "http.answered",
            method=environ["REQUEST_METHOD"],
            path=environ["PATH_INFO"],
            outcome=self._status[:3],
            duration_s=time.monotonic() - began,
        )

    def run(self) -> None:
        """Answer the request.  Raises nothing."""
        server, request = self._server, self._request
        try:
            response = server.direct(request.environ) if server.direct is not None else None
            if response is not None:
                self._respond(response)
            else:
                self._call(server.application, self._connection.environ_of(request))
        except ReaderGone:
            self.keep_alive = False
        except BaseException as error:
            # A kill or a Timeout of the application's own too: either way this request has no answer.
            self._crashed(error)
        finally:
            # A ``write`` that the application kept would put its bytes into the next answer.
            self._framing = "absent"

    def _call(self, application: Callable[..., Iterable[bytes]], environ: dict[str, Any]) -> None:
        """Call the application as PEP 3333 wants it, and write what it returns."""
        body = application(environ, self.start_response)
        if type(body) is tuple or type(body) is list:
            # Most answers are one piece.
            if len(body) == 1:
                self._send_whole(body[0])
            else:
                self._send(body)
        elif type(body) is HeldBody:
            self._hold(body)
        else:
            try:
                self._send(body)
            finally:
                close = getattr(body, "close", None)
                if close is not None:
                    close()

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], None]:
        """PEP 3333's ``start_response``."""
        if exc_info is not None:
            try:
                if self._framing is not None:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self._status:
            raise BadResponse("start_response was called twice")
        self._status = status
        self._headers = headers
        return self._write

    def _respond(self, response: Response) -> None:
        """Write a response that is a plain value, and tell who wants to know whether it was written."""
        written = False
        try:
            whole, self.keep_alive = encode_response(
                response,
                date_line=self._server.date_line,
                is_head=self._is_head,
                http_1_1=self._request.http_1_1,
                keep_alive=self._may_go_on,
            )
            self._status, self._framing = str(response.status), "length"
            if response.written is None:
                self.whole = whole
                return
            self._connection.writer.write_with_others(whole)
            written = True
        finally:
            if response.written is not None:
                response.written(written)

    def _send_whole(self, piece: bytes) -> None:
        """Write a body that is all there, in one go with the head."""
        head = b""
        # Else the application has used ``write``.
        if self._framing is None:
            head = self._begin(piece, len(piece))
        if self._framing == "length" and self._left == len(piece):
            self.whole = head + piece
        elif self._framing == "absent":
            self.whole = head
        else:
            self._connection.writer.write(head + self._framed(piece))
            self._end()

    def _send(self, body: Iterable[bytes]) -> None:
        for piece in body:
            # The head waits for the first byte of the body, which may yet become an error.
            if piece or self._is_head:
                self._write(piece)
            if self._framing == "absent":
                return
        self._end()

    @property
    def _is_head(self) -> bool:
        return bool(self._request.environ["REQUEST_METHOD"] == "HEAD")

    @property
    def _may_go_on(self) -> bool:
        # Who has asked more on this connection already gets the last word with the last answer.
        return self.keep_alive and (not self._server.draining or self._connection.asked_more)

    def _write(self, piece: bytes) -> None:
        """Write a piece of the body, behind the head if that was not written yet.

        :raises ReaderGone: nobody reads.
        """
        if self._framing is None:
            self._write_first(self._begin(piece, None), piece)
        elif data := self._framed(piece):
            self._connection.writer.write(data)

    def _write_first(self, head: bytes, piece: bytes) -> None:
        data = head + self._framed(piece)
        if self._framing == "length" and not self._left:
            # It is all there, only not said in one piece: most of what Flask answers.
            self._connection.writer.write_with_others(data)
        else:
            self._connection.writer.write(data)

    def _begin(self, piece: bytes, body_length: int | None) -> bytes:
        """Return the head; from now on it counts as written."""
        if not self._status:
            raise BadResponse("the application did not call start_response")
        if not isinstance(piece, bytes):
            raise BadResponse(f"expected pieces of type bytes, got {type(piece).__name__}")
        head, self._framing, self._left, self.keep_alive = encode_head(
            self._status,
            self._headers,
            date_line=self._server.date_line,
            is_head=self._is_head,
            http_1_1=self._request.http_1_1,
            keep_alive=self._may_go_on,
            body_length=body_length,
        )
        return head

    def _framed(self, piece: bytes) -> bytes:
        """Return *piece* as it goes over the wire."""
        framing = self._framing
        if not piece or framing == "absent":
            return b""
        if framing == "chunked":
            return b"%x\r\n%b\r\n" % (len(piece), piece)
        if framing == "length":
            if len(piece) > self._left:
                # The rest would be read as another answer.
                telemetry.event("response.wrong_length", reason="too_long")
                piece = piece[: self._left]
            self._left -= len(piece)
        return piece

    def _end(self) -> None:
        if self._framing is None:
            self._connection.writer.write(self._begin(b"", 0))
        framing = self._framing
        if framing == "chunked":
            self._connection.writer.write(b"0\r\n\r\n")
        elif framing == "length" and self._left:
            # Only the end of the connection tells the reader that the rest will not come.
            telemetry.event("response.wrong_length", reason="too_short")
            self.keep_alive = False

    def _hold(self, body: HeldBody) -> None:
        """Write the head, and leave the stream to the server."""
        # The connection ends with the stream, and who would use it again is to know.
        self.keep_alive = self.keep_alive and self._is_head
        try:
            self._connection.writer.write(self._begin(b"", None))
            if self._framing != "absent":
                self._connection.hold(body, chunked=self._framing == "chunked")
        finally:
            # One that is open now does not end by this.
            body.close()

    def _crashed(self, error: BaseException) -> None:
        where = telemetry.trace(error)
        telemetry.event(
            "request.crashed",
            # Not the path: callers choose it, and this is a label.
            route="application",
            reason=type(error).__name__,
            # A sentence of our own says what the application did wrong, and quotes nobody.
            detail=f"{error}; {where}" if isinstance(error, BadResponse) else where,
        )
        self.keep_alive = False
        self.broken_off = self._framing == "close"
        if self._framing is None:
            self._status, self._headers = "500 Internal Server Error", [("Content-Type", "application/json")]
            # Not only a reader that has gone: a second kill or Timeout may strike while this is written.
            with contextlib.suppress(BaseException):
                head = self._begin(_FAILED, len(_FAILED))
                self._connection.writer.write(head + self._framed(_FAILED))
