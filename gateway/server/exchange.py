"""One request and its response: the application is called, and what it says is written.

Everything here runs in the request's greenlet, so it may wait: for the application, and for a reader that is slower
than what is written to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, TypeAlias

from gateway import telemetry
from gateway.server.held import HeldBody
from gateway.server.reader import Request
from gateway.server.response import BadResponse, Framing, encode_head

if TYPE_CHECKING:
    from gateway.server.connection import Connection

__all__ = ["Exchange", "ReaderGone"]

ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType]

_FAILED = b'{"error":"crashed","message":"the application failed; its log says why"}'


class ReaderGone(ConnectionError):
    """Nobody reads any more what is written.  Not the application's fault, and nothing to tell."""


class Exchange:
    """Calls the application for one request."""

    __slots__ = ("_connection", "_framing", "_headers", "_left", "_request", "_status", "keep_alive")

    def __init__(self, connection: Connection, request: Request) -> None:
        self._connection = connection
        self._request = request
        self._status = ""
        self._headers: list[tuple[str, str]] = []
        #: None until the head is on its way.
        self._framing: Framing | None = None
        #: Bytes that the announced length still allows.
        self._left = 0
        #: Whether the connection can be used for another request.
        self.keep_alive = request.keep_alive

    def run_and_tell(self, application: Callable[..., Iterable[bytes]]) -> None:
        """Answer the request and write a line about it.  Not its query, which may hold what is nobody's business."""
        began = time.monotonic()
        self.run(application)
        environ = self._request.environ
        telemetry.event(
            "http.answered",
            method=environ["REQUEST_METHOD"],
            path=environ["PATH_INFO"],
            outcome=self._status[:3],
            duration_s=time.monotonic() - began,
        )

    def run(self, application: Callable[..., Iterable[bytes]]) -> None:
        """Answer the request.  Raises nothing."""
        body: Iterable[bytes] = ()
        try:
            try:
                body = application(self._request.environ, self.start_response)
                self._send(body)
            finally:
                close = getattr(body, "close", None)
                # A held stream's body is closed when the stream is over.
                if close is not None and type(body) is not HeldBody:
                    close()
        except ReaderGone:
            self.keep_alive = False
        except BaseException as error:
            # A kill or a Timeout of the application's own too: either way this request has no answer.
            self._crashed(error)

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

    def _send(self, body: Iterable[bytes]) -> None:
        kind = type(body)
        if kind is HeldBody:
            self._hold(body)  # type: ignore[arg-type]
            return
        if (kind is tuple or kind is list) and len(body) == 1:  # type: ignore[arg-type]
            # Most answers: one piece, written together with the head.
            self._begin(body[0], len(body[0]))  # type: ignore[index]
        else:
            for piece in body:
                if piece or (self._framing is None and self._is_head()):
                    self._write(piece)
                if self._framing is not None and self._framing.absent:
                    break
        self._end()

    def _is_head(self) -> bool:
        return bool(self._request.environ["REQUEST_METHOD"] == "HEAD")

    def _write(self, piece: bytes) -> None:
        """Write a piece of the body, behind the head if that was not written yet.

        :raises ReaderGone: nobody reads.
        """
        framing = self._framing
        if framing is None:
            self._begin(piece, None)
        elif framing.absent or not piece:
            return
        elif framing.chunked:
            self._connection.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        elif framing.length is None:
            self._connection.write(piece)
        else:
            self._connection.write(self._within(piece))

    def _begin(self, piece: bytes, body_length: int | None) -> None:
        """Write the head and the first piece."""
        if self._framing is not None:
            # The application has used ``write``.
            self._write(piece)
            return
        if not self._status:
            raise BadResponse("the application did not call start_response")
        if not isinstance(piece, bytes):
            raise BadResponse(f"expected pieces of type bytes, got {type(piece).__name__}")
        head = encode_head(
            self._status,
            self._headers,
            date_line=self._connection.date_line,
            is_head=self._is_head(),
            http_1_1=self._request.http_1_1,
            keep_alive=self.keep_alive and not self._connection.draining,
            body_length=body_length,
        )
        self.keep_alive = head.keep_alive
        self._framing = framing = head.framing
        if framing.absent or not piece:
            self._left = framing.length or 0
            self._connection.write(head.data)
        elif framing.chunked:
            self._connection.write(b"%b%x\r\n%b\r\n" % (head.data, len(piece), piece))
        else:
            if framing.length is not None:
                self._left = framing.length
                piece = self._within(piece)
            self._connection.write(head.data + piece)

    def _within(self, piece: bytes) -> bytes:
        """Return what the announced length allows of *piece*: the rest would be read as another answer."""
        if len(piece) > self._left:
            telemetry.event("response.wrong_length", reason="too_long")
            piece = piece[: self._left]
        self._left -= len(piece)
        return piece

    def _end(self) -> None:
        if self._framing is None:
            self._begin(b"", 0)
        framing = self._framing
        assert framing is not None
        if framing.absent:
            return
        if framing.chunked:
            self._connection.write(b"0\r\n\r\n")
        elif framing.length is None:
            self.keep_alive = False
        elif self._left:
            # Only the end of the connection tells the reader that the rest will not come.
            telemetry.event("response.wrong_length", reason="too_short")
            self.keep_alive = False

    def _hold(self, body: HeldBody) -> None:
        """Write the head, and leave the stream to the server."""
        self._begin(b"", None)
        framing = self._framing
        assert framing is not None
        if framing.absent:
            body.over("absent")
            return
        self._connection.hold(body, chunked=framing.chunked)

    def _crashed(self, error: BaseException) -> None:
        telemetry.event(
            "request.crashed",
            # Not the path: callers choose it, and this is a label.
            route="application",
            reason=type(error).__name__,
            detail=telemetry.trace(error),
        )
        self.keep_alive = False
        if self._framing is None:
            self._status, self._headers = "500 Internal Server Error", [("Content-Type", "application/json")]
            try:
                self._begin(_FAILED, len(_FAILED))
            except ReaderGone:
                return


