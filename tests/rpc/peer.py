"""A server that does exactly what a test tells it, on a real socket."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import Event
from gevent.queue import Queue
from gevent.server import StreamServer

from gateway.domain.deadline import Deadline
from gateway.rpc import Call, RpcClient, Service

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

#: How long a test waits for what must happen before it calls it a failure.
GUARD_S = 5.0


class Link:
    """One connection, seen from the server."""

    def __init__(self, connected: Any, number: int) -> None:
        self._socket = connected
        self._pending = bytearray()
        #: 1 for the server's first connection.
        self.number = number

    def request(self) -> bytes:
        """Return the next whole request; empty when the client is gone."""
        while (size_bytes := self._size_bytes()) is None or len(self._pending) < size_bytes:
            data = self._socket.recv(65_536)
            if not data:
                return b""
            self._pending += data
        request = bytes(self._pending[:size_bytes])
        del self._pending[:size_bytes]
        return request

    def _size_bytes(self) -> int | None:
        head_bytes = self._pending.find(b"\r\n\r\n")
        if head_bytes < 0:
            return None
        announced = re.search(rb"\r\nContent-Length: (\d+)", self._pending[:head_bytes])
        return head_bytes + 4 + (int(announced[1]) if announced else 0)

    def send(self, *pieces: bytes) -> None:
        """Send each piece in a write of its own."""
        for piece in pieces:
            self._socket.sendall(piece)

    def until_gone(self) -> None:
        """Wait until the client has closed."""
        while self._socket.recv(65_536):
            pass

    def reset(self) -> None:
        """Close so that the client sees ECONNRESET."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


Script = Callable[[Link], None]


def answering(*pieces: bytes) -> Script:
    """Return a script that answers every request with *pieces*."""

    def script(link: Link) -> None:
        while link.request():
            link.send(*pieces)

    return script


def once(*pieces: bytes) -> Script:
    """Return a script that answers the first request with *pieces* and closes."""

    def script(link: Link) -> None:
        link.request()
        link.send(*pieces)

    return script


class Server:
    """Runs *script* for each connection; counts them; tells what happened through queues."""

    def __init__(self, script: Script, listener: Any = ("127.0.0.1", 0), **ssl_args: Any) -> None:
        self._script = script
        self._server = StreamServer(listener, self._handle, **ssl_args)
        self._server.start()
        self.connections = 0
        #: Gets the number of each connection whose script has ended.
        self.ended: Queue[int] = Queue()
        #: Set by a script that wants its test to know how far it is.
        self.reached = Event()
        #: Waited for by a script that goes on only when its test says so.
        self.go_on = Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        port: int = self._server.server_port
        return port

    def stop(self) -> None:
        self._server.stop()

    def _handle(self, connected: Any, address: object) -> None:
        self.connections += 1
        number = self.connections
        try:
            self._script(Link(connected, number))
        except OSError:
            pass  # the client hung up on the script, as some tests want
        finally:
            connected.close()
            self.ended.put(number)


def reached(event: Event) -> None:
    """Wait for *event*, or fail."""
    assert event.wait(GUARD_S), "the server never got there"
    gevent.idle()  # let the client wait for what comes next


Serve = Callable[..., Server]
MakeClient = Callable[..., RpcClient]


def to(server: Server | str, *, within_s: float = 10.0, **changes: Any) -> Call:
    """Return a call to *server*: ``GET /`` unless *changes* say otherwise."""
    url = server if isinstance(server, str) else server.url
    values: dict[str, Any] = {
        "service": Service("peer", (url,)),
        "method": "GET",
        "path": "/",
        "deadline": Deadline.after(within_s, now=time.monotonic()),
    }
    return Call(**(values | changes))
