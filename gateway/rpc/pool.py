"""The connections of one endpoint: last in, first out.

Rules:

1. Who takes a connection holds a slot of the endpoint's gate (:mod:`gateway.rpc.member`), and there are never more
   slots than connections allowed: so nobody waits here, and the number of connections is bounded.
2. Whoever got one from ``acquire`` gives it back exactly once, by ``release`` or ``discard``.
3. Decide first, then act: what changes the books never yields; connections are opened and closed outside of that.
4. The connection used last is used next, so that the rest grow old and are closed; idle ones are closed after
   ``idle_max_s``, which is below the keep-alive of the servers we meet, and all after about ``age_max_s``.  One whose
   address the host's name no longer has serves no further call.
5. An idle connection that is readable was closed by its server, or holds bytes that nobody asked for: it is dropped.
   The kernel is asked before each use: the loop may not have noticed yet, and a POST that goes into a closed connection
   is lost.  Not in the very turn of the loop in which it was given back: that turn began with a look at it, and asking
   again costs a fifth of a whole call.

Books belong to one thread: greenlets only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

import gevent
from greenlet import getcurrent, greenlet

from gateway.rpc.clock import Clock
from gateway.rpc.connection import Connection
from gateway.rpc.errors import CallRefused
from gateway.rpc.timeouts import Budget
from gateway.settings.rpc import RpcSettings

__all__ = ["Opener", "Pool", "stopped"]

#: Tells that the pool closed a connection, and why: ``idle``, ``age``, ``moved``, ``stale``, ``used_up``,
#: ``discarded``, ``stopped``.
OnClose = Callable[[str], None]

class Opener(Protocol):
    """Makes connections, and knows where they should lead."""

    @property
    def generation(self) -> int:
        """Raised whenever the addresses of the endpoint change."""

    def touch(self) -> None:
        """See whether that has changed.  Called now and then while there are connections; never waits."""
        ...

    def open(self, budget: Budget) -> Connection:
        """Return a connection that is ready to be asked."""
        ...

    def is_current(self, connection: Connection) -> bool:
        """Whether the endpoint still has the address that *connection* leads to."""
        ...


class Pool:
    """The connections to one endpoint."""

    __slots__ = (
        "_all", "_clock", "_generation", "_idle", "_idle_max_s", "_on_close", "_opener", "_opening", "_stopped",
        "_turn",
    )  # fmt: skip

    def __init__(self, settings: RpcSettings, opener: Opener, *, clock: Clock, on_close: OnClose) -> None:
        self._idle_max_s = settings.idle_max_s
        self._opener = opener
        self._clock = clock
        self._on_close = on_close
        self._idle: deque[Connection] = deque()  # oldest left, newest right
        self._all: set[Connection] = set()
        self._opening: set[greenlet] = set()
        self._stopped = False
        #: The opener's, as of the last sweep.
        self._generation = opener.generation
        #: Names the loop's turn: its own time, which stands still for as long as a turn lasts.
        self._turn: Callable[[], float] = gevent.get_hub().loop.now

    def __repr__(self) -> str:
        return f"<Pool: {self.busy} busy, {len(self._idle)} idle>"

    @property
    def busy(self) -> int:
        """Connections that serve a call or are being opened."""
        return len(self._all) - len(self._idle) + len(self._opening)

    @property
    def idle(self) -> int:
        """Connections lying ready."""
        return len(self._idle)

    def acquire(self, budget: Budget, now: float) -> Connection:
        """Return a connection that is ready to be asked."""
        if self._stopped:
            raise stopped()
        turn = self._turn()
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.idle_turn == turn and connection.wire.is_quiet():
                connection.taken_at = now
                return connection
            reason = self._unfit(connection, now)
            if not reason:
                connection.taken_at = now
                return connection
            self._close(connection, reason)
        return self._open(budget)

    def replace(self, stale: Connection, budget: Budget) -> Connection:
        """Return a new connection in the place of *stale*, which is closed, and so are others like it."""
        self._close(stale, "stale")
        # Its server may have closed many at once, as it does when it starts anew.
        for connection in [each for each in self._idle if not each.wire.is_alive()]:
            self._idle.remove(connection)
            self._close(connection, "stale")
        return self._open(budget)

    def release(self, connection: Connection, now: float) -> None:
        """Take *connection* back after a call that ended well."""
        if not connection.reusable or connection.expires_at <= now or self._stopped:
            self._close(connection, "used_up")
            return
        connection.idle_since = now
        connection.idle_turn = self._turn()
        self._idle.append(connection)

    def discard(self, connection: Connection) -> None:
        """Close *connection*, whatever its state."""
        self._close(connection, "discarded")

    def sweep(self) -> int:
        """Close what lay idle for too long, or was closed by its server; return how many connections there are."""
        if self._all:
            self._opener.touch()
        if self._opener.generation != self._generation:
            self._generation = self._opener.generation
            self._retire_moved()
        too_old = self._clock() - self._idle_max_s
        while self._idle and self._idle[0].idle_since <= too_old:
            self._close(self._idle.popleft(), "idle")
        for connection in [each for each in self._idle if not each.wire.is_quiet()]:
            self._idle.remove(connection)
            self._close(connection, "stale")
        return len(self._all) + len(self._opening)

    def stop(self) -> None:
        """Give out nothing from now on, and close what lies idle.  Safe to call twice."""
        self._stopped = True
        while self._idle:
            self._close(self._idle.pop(), "stopped")

    def abort(self) -> None:
        """Make every call that is under way fail now."""
        for connection in self._all:
            connection.wire.abort()
        # Not from here: the loop throws it while they wait, and not when they have left that.
        gevent.get_hub().loop.run_callback(self._abort_opening)

    def _abort_opening(self) -> None:
        for opening in list(self._opening):
            if opening in self._opening:
                opening.throw(stopped())

    def _retire_moved(self) -> None:
        # Those at work too: one that is given back and taken in the same turn for ever is never looked at otherwise.
        for connection in self._all:
            if not self._opener.is_current(connection):
                connection.expires_at = 0.0

    def _unfit(self, connection: Connection, now: float) -> str:
        """Return why *connection* must not be used any more, or an empty text."""
        if now - connection.idle_since >= self._idle_max_s:
            return "idle"
        if connection.generation != self._opener.generation and not self._opener.is_current(connection):
            return "moved"
        if connection.expires_at <= now:
            return "age"
        return "" if connection.wire.is_alive() else "stale"

    def _open(self, budget: Budget) -> Connection:
        opening = getcurrent()
        self._opening.add(opening)
        try:
            connection = self._opener.open(budget)
        finally:
            self._opening.discard(opening)
        self._all.add(connection)
        if self._stopped:
            self._close(connection, "stopped")
            raise stopped()
        return connection

    def _close(self, connection: Connection, reason: str) -> None:
        self._all.discard(connection)
        connection.close()
        self._on_close(reason)


def stopped() -> CallRefused:
    """Return the refusal of a client that has ended."""
    return CallRefused("the RPC client is stopped", reason="stopped", retry_after_s=1.0)
