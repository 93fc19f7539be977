"""An application whose every response is a held stream, a server for it in this process, and readers."""

from __future__ import annotations

import _socket
import socket
import ssl
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from gevent.event import Event

from gateway import telemetry
from gateway.server.forwarded import TrustedPeers
from gateway.server.held import HeldBody, HeldStream
from gateway.server.server import Server
from gateway.settings.server import ServerSettings
from gateway.telemetry.catalogue import Event as Declared
from tests.support.waiting import GUARD_S

__all__ = [
    "MUCH",
    "PIECE",
    "Crashes",
    "Hold",
    "Reader",
    "Seen",
    "Site",
    "crashes",
    "dechunked",
    "fill",
    "holding",
    "overfill",
]

#: The kernel makes at least about twice this of it: a reader that does not read is soon felt.
KERNEL_BYTES = 4_096
PIECE = b"x" * 1_000
#: Far more than the kernel takes on both sides.
MUCH = bytes(200_000)


class Seen:
    """What the application saw of one stream.  Tests put their own ``on_opened`` and ``on_closed`` into it."""

    def __init__(self) -> None:
        self.streams: list[HeldStream] = []
        self.reasons: list[str] = []
        self.on_opened: Callable[[HeldStream], None] = lambda _: None
        self.on_closed: Callable[[str], None] = lambda _: None
        self._open = Event()
        self._over = Event()

    def opened(self, stream: HeldStream) -> None:
        self.streams.append(stream)
        self._open.set()
        self.on_opened(stream)

    def closed(self, reason: str) -> None:
        self.reasons.append(reason)
        self._over.set()
        self.on_closed(reason)

    @property
    def stream(self) -> HeldStream:
        assert self._open.wait(GUARD_S), "the stream was not opened"
        return self.streams[0]

    def wait_over(self) -> list[str]:
        """Return the reasons that were given, once there is one."""
        assert self._over.wait(GUARD_S), "the stream is not over"
        return self.reasons


class Reader:
    """A connection that asked for a stream."""

    def __init__(self, sock: socket.socket, method: str, version: str) -> None:
        self.sock = sock
        self.sock.sendall(f"{method} / HTTP/{version}\r\nHost: localhost\r\n\r\n".encode())
        self.head = b""
        self.body = b""

    def read_head(self) -> bytes:
        """Return the head; what came behind it is in ``body``."""
        while b"\r\n\r\n" not in self.head:
            data = self.sock.recv(65_536)
            assert data, "the head did not come whole"
            self.head += data
        self.head, _, self.body = self.head.partition(b"\r\n\r\n")
        return self.head

    def read_until(self, text: bytes) -> bytes:
        """Return all of the body so far, once *text* is in it."""
        while text not in self.body:
            data = self.sock.recv(65_536)
            assert data, f"it ended before {text!r}: {self.body!r}"
            self.body += data
        return self.body

    def read_all(self, piece_bytes: int = 65_536) -> bytes:
        """Return all of the body, once it has ended."""
        while data := self.sock.recv(piece_bytes):
            self.body += data
        return self.body

    def reset(self) -> None:
        """Leave with an RST, as a process that is killed with unread data does."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        self.sock.close()


class Site:
    """A running server.  ``options`` are given to each stream; every stream's story is in ``seen``."""

    def __init__(self, *, tls: ssl.SSLContext | None, client: ssl.SSLContext | None, **limits: Any) -> None:
        self.seen: list[Seen] = []
        self.options: dict[str, Any] = {}
        #: What stands between the application and the server.
        self.middleware: Callable[[Iterable[bytes]], Iterable[bytes]] = lambda body: body
        #: Prepares what the next requests' application will see.
        self.prepare: Callable[[Seen], None] = lambda _: None
        self._client = client
        self._readers: list[Reader] = []
        self.server = Server(self._application, ServerSettings(**limits), trusted=TrustedPeers(""), tls=tls)
        listener = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        listener.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDBUF, KERNEL_BYTES)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1_024)
        self.port: int = listener.getsockname()[1]
        self.server.listen(listener)

    def reader(self, method: str = "GET", version: str = "1.1") -> Reader:
        """Ask for a stream."""
        sock = socket.socket()
        sock.settimeout(GUARD_S)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BYTES)
        sock.connect(("127.0.0.1", self.port))
        if self._client is not None:
            sock = self._client.wrap_socket(sock, server_hostname="localhost")
        reader = Reader(sock, method, version)
        self._readers.append(reader)
        return reader

    def stream(self, version: str = "1.1") -> tuple[Reader, Seen]:
        """Return an open stream's reader, which has read the head, and what the application sees."""
        reader = self.reader(version=version)
        reader.read_head()
        return reader, self.seen[-1]

    def close(self) -> None:
        self.server.stop()
        for reader in self._readers:
            reader.close()

    def _application(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        seen = Seen()
        self.seen.append(seen)
        self.prepare(seen)
        body: HeldBody = environ["gateway.hold"](seen.opened, seen.closed, **self.options)
        return self.middleware(body)


def fill(stream: HeldStream) -> None:
    """Send what stays waiting until the reader reads."""
    assert stream.send(MUCH)
    assert stream.buffered > len(MUCH) // 2


def overfill(stream: HeldStream) -> int:
    """Send until the stream is over for that; return how many bytes had waited."""
    most = 0
    while stream.send(PIECE):
        most = max(most, stream.buffered)
        assert most < 10_000_000, "nothing bounds what waits"
    return most


class Crashes:
    """What the server tells of an application that failed."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def writer(self, event: Declared) -> Callable[[dict[str, Any]], None] | None:
        return self.told.append if event.name == "request.crashed" else None


@contextmanager
def crashes() -> Iterator[Crashes]:
    """Listen to failures for a while."""
    sink = Crashes()
    telemetry.attach(sink)
    try:
        yield sink
    finally:
        telemetry.detach(sink)


#: Makes a running server.
Hold = Callable[..., AbstractContextManager[Site]]


@contextmanager
def holding(
    tls: ssl.SSLContext | None = None, client: ssl.SSLContext | None = None, **limits: Any
) -> Iterator[Site]:
    """Run a server with these limits."""
    site = Site(tls=tls, client=client, **limits)
    try:
        yield site
    finally:
        site.close()


def dechunked(data: bytes) -> tuple[list[bytes], bool]:
    """Return the chunks of a body, and whether it ended as it should and nothing came behind it."""
    chunks: list[bytes] = []
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            return chunks, data == b"\r\n"
        if data[length : length + 2] != b"\r\n":
            # Broken off.
            break
        chunks.append(data[:length])
        data = data[length + 2 :]
    return chunks, False
