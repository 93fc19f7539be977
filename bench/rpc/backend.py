"""``python -m bench.rpc.backend COUNT``: backends that fall ill on command, each on a port of its own.

It prints the ports, one line of JSON.  Commands are lines of JSON on stdin (:class:`Order`); ``{"do": "report"}`` has
it print what it counted and is the last one.  Calls are counted by the tenth of a second in which they arrived, on the
machine's monotonic clock, which the client's process has too; ``/healthz`` is counted apart.

A backend has workers, like a server before its database: each takes one request at a time for ``service_s``, in the
order of arrival, whether or not its caller still waits.  That is what makes overload collapse.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
import time
from collections import Counter
from typing import Literal

import gevent
import msgspec
from gevent.lock import BoundedSemaphore
from gevent.os import make_nonblocking, nb_read
from gevent.server import StreamServer

__all__ = ["SLOT_S", "Backend", "Counted", "Order"]

#: Calls are counted by slots of this length.
SLOT_S = 0.1
PROBE_PATH = "/healthz"
#: So many waits for a worker are as good as none.
_NO_WORKERS = 1_000_000
_LINGER_NONE = struct.pack("ii", 1, 0)


class Order(msgspec.Struct, frozen=True, omit_defaults=True):
    """What backend number ``at`` does from now on."""

    do: Literal["be", "close", "open", "report"]
    at: int = 0
    #: Seconds that a worker takes for a request.
    service_s: float = 0.0
    #: Workers; 0: as many as there are requests.
    workers: int = 0
    status: int = 200


class Counted(msgspec.Struct):
    """What one backend saw, by slot: ``int(time.monotonic() / SLOT_S)``."""

    calls: dict[int, int]
    probes: dict[int, int]


class Backend:
    """One port."""

    def __init__(self) -> None:
        self._address = ("127.0.0.1", 0)
        self._calls: Counter[int] = Counter()
        self._probes: Counter[int] = Counter()
        self._open: set[socket.socket] = set()
        self.be(Order("be"))
        self.open()
        self._address = ("127.0.0.1", int(self._server.server_port or 0))

    @property
    def port(self) -> int:
        """The port, the same one after it was closed and opened again."""
        return self._address[1]

    def be(self, order: Order) -> None:
        """Behave like this; requests that wait already keep their worker's old ways."""
        self._order = order
        self._workers = BoundedSemaphore(order.workers or _NO_WORKERS)

    def open(self) -> None:
        """Listen."""
        self._server = StreamServer(self._address, self._serve, backlog=1024)
        self._server.start()

    def close(self) -> None:
        """Be dead: who connects is refused, who is connected is reset."""
        self._server.close()
        for connected in self._open:
            with contextlib.suppress(OSError):
                # With no time to linger a close is a reset, as when a process is killed with unread input.
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
                connected.shutdown(socket.SHUT_RDWR)

    def counted(self) -> Counted:
        """Return what was counted so far."""
        return Counted(dict(self._calls), dict(self._probes))

    def _serve(self, connected: socket.socket, _: object) -> None:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.add(connected)
        try:
            data = b""
            while True:
                while b"\r\n\r\n" not in data:
                    more = connected.recv(65_536)
                    if not more:
                        return
                    data += more
                # Requests here are GETs without a body.
                head, _, data = data.partition(b"\r\n\r\n")
                connected.sendall(self._answer(head))
        except OSError:
            return
        finally:
            self._open.discard(connected)

    def _answer(self, head: bytes) -> bytes:
        path = head.split(b" ", 2)[1].decode()
        counter = self._probes if path == PROBE_PATH else self._calls
        counter[int(time.monotonic() / SLOT_S)] += 1
        order = self._order
        with self._workers:
            if order.service_s:
                gevent.sleep(order.service_s)
        # The path is the answer: each caller asks for its own.
        body = path.encode()
        return b"HTTP/1.1 %d Whatever\r\nContent-Length: %d\r\n\r\n%b" % (order.status, len(body), body)


def main(count: int) -> None:
    """Obey until stdin ends."""
    backends = [Backend() for _ in range(count)]
    print(msgspec.json.encode([backend.port for backend in backends]).decode(), flush=True)
    stdin = sys.stdin.fileno()
    make_nonblocking(stdin)
    begun = b""
    while data := nb_read(stdin, 65_536):
        *lines, begun = (begun + data).split(b"\n")
        for line in lines:
            order = msgspec.json.decode(line, type=Order)
            if order.do == "report":
                os.write(1, msgspec.json.encode([backend.counted() for backend in backends]) + b"\n")
            elif order.do == "be":
                backends[order.at].be(order)
            elif order.do == "close":
                backends[order.at].close()
            else:
                backends[order.at].open()


if __name__ == "__main__":
    main(int(sys.argv[1]))
