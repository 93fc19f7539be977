"""A socket and its one watcher: how wires wait.

A ``gevent.socket`` tries to read, fails, starts a watcher and a timer, waits, and takes both down again, for each
answer.  An answer is never there yet when its request has just left.  Here one watcher runs for as long as the socket
is open, and all waits share one timer: a bare loop of sending and parsing costs half as much (5.5 µs a call for 11).

What comes while nobody reads stops the watcher: nothing is read ahead of its reader, and an idle connection that its
server closed is known to be dead without asking.
"""

from __future__ import annotations

import select
import socket
from typing import Any

import gevent
import gevent.socket
from gevent import monkey
from greenlet import getcurrent, greenlet

from gateway.rpc.clock import Clock
from gateway.rpc.watch import NEVER, Watch

__all__ = ["SocketAddress", "WatchedSocket"]

SocketAddress = tuple[Any, ...] | str

# The unpatched one: a patched poll would yield, and a pool's decision must not.
_poll: Any = monkey.get_original("select", "poll")

READ, WRITE = 1, 2

_switch = greenlet.switch


class WatchedSocket:
    """A socket and its watcher: what all wires have in common."""

    __slots__ = (
        "_clock", "_hub", "_late", "_poll", "_readable", "_socket", "_waiting", "_watch", "_watcher", "address",
        "until",
    )  # fmt: skip

    def __init__(self, connected: Any, address: SocketAddress, watch: Watch, clock: Clock) -> None:
        self._socket = connected
        self._watch = watch
        self._clock = clock
        self._hub = gevent.get_hub()
        #: The greenlet that reads; others set it to None.
        self._waiting: Any = None
        #: Something came, and nobody has read it: the watcher stands still.
        self._readable = False
        self._late = False
        self.until = NEVER
        self.address = address
        # poll(2): select(2) fails above descriptor 1023, and keep-alive would silently end there.
        self._poll = _poll()
        self._poll.register(connected.fileno(), select.POLLIN)
        self._watcher: Any = self._hub.loop.io(connected.fileno(), READ)
        self._watcher.start(self._on_readable)
        watch.add(self)

    def wait_readable(self, until: float) -> None:
        """Return when there may be something to read; raise TimeoutError at *until*."""
        if self._readable:
            self._readable = False
            self._watcher.start(self._on_readable)
            return
        self.until = until
        if until < self._watch.next_at:
            self._watch.ring_at(until)
        self._waiting = getcurrent()
        try:
            # Not once: somebody else may wake this greenlet and bring nothing.
            while self._waiting is not None:
                _switch(self._hub)
        finally:
            self._waiting = None
            self.until = NEVER
        if self._late:
            self._late = False
            raise TimeoutError

    def wait_writable(self, ends_at: float, idle_s: float) -> None:
        """Return when something may be written; raise TimeoutError after *idle_s*, and at *ends_at*."""
        wait_s = min(ends_at - self._clock(), idle_s)
        if wait_s <= 0:
            raise TimeoutError
        writable = self._hub.loop.io(self._socket.fileno(), WRITE)
        try:
            gevent.socket.wait(writable, wait_s, TimeoutError)
        finally:
            writable.close()

    def expire(self) -> None:
        """Wake the reader: its time is over.  Not if its answer is here: it was this process that came late."""
        waiting = self._waiting
        if waiting is not None and self.is_alive():
            self._waiting = None
            self._late = True
            waiting.switch()

    def is_quiet(self) -> bool:
        """Whether nothing has come since the last read, as far as the loop knows."""
        return not self._readable

    def is_alive(self) -> bool:
        """Whether nothing has come since the last read: asks the kernel."""
        return not (self._readable or self._poll.poll(0))

    def abort(self) -> None:
        """Make whoever waits on this wire fail now."""
        _shut(self._socket)

    def close(self) -> None:
        """Give the socket back.  Safe to call twice."""
        self._watch.discard(self)
        self._watcher.close()
        self._socket.close()

    def _on_readable(self) -> None:
        waiting = self._waiting
        if waiting is None:
            self._readable = True
            self._watcher.stop()
        else:
            self._waiting = None
            waiting.switch()


def _shut(connected: socket.socket) -> None:
    """Close both ways of *connected*: who waits on it finds the end of the stream."""
    try:
        connected.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the peer was faster
