"""HTTP/1.1 over gevent's sockets: calls to the deployment over connections that are kept, its calls to us, streams.

Not locust's FastHttpUser: a request costs it 170 to 200 µs, and here 60 to 80; and geventhttpclient (2.6.1) asks
``select`` whether a kept connection still lives, which knows no descriptor above 1,023: with 2,000 conversations each
request would open a new one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit

import gevent
from gevent import socket, ssl
from gevent.server import StreamServer

from bench.chat.wire import whole
from bench.locust.platforms.delivery import request

__all__ = ["Answering", "Connections", "Refused", "serve"]

#: From method, path, head and body of a call to all bytes of its answer.
Answering = Callable[[str, str, bytes, bytes], bytes]

_RECEIVE_BYTES = 65_536
_CONNECT_S_MAX = 10.0
_END = b"\r\n\r\n"
_CHUNKED = re.compile(rb"(?i)\r\ntransfer-encoding:[^\r]*chunked")
_CHUNK = re.compile(rb"([0-9A-Fa-f]+)[^\r\n]*\r\n")


class Connections:
    """Connections to the deployment; as many as requests were under way at once, the one used last first."""

    def __init__(self, origin: str, *, silence_s_max: float) -> None:
        """*origin*: scheme, host and maybe port."""
        parts = urlsplit(origin)
        self.host = parts.netloc
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._name = parts.hostname or ""
        self._address = (self._name, parts.port or (443 if self._tls else 80))
        self._silence_s_max = silence_s_max
        self._idle: list[socket.socket] = []

    def ask(self, message: bytes) -> tuple[int, bytes, bytes]:
        """Send a whole request; return the answer's status, head and body.

        :raises OSError: there is no answer.
        """
        while self._idle:
            connection = self._idle.pop()
            try:
                return self._ask(connection, message)
            except _Gone:
                # Closed while it was idle, as the server may: no byte of an answer came.
                continue
        try:
            return self._ask(self._connect(), message)
        except _Gone:
            raise ConnectionResetError("the connection was closed without an answer") from None

    def stream(
        self, path: str, headers: Mapping[str, str], opened: Callable[[Callable[[], None]], None]
    ) -> Iterator[bytes]:
        """Yield what comes of an event stream, as it comes, until it ends; *opened* is told how to end it.

        :raises OSError: it was not opened, or broke.
        """
        connection = self._connect()
        # The deployment beats; a stream that is silent for longer has broken.
        connection.settimeout(self._silence_s_max)
        try:
            opened(connection.close)
            connection.sendall(request("GET", path, self.host, headers))
            received = b""
            while (end := received.find(_END)) < 0:
                received += _some(connection)
            head, rest = received[: end + 2], received[end + 4 :]
            if int(head[9:12]) != 200:
                raise Refused(int(head[9:12]))
            chunked = _CHUNKED.search(head)
            while True:
                if chunked:
                    data, rest = _dechunked(rest)
                    if data is None:
                        return
                else:
                    data, rest = rest, b""
                if data:
                    yield data
                rest += _some(connection)
        except _Gone:
            return
        finally:
            connection.close()

    def close(self) -> None:
        """Hang up what is idle."""
        while self._idle:
            self._idle.pop().close()

    def _connect(self) -> socket.socket:
        connection = socket.create_connection(self._address, timeout=_CONNECT_S_MAX)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(self._silence_s_max)
        if self._tls is not None:
            connection = self._tls.wrap_socket(connection, server_hostname=self._name)
        return connection

    def _ask(self, connection: socket.socket, message: bytes) -> tuple[int, bytes, bytes]:
        received = b""
        try:
            try:
                connection.sendall(message)
                while (answer := _answer(received)) is None:
                    received += _some(connection)
            except (_Gone, BrokenPipeError, ConnectionResetError):
                if received:
                    raise ConnectionResetError("the connection was closed in the middle of an answer") from None
                raise _Gone from None
        except BaseException:
            connection.close()
            raise
        head, body = answer
        if b"onnection: close" in head:
            connection.close()
        else:
            self._idle.append(connection)
        return int(head[9:12]), head, body


class Refused(ConnectionRefusedError):
    """A stream was answered, with another status than 200."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class _Gone(Exception):
    """The other end has closed the connection."""


def serve(host: str, port: int, answering: Answering) -> StreamServer:
    """Take calls at an address until the server that is returned is stopped; port 0: any that is free."""

    def handle(connection: socket.socket, _: object) -> None:
        received = b""
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while True:
                while (message := whole(received)) is not None:
                    head, body, received = message
                    method, path, _ = head.split(b" ", 2)
                    connection.sendall(answering(method.decode("latin-1"), path.decode("latin-1"), head, body))
                received += _some(connection)
        except (OSError, ValueError, _Gone):
            # The caller's trouble: a reply that did not arrive is missed by who waits for it.
            pass
        finally:
            connection.close()

    server = StreamServer((host, port), handle, backlog=1_024, spawn=gevent.spawn)
    server.start()
    return server


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(_RECEIVE_BYTES)
    if not data:
        raise _Gone
    return data


def _answer(received: bytes) -> tuple[bytes, bytes] | None:
    """Return the head and the body of a whole answer; None if it is not whole yet.

    In chunks, too: what is before a deployment may make them of whatever it passes on.
    """
    head, end, rest = received.partition(_END)
    if not end or not _CHUNKED.search(head):
        found = whole(received)
        return found and found[:2]
    body = b""
    while True:
        data, rest = _dechunked(rest)
        if data is None:
            return head + b"\r\n", body
        if not data:
            return None
        body += data


def _dechunked(received: bytes) -> tuple[bytes | None, bytes]:
    """Return what is in the chunks that are whole, or None behind the last one; and what follows them."""
    data = b""
    while (size := _CHUNK.match(received)) is not None:
        count, start = int(size[1], 16), size.end()
        if len(received) < start + count + 2:
            break
        if count == 0:
            return (data, received) if data else (None, b"")
        data, received = data + received[start : start + count], received[start + count + 2 :]
    return data, received
