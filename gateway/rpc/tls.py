"""A TLS connection over TCP."""

from __future__ import annotations

import contextlib
import select
import socket
from typing import Any

from gevent import monkey

from gateway.rpc.clock import Clock
from gateway.rpc.watched import SocketAddress

__all__ = ["TlsWire"]

_poll: Any = monkey.get_original("select", "poll")
_raw_socket: type[socket.socket] = monkey.get_original("socket", "socket")


class TlsWire:
    """A TLS connection over TCP."""

    __slots__ = ("_clock", "_socket", "address", "written")

    def __init__(self, connected: Any, address: SocketAddress, clock: Clock) -> None:
        self._socket = connected  # a gevent.ssl.SSLSocket, which has no types
        self._clock = clock
        self.address = address
        self.written = 0

    def write(self, data: bytes, ends_at: float, idle_s: float) -> None:
        """Write all of *data*."""
        # A failed write may have passed on whole records before it failed: never certain that none was seen.
        self.written = len(data)
        self._socket.settimeout(self._left_s(min(ends_at, self._clock() + idle_s)))
        self._socket.sendall(data)

    def read(self, size_bytes: int, until: float) -> bytes:
        """Return what has come, waiting for it until *until* at most."""
        self._socket.settimeout(self._left_s(until))
        data: bytes = self._socket.recv(size_bytes)
        return data

    def is_quiet(self) -> bool:
        """Whether nothing has come since the last read."""
        poll = _poll()
        poll.register(self._socket.fileno(), select.POLLIN)
        return not self._socket.pending() and not poll.poll(0)

    is_alive = is_quiet

    def abort(self) -> None:
        """Make whoever waits on this wire fail now."""
        # Not SSLSocket.shutdown: that one forgets its TLS state, and what is written next would leave in the
        # clear.
        with _raw_socket(fileno=self._socket.fileno()) as borrowed:
            with contextlib.suppress(OSError):
                borrowed.shutdown(socket.SHUT_RDWR)
            borrowed.detach()

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def _left_s(self, until: float) -> float:
        left_s = until - self._clock()
        if left_s <= 0:
            raise TimeoutError
        return left_s
