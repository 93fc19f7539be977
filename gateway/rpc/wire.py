"""What a connection needs of a socket, and the plain one: TCP or unix.  TLS is in :mod:`gateway.rpc.tls`.

Errors are the operating system's own (``OSError``, ``TimeoutError``); :mod:`gateway.rpc.connection` translates them.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Protocol

from gateway.rpc.clock import Clock
from gateway.rpc.watch import Watch
from gateway.rpc.watched import SocketAddress, WatchedSocket

__all__ = ["PlainWire", "Wire"]


class Wire(Protocol):
    """What a connection needs of a socket."""

    #: Bytes of the last ``write`` that certainly were not taken back: 0 means that the peer cannot have seen any.
    written: int
    #: Whom it is connected to.
    address: SocketAddress

    def write(self, data: bytes, ends_at: float, idle_s: float) -> bool:
        """Write all of *data*; wait for the peer *idle_s* at a time at most, and never past *ends_at*.

        Return whether that took time.
        """
        ...

    def read(self, size_bytes: int, until: float) -> bytes:
        """Return what has come, waiting for it until *until* at most; empty at the end of the stream."""
        ...

    def is_quiet(self) -> bool:
        """Whether nothing has come since the last read, as far as the loop knows.  Costs no system call."""
        ...

    def is_alive(self) -> bool:
        """Whether nothing has come since the last read.  Asks the kernel."""
        ...

    def abort(self) -> None:
        """Make whoever waits on this wire fail now."""
        ...

    def close(self) -> None:
        """Give the socket back.  Safe to call twice."""
        ...


class PlainWire(WatchedSocket):
    """A TCP or unix socket."""

    __slots__ = ("_recv", "_send", "written")

    def __init__(self, connected: socket.socket, address: SocketAddress, watch: Watch, clock: Clock) -> None:
        super().__init__(connected, address, watch, clock)
        self._send, self._recv = connected.send, connected.recv
        self.written = 0

    def write(self, data: bytes, ends_at: float, idle_s: float) -> bool:
        """Write all of *data*."""
        self.written = 0
        try:  # noqa: SIM105 - on the way of every call, and cheaper than a context manager
            self.written = self._send(data)
        except BlockingIOError:
            pass
        if self.written == len(data):
            return False
        self._write_rest(memoryview(data), ends_at, idle_s)
        return True

    def _write_rest(self, data: memoryview, ends_at: float, idle_s: float) -> None:
        while self.written < len(data):
            self.wait_writable(ends_at, idle_s)
            with contextlib.suppress(BlockingIOError):
                self.written += self._send(data[self.written :])

    def read(self, size_bytes: int, until: float) -> bytes:
        """Return what has come, waiting for it until *until* at most."""
        while True:
            self.wait_readable(until)
            try:
                return self._recv(size_bytes)
            except BlockingIOError:
                continue  # the kernel may call a socket readable and find nothing: select(2), BUGS
