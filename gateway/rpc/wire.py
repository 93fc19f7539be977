"""A connected socket that waits in greenlets: plain (TCP, unix) or TLS.

Errors are the operating system's own (``OSError``, ``TimeoutError``); :mod:`gateway.rpc.connection`
translates them.

The plain wire is a non-blocking socket and its own watcher rather than a ``gevent.socket``: it waits first
and reads then, where gevent's reads first, fails, and waits.  An answer is never there yet when its request
has just left, so this saves a system call and an exception per call (a fifth of a bare send-and-parse loop's
time).
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from typing import Any, Protocol

import gevent
import gevent.socket
import gevent.ssl
from gevent import monkey

__all__ = ["PlainWire", "TlsWire", "Wire"]

# The unpatched ones: a patched poll would yield, and a pool's decision must not.
_poll: Callable[[], select.poll] = monkey.get_original("select", "poll")
_raw_socket: type[socket.socket] = monkey.get_original("socket", "socket")

_READ, _WRITE = 1, 2


class Wire(Protocol):
    """What a connection needs of a socket."""

    #: Bytes of the last ``write`` that certainly were not taken back: 0 means that the peer cannot have seen
    #: any.
    written: int

    def write(self, data: bytes, wait_s: Callable[[], float]) -> None:
        """Write all of *data*; *wait_s* is asked before each wait how long it may last."""
        ...

    def read(self, size_bytes: int, wait_s: float) -> bytes:
        """Return what has come, waiting for it at most *wait_s*; empty at the end of the stream."""
        ...

    def is_quiet(self) -> bool:
        """Whether nothing has come since the last read.  A readable idle connection was closed, or lies."""
        ...

    def abort(self) -> None:
        """Make whoever waits on this wire fail now."""
        ...

    def close(self) -> None:
        """Give the socket back.  Safe to call twice."""
        ...


class PlainWire:
    """A TCP or unix socket."""

    __slots__ = ("_poll", "_readable", "_socket", "written")

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._readable = gevent.get_hub().loop.io(connected.fileno(), _READ)
        self._poll = _poll()
        self._poll.register(connected.fileno(), select.POLLIN)
        self.written = 0

    def write(self, data: bytes, wait_s: Callable[[], float]) -> None:
        self.written = 0
        try:
            self.written = self._socket.send(data)
        except BlockingIOError:
            self.written = 0
        if self.written < len(data):
            self._write_rest(memoryview(data), wait_s)

    def _write_rest(self, data: memoryview, wait_s: Callable[[], float]) -> None:
        writable = gevent.get_hub().loop.io(self._socket.fileno(), _WRITE)
        try:
            while self.written < len(data):
                gevent.socket.wait(writable, wait_s(), TimeoutError)
                try:
                    self.written += self._socket.send(data[self.written :])
                except BlockingIOError:
                    continue
        finally:
            writable.close()

    def read(self, size_bytes: int, wait_s: float) -> bytes:
        while True:
            gevent.socket.wait(self._readable, wait_s, TimeoutError)
            try:
                return self._socket.recv(size_bytes)
            except BlockingIOError:
                continue  # the kernel may call a socket readable and find nothing: select(2), BUGS

    def is_quiet(self) -> bool:
        # poll(2): select(2) fails above descriptor 1023, and keep-alive would silently end there.
        return not self._poll.poll(0)

    def abort(self) -> None:
        _shut(self._socket)

    def close(self) -> None:
        self._readable.close()
        self._socket.close()


class TlsWire:
    """A TLS connection over TCP."""

    __slots__ = ("_poll", "_socket", "written")

    def __init__(self, connected: Any) -> None:
        self._socket = connected  # a gevent.ssl.SSLSocket, which has no types
        self._poll = _poll()
        self._poll.register(connected.fileno(), select.POLLIN)
        self.written = 0

    def write(self, data: bytes, wait_s: Callable[[], float]) -> None:
        # A failed write may have passed on whole records before it failed: never certain that none was seen.
        self.written = len(data)
        self._socket.settimeout(wait_s())
        self._socket.sendall(data)

    def read(self, size_bytes: int, wait_s: float) -> bytes:
        self._socket.settimeout(wait_s)
        data: bytes = self._socket.recv(size_bytes)
        return data

    def is_quiet(self) -> bool:
        return not self._socket.pending() and not self._poll.poll(0)

    def abort(self) -> None:
        # Not SSLSocket.shutdown: that one forgets its TLS state, and what is written next would leave in the
        # clear.
        with _raw_socket(fileno=self._socket.fileno()) as borrowed:
            _shut(borrowed)
            borrowed.detach()

    def close(self) -> None:
        self._socket.close()


def _shut(connected: socket.socket) -> None:
    try:
        connected.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the peer was faster
