"""A connection's socket and what watches it.  Nothing here waits but ``write_rest``, which a greenlet calls.

A descriptor must not be closed under a watcher that a greenlet waits for (libev ends the process), so ``close`` is the
only place that closes it.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from typing import Any, Protocol

from gevent.hub import Hub
from gevent.socket import wait as wait_on

__all__ = ["ReaderGone", "Socket", "Transport"]

_READ, _WRITE = 1, 2


class ReaderGone(ConnectionError):
    """Nobody reads any more what is written.  Not the application's fault, and nothing to tell."""


class Socket(Protocol):
    """A socket that never waits: a plain one, or :class:`gateway.server.tls.TlsSocket`."""

    def recv(self, size: int, /) -> bytes: ...
    def send(self, data: bytes | memoryview, /) -> int: ...
    def shutdown(self, how: int, /) -> None: ...
    def close(self) -> None: ...
    def fileno(self) -> int: ...


class Transport:
    """Reads and writes what can be read and written now."""

    __slots__ = ("_hub", "_reads", "_socket", "_waits", "_writes")

    def __init__(self, hub: Hub, sock: Socket) -> None:
        self._hub = hub
        self._socket = sock
        self._reads = hub.loop.io(sock.fileno(), _READ)
        #: Calls, or wakes a greenlet, when the kernel takes bytes again; None while nobody wants to know.
        self._writes: Any = None
        #: It is a greenlet that wants to know.
        self._waits = False

    @property
    def waits(self) -> bool:
        """Whether a greenlet waits in ``write_rest``."""
        return self._waits

    @property
    def watches_writes(self) -> bool:
        return self._writes is not None

    def watch_reads(self, call: Callable[[], None]) -> None:
        """Call whenever there is something to read, the end included."""
        self._reads.start(call)

    def rest(self) -> None:
        """Leave what comes with the kernel, whose window then tells the caller to wait."""
        self._reads.stop()

    def read(self, size: int) -> bytes | None:
        """Return what has come, at most about *size* bytes; nothing at the end, and None if there is nothing yet."""
        try:
            return self._socket.recv(size)
        except BlockingIOError:
            return None
        except OSError:
            # Broken off.  What has come whole is answered all the same: somebody may see it.
            return b""

    def try_write(self, data: bytes | memoryview) -> int:
        """Write what can be written now; return how much, or -1 if there is no reader any more."""
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            return -1

    def watch_writes(self, call: Callable[[], None] | None) -> None:
        """Call whenever the kernel takes bytes, or no more."""
        if self._writes is not None:
            self._writes.close()
            self._writes = None
        if call is not None:
            self._writes = self._hub.loop.io(self._socket.fileno(), _WRITE)
            self._writes.start(call)

    def write_rest(self, rest: memoryview, patience_s: float) -> None:
        """Wait until all of *rest* is written.  In a greenlet only.

        :raises ReaderGone: there is no reader any more, or the transport was closed meanwhile.
        :raises TimeoutError: *patience_s* is over.
        """
        until = time.monotonic() + patience_s
        self._waits = True
        self._writes = watcher = self._hub.loop.io(self._socket.fileno(), _WRITE)
        try:
            while rest:
                wait_on(watcher, timeout=max(0.0, until - time.monotonic()), timeout_exc=TimeoutError())
                sent = self.try_write(rest)
                if sent < 0:
                    raise ReaderGone
                rest = rest[sent:]
        finally:
            self._waits = False
            self._writes = None
            watcher.close()

    def end(self) -> bool:
        """Say that nothing more will be written; False if nobody can be told."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            return False
        return True

    def close(self, *, orderly: bool) -> None:
        """Close.  *orderly*: over TLS that is said; an answer that was broken off must not look whole."""
        self._reads.close()
        if orderly:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)
        if self._waits:
            self._hub.cancel_waits_close_and_then([self._writes], ReaderGone, self._socket.close)
        else:
            self.watch_writes(None)
            self._socket.close()
