"""A real HTTP server in the test's process that stands in for somebody else's, and does what a test says.

Stacks are shared by tests, so what is told is told about a word: the next calls whose body holds it get the
behaviours in order, each once, and all other calls the default.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import gevent
import msgspec
from gevent.event import Event
from gevent.server import StreamServer

from tests.support.waiting import GUARD_S, until

__all__ = ["Behaviour", "Call", "Hold", "StandIn", "cut", "status"]


class Call:
    """One call as it arrived, and the way to answer it."""

    def __init__(self, connection: Any, path: str, headers: dict[str, str], body: bytes) -> None:
        self.connection = connection
        self.path = path
        self.headers = headers
        self.body = body
        self.arrived = time.monotonic()
        #: Monotonic seconds at which it was answered, or given up.
        self.ended = float("inf")

    def __repr__(self) -> str:
        return f"<Call {self.path} {self.body[:200]!r}>"

    @property
    def json(self) -> Any:
        """The body's value."""
        return msgspec.json.decode(self.body)

    def answer(
        self, body: bytes, *headers: str, status: str = "200 OK", media: str = "application/json"
    ) -> None:
        """Answer in one piece."""
        head = [f"HTTP/1.1 {status}", f"Content-Type: {media}", f"Content-Length: {len(body)}", *headers]
        self.connection.sendall("\r\n".join([*head, "", ""]).encode() + body)


#: Does something with one call: answers it, waits, hangs up.
Behaviour = Callable[[Call], None]


class StandIn:
    """A server on a port of its own."""

    def __init__(self, default: Behaviour) -> None:
        self.calls: list[Call] = []
        self._default = default
        self._told: dict[bytes, deque[Behaviour]] = {}
        self._server = StreamServer(("127.0.0.1", 0), self._serve)
        self._server.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(timeout=0)

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def will(self, word: str, *behaviours: Behaviour) -> None:
        """Have the next calls about *word* answered by *behaviours*, each once."""
        self._told.setdefault(word.encode(), deque()).extend(behaviours)

    def usually(self, behaviour: Behaviour) -> None:
        """Have all other calls answered by *behaviour* from now on."""
        self._default = behaviour

    def about(self, word: str) -> list[Call]:
        """Return the calls whose body holds *word*, in order of arrival."""
        return [call for call in self.calls if word.encode() in call.body]

    def wait_for(self, word: str, count: int = 1) -> list[Call]:
        """Return the calls about *word* once there are *count* of them."""
        return until(
            f"{count} calls about {word}", lambda: len(self.about(word)) >= count and self.about(word)
        )

    def _serve(self, connection: Any, _address: object) -> None:
        try:
            with connection:
                while (call := _receive(connection)) is not None:
                    self.calls.append(call)
                    try:
                        self._behaviour(call)(call)
                    finally:
                        call.ended = time.monotonic()
        except OSError:
            pass  # the caller hung up, or the behaviour did

    def _behaviour(self, call: Call) -> Behaviour:
        for word, behaviours in self._told.items():
            if word in call.body and behaviours:
                return behaviours.popleft()
        return self._default


class Hold:
    """Keeps a call waiting until the test lets it go on, or its caller is gone."""

    def __init__(self, then: Behaviour) -> None:
        self.reached = Event()
        self.released = Event()
        self.gone = Event()
        self._then = then

    def __call__(self, call: Call) -> None:
        self.reached.set()
        watcher = gevent.spawn(self._watch, call)
        gevent.wait([self.released, self.gone], timeout=2 * GUARD_S, count=1)
        watcher.kill()
        if self.released.is_set():
            self._then(call)

    def wait_reached(self) -> None:
        """Return once a call waits here."""
        assert self.reached.wait(GUARD_S), "nobody called"

    def wait_gone(self) -> None:
        """Return once the caller has hung up."""
        assert self.gone.wait(GUARD_S), "the caller is still there"

    def _watch(self, call: Call) -> None:
        try:
            if not call.connection.recv(1):
                self.gone.set()
        except OSError:
            self.gone.set()


def status(line: str, body: bytes = b"", *headers: str) -> Behaviour:
    """Answer with the status *line*."""
    return lambda call: call.answer(body, *headers, status=line)


def cut(call: Call) -> None:
    """Hang up without a word, after the whole call was read."""
    call.connection.close()
    raise ConnectionError("as told")


def _receive(connection: Any) -> Call | None:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65_536)
        if not piece:
            return None
        data += piece
    start, _, body = data.partition(b"\r\n\r\n")
    first, *lines = start.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65_536)
    return Call(connection, first.split(" ")[1], headers, body)
