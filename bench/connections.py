"""Many connections at once: what each costs a server in memory while it lies idle, or is held as a stream of events.

Raw sockets in this process, which the caller keeps off the server's core.  Memory is PSS, which counts a shared page by
its share; what the kernel keeps for a socket is not in it, and is the same for every server.
"""

from __future__ import annotations

import contextlib
import resource
import selectors
import socket
import time
from collections.abc import Iterator

import msgspec

from bench.contestants import Running
from bench.generator import ECHO_BODY

__all__ = ["growth_per_connection", "raise_descriptors", "time_of_one_event"]

ECHO = (
    b"POST /bench/echo HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n" % len(ECHO_BODY) + ECHO_BODY
)
STREAM = b"GET /bench/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"
#: Opened one after the other, then answered: fewer than any server's backlog.
_BATCH = 200
#: Open before the first look and until the last one: what a server learns from its first callers (imports, pools) is no
#: connection's price, and memory that its start left free would hide that of the connections that fill it.
BALLAST = 2_000
_ANSWER_MAX_S = 30.0
_READ_BYTES = 65_536


def raise_descriptors() -> int:
    """Allow this process and its children as many descriptors as they may have; return how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def growth_per_connection(server: Running, request: bytes, count: int, *, ballast: int = BALLAST) -> float:
    """Return the bytes by which *server* has grown for each of *count* connections, after *request* on each."""
    with _connections(server.port, request, ballast):
        before = server.pss_bytes()
        with _connections(server.port, request, count):
            return (server.pss_bytes() - before) / count


def time_of_one_event(server: Running, count: int, *, within_s: float = _ANSWER_MAX_S) -> float:
    """Return the seconds from posting one event until the last of *count* streams was read."""
    with _connections(server.port, STREAM, count) as streams, selectors.DefaultSelector() as selector:
        for stream in streams:
            stream.setblocking(False)
            selector.register(stream, selectors.EVENT_READ)
        mark = b"%016x" % time.time_ns()
        body = msgspec.json.encode({"mark": mark.decode()})
        head = b"POST /bench/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        with socket.create_connection(("127.0.0.1", server.port), timeout=_ANSWER_MAX_S) as publisher:
            began = time.perf_counter()
            publisher.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            _read_all(selector, mark, began + within_s)
            return time.perf_counter() - began


def _read_all(selector: selectors.BaseSelector, mark: bytes, until: float) -> None:
    """Read every stream of *selector* until *mark* has come on it."""
    received: dict[int, bytes] = {}
    while waiting := len(selector.get_map()):
        left_s = until - time.perf_counter()
        if left_s <= 0:
            raise TimeoutError(f"{waiting:,} streams did not get the event")
        for key, _ in selector.select(left_s):
            assert isinstance(key.fileobj, socket.socket)
            data = key.fileobj.recv(_READ_BYTES)
            if not data:
                raise ConnectionError("a stream was closed instead of told")
            received[key.fd] = data = received.get(key.fd, b"") + data
            if mark in data:
                selector.unregister(key.fileobj)


@contextlib.contextmanager
def _connections(port: int, request: bytes, count: int) -> Iterator[list[socket.socket]]:
    """Open *count* connections, send *request* on each, and hand them out once each has its answer."""
    opened: list[socket.socket] = []
    try:
        while len(opened) < count:
            batch = []
            for _ in range(min(_BATCH, count - len(opened))):
                each = socket.create_connection(("127.0.0.1", port), timeout=_ANSWER_MAX_S)
                opened.append(each)
                batch.append(each)
                each.sendall(request)
            for each in batch:
                _answered(each)
        yield opened
    finally:
        for each in opened:
            each.close()


def _answered(connection: socket.socket) -> None:
    """Read one answer: the whole of it where it has a length, its head where it goes on."""
    received = b""
    while True:
        data = connection.recv(_READ_BYTES)
        if not data:
            raise ConnectionError("closed instead of answered")
        received += data
        head, end, body = received.partition(b"\r\n\r\n")
        if not end:
            continue
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            raise ConnectionError(f"answered {head.splitlines()[0].decode(errors='replace')}")
        at = head.lower().find(b"content-length:")
        if at < 0 or len(body) >= int(head[at + 15 :].split(b"\r\n", 1)[0]):
            return
