"""A server in the test's own process that stands for a contestant, and the stage that it stands on."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Callable, Iterator

import msgspec
from gevent.server import StreamServer

from bench.generator import Expected
from bench.lines import LINES, Line

__all__ = ["REFUSED", "RIGHT", "Answering", "Served", "Standing", "line"]

RIGHT = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345"
REFUSED = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
#: From the number of a request, counted from 0 over all connections, to all bytes of its answer; none: hang up.
Answering = Callable[[int], bytes]


class Served:
    """A server that counts; a request is whatever was read at once."""

    def __init__(self, answering: Answering = lambda _: RIGHT) -> None:
        self._answering = answering
        self._numbers = itertools.count()
        self.connections = 0
        self._server = StreamServer(("127.0.0.1", 0), self._serve, backlog=1_024)
        self._server.start()
        self.port = self._server.server_port

    def cpu_s(self) -> float:
        return time.process_time()

    def close(self) -> None:
        self._server.stop()

    def _serve(self, connection, _) -> None:
        self.connections += 1
        with connection, contextlib.suppress(OSError):
            while connection.recv(65_536):
                data = self._answering(next(self._numbers))
                if not data:
                    return
                connection.sendall(data)


class Standing:
    """A stage with one contestant, which is shared and fresh alike."""

    quick = False
    keys = None
    postgres_pid = os.getpid()

    def __init__(self, served: Served) -> None:
        self._served = served

    def shared(self, _: str) -> Served:
        return self._served

    @contextlib.contextmanager
    def fresh(self, _: str) -> Iterator[Served]:
        yield self._served


def line() -> Line:
    """Return the echo's line; whole answers are other tests' concern."""
    return msgspec.structs.replace(LINES["echo"], check=lambda *_: Expected(200, 5), connections=4)
