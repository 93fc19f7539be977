"""A caller without manners: any bytes to a server's port, in any pieces, and a reader of whatever comes back.

The server under test runs in the same process, on the same hub.  So ``gevent.idle`` says when it has read what was
sent: it returns when the loop has nothing else to do.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterable
from typing import Any, NamedTuple, Self

import gevent

from tests.support.waiting import GUARD_S

__all__ = ["Answer", "Caller", "NoAnswer", "answers", "take_answer"]

#: Statuses without a body, whatever their header fields say (RFC 9112, section 6.3).
_WITHOUT_CONTENT = {204, 304}


class NoAnswer(AssertionError):
    """The connection ended where an answer, or its rest, should have come."""


class Answer(NamedTuple):
    """One response, taken apart."""

    version: str
    status: int
    phrase: str
    #: Names in lower case.
    headers: dict[str, str]
    body: bytes
    #: How the body's end was found: length, chunked, close or absent.
    framing: str
    #: The body's chunks as they were cut.
    chunks: tuple[bytes, ...] = ()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def closes(self) -> bool:
        """Whether it says that nothing comes behind it."""
        return self.headers.get("connection") == "close"


class Caller:
    """One connection."""

    def __init__(self, port: int, host: str = "127.0.0.1", *, receive_buffer_bytes: int = 0) -> None:
        self.sock = socket.socket()
        self.sock.settimeout(GUARD_S)
        if receive_buffer_bytes:
            # Before connecting: the window is agreed upon then.
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        try:
            self.sock.connect((host, port))
        except OSError:
            self.sock.close()
            raise
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        #: Received, and not taken yet.
        self.received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, data: bytes) -> Self:
        """Send *data* whole."""
        self.sock.sendall(data)
        return self

    def trickle(self, pieces: Iterable[bytes]) -> Self:
        """Send *pieces*, each read by the server before the next one is sent.

        It may close in the middle of them, as a server does that has refused their beginning.
        """
        for piece in pieces:
            try:
                self.sock.sendall(piece)
            except (BrokenPipeError, ConnectionResetError):
                break
            gevent.idle()
        return self

    def byte_by_byte(self, data: bytes) -> Self:
        """Send *data*, one byte a read."""
        return self.trickle(data[at : at + 1] for at in range(len(data)))

    def answer(self, method: str = "GET") -> Answer:
        """Return the next answer, to a request with *method*; interim ones (100) are answers as well."""
        while True:
            taken = take_answer(self.received, method, ended=False)
            if taken is not None:
                found, self.received = taken
                return found
            if not self._more():
                taken = take_answer(self.received, method, ended=True)
                if taken is None:
                    raise NoAnswer(f"the connection ended behind {self.received!r}")
                found, self.received = taken
                return found

    def rest(self) -> bytes:
        """Return what comes until the server ends the connection."""
        while self._more():
            pass
        rest, self.received = self.received, b""
        return rest

    def ends(self) -> bool:
        """Whether the server ends the connection and says nothing more."""
        return not self.rest()

    def is_silent(self) -> bool:
        """Whether the server has said nothing so far, though it had all the time it wanted, and is still there."""
        gevent.idle()
        self.sock.setblocking(False)
        try:
            self.received += self.sock.recv(65_536)
            return False
        except BlockingIOError:
            return not self.received
        finally:
            self.sock.settimeout(GUARD_S)

    def half_close(self) -> Self:
        """Send nothing more, but go on reading."""
        self.sock.shutdown(socket.SHUT_WR)
        return self

    def reset(self) -> None:
        """Close at once, with a reset for what is under way."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self) -> None:
        self.sock.close()

    def _more(self) -> bool:
        try:
            piece = self.sock.recv(65_536)
        except TimeoutError:
            raise NoAnswer(f"nothing within {GUARD_S:g} s behind {self.received[-200:]!r}") from None
        self.received += piece
        return bool(piece)


def answers(data: bytes, *methods: str) -> list[Answer]:
    """Return all answers in *data*, behind which the connection ended, to requests with *methods* (and then GET)."""
    found: list[Answer] = []
    while data:
        method = methods[len(found)] if len(found) < len(methods) else "GET"
        taken = take_answer(data, method, ended=True)
        if taken is None:
            raise NoAnswer(f"no whole answer: {data!r}")
        one, data = taken
        found.append(one)
    return found


def take_answer(data: bytes, method: str, *, ended: bool) -> tuple[Answer, bytes] | None:
    """Return the answer that *data* begins with, and what is behind it; None while it is not whole."""
    head, blank, rest = data.partition(b"\r\n\r\n")
    if not blank:
        return None
    line, *fields = head.decode("latin-1").split("\r\n")
    version, status, phrase = line.split(" ", 2)
    assert version in {"HTTP/1.1", "HTTP/1.0"}, f"no status line: {line!r}"
    headers: dict[str, str] = {}
    for field in fields:
        name, colon, value = field.partition(": ")
        assert colon, f"no header field: {field!r}"
        assert name.lower() not in headers or name.lower() == "set-cookie", f"twice: {name}"
        headers[name.lower()] = value
    made = Answer(version, int(status), phrase, headers, b"", "absent")
    if method == "HEAD" or made.status in _WITHOUT_CONTENT or made.status < 200:
        return made, rest
    if "transfer-encoding" in headers:
        assert headers["transfer-encoding"] == "chunked"
        assert "content-length" not in headers
        return _take_chunks(made, rest)
    if "content-length" in headers:
        length = int(headers["content-length"])
        if len(rest) < length:
            return None
        return made._replace(body=rest[:length], framing="length"), rest[length:]
    return (made._replace(body=rest, framing="close"), b"") if ended else None


def _take_chunks(answer: Answer, rest: bytes) -> tuple[Answer, bytes] | None:
    chunks: list[bytes] = []
    while True:
        line, line_break, rest = rest.partition(b"\r\n")
        if not line_break:
            return None
        length = int(line, 16)
        if len(rest) < length + 2:
            return None
        chunk, end, rest = rest[:length], rest[length : length + 2], rest[length + 2 :]
        assert end == b"\r\n", f"a chunk without its end: {chunk!r}"
        if not length:
            return answer._replace(body=b"".join(chunks), framing="chunked", chunks=tuple(chunks)), rest
        chunks.append(chunk)
