"""The connections of one endpoint: bounded, last in first out, with a bounded queue of waiters.

Rules:

1. A *permit* is the right to have one connection; there are ``connections_max``.  Whoever got one from
   ``acquire`` gives it back exactly once, by ``release`` or ``discard``.  A kill or timeout at any wait gives
   it back too.
2. Decide purely, then act: ``_plan`` and ``_free`` change the books and never yield; sockets are opened and
   closed after them.
3. The connection used last is used next, so that the rest grow old and are closed; idle ones are closed after
   ``idle_max_s``, which is below the keep-alive of the servers we meet, and all after about ``age_max_s``.
4. A permit that comes free goes to the longest waiter and never back into the pot while somebody waits: a
   late comer cannot overtake.
5. An idle connection that is readable was closed by its server, or holds bytes that nobody asked for: it is
   dropped.

Books belong to one thread: greenlets only.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable

from gevent.event import Event

from gateway.rpc.connection import Connection
from gateway.rpc.errors import CallRefused
from gateway.rpc.timeouts import Budget, Clock
from gateway.settings.rpc import RpcSettings

__all__ = ["Pool"]

#: Tells that the pool closed a connection, and why: ``idle``, ``age``, ``stale``, ``used_up``, ``discarded``,
#: ``stopped``.
OnClose = Callable[[str], None]


class Waiter:
    """A call in the queue.  ``granted`` with no connection means: the permit is yours, open one."""

    __slots__ = ("connection", "granted", "woken")

    def __init__(self) -> None:
        self.woken = Event()
        self.granted = False
        self.connection: Connection | None = None

    def grant(self, connection: Connection | None) -> None:
        """Hand over a permit, with its connection if it has one."""
        self.connection = connection
        self.granted = True
        self.woken.set()


class Pool:
    """The connections to one endpoint."""

    def __init__(
        self,
        name: str,
        settings: RpcSettings,
        open_connection: Callable[[Budget], Connection],
        *,
        clock: Clock,
        on_close: OnClose,
    ) -> None:
        self._name = name
        self._settings = settings
        self._open_connection = open_connection
        self._clock = clock
        self._on_close = on_close
        self._idle: deque[Connection] = deque()  # oldest left, newest right
        self._busy: set[Connection] = set()
        self._permits = 0  # given out: busy connections and those being opened
        # Ordered, because both taking the first and leaving from the middle must be O(1).
        self._waiters: OrderedDict[Waiter, None] = OrderedDict()
        self._stopped = False

    def __repr__(self) -> str:
        return (
            f"<Pool {self._name}: {self._permits} busy, {len(self._idle)} idle"
            f" of {self._settings.connections_max},"
            f" {len(self._waiters)} waiting of {self._settings.waiters_max}>"
        )

    @property
    def busy(self) -> int:
        """Permits given out."""
        return self._permits

    @property
    def idle(self) -> int:
        """Connections lying ready."""
        return len(self._idle)

    def acquire(self, budget: Budget) -> Connection:
        """Return a connection that is ready to be asked, and with it a permit."""
        connection = self._take_idle()
        if connection is None and not self._take_permit():
            connection = self._wait(budget)
        if connection is None:
            connection = self._open(budget)
        if self._stopped:  # while we waited
            self.discard(connection, "stopped")
            raise self._refusal_stopped()
        self._busy.add(connection)
        return connection

    def replace(self, stale: Connection, budget: Budget) -> Connection:
        """Return a new connection under the permit of *stale*, which is closed."""
        self._busy.discard(stale)
        self._close(stale, "stale")
        connection = self._open(budget)
        self._busy.add(connection)
        return connection

    def release(self, connection: Connection) -> None:
        """Take *connection* back after a call that ended well, and with it the permit."""
        now = self._clock()
        if not connection.reusable or connection.expires_at <= now or self._stopped:
            self.discard(connection, "used_up")
            return
        self._busy.discard(connection)
        if self._waiters:
            self._waiters.popitem(last=False)[0].grant(connection)
            return
        self._permits -= 1
        connection.idle_until = now + self._settings.idle_max_s
        self._idle.append(connection)

    def discard(self, connection: Connection, reason: str = "discarded") -> None:
        """Close *connection*, whatever its state, and take the permit back."""
        self._busy.discard(connection)
        self._free()
        self._close(connection, reason)

    def sweep(self) -> int:
        """Close what lay idle for too long; return how many connections still lie idle."""
        now = self._clock()
        while self._idle and self._idle[0].idle_until <= now:
            self._close(self._idle.popleft(), "idle")
        return len(self._idle)

    def stop(self) -> None:
        """Refuse from now on, those who wait included, and close what lies idle.  Safe to call twice."""
        self._stopped = True
        while self._idle:
            self._close(self._idle.pop(), "stopped")
        while self._waiters:
            self._waiters.popitem(last=False)[0].woken.set()

    def abort(self) -> None:
        """Make every call that is under way fail now."""
        for connection in list(self._busy):
            connection.wire.abort()

    def _take_idle(self) -> Connection | None:
        if self._stopped:
            raise self._refusal_stopped()
        while self._idle:
            now = self._clock()
            connection = self._idle.pop()
            self._permits += 1
            reason = "age" if connection.expires_at <= now else "idle" if connection.idle_until <= now else ""
            if not reason and connection.is_quiet():
                return connection
            self._permits -= 1
            self._close(connection, reason or "stale")
        return None

    def _take_permit(self) -> bool:
        if self._permits >= self._settings.connections_max:
            return False
        self._permits += 1
        return True

    def _wait(self, budget: Budget) -> Connection | None:
        if len(self._waiters) >= self._settings.waiters_max:
            raise self._refusal(
                "pool_full", f"{self._settings.waiters_max} calls wait already (rpc.waiters_max)"
            )
        wait_s = min(budget.left_s(), budget.timeouts.pool_wait_s)
        waiter = Waiter()
        self._waiters[waiter] = None
        try:
            waiter.woken.wait(wait_s)
        except BaseException:
            self._withdraw(waiter)
            raise
        if waiter.granted:
            return self._checked(waiter.connection)
        self._withdraw(waiter)
        if self._stopped:
            raise self._refusal_stopped()
        budget.left_s()  # the caller's own deadline is no fault of the pool
        raise self._refusal(
            "pool_wait", f"none came free within {budget.timeouts.pool_wait_s:g} s (rpc.pool_wait_s)"
        )

    def _checked(self, connection: Connection | None) -> Connection | None:
        if connection is None or connection.is_quiet():
            return connection
        self._close(connection, "stale")
        return None

    def _withdraw(self, waiter: Waiter) -> None:
        self._waiters.pop(waiter, None)
        if not waiter.granted:
            return
        # Killed between the grant and the wake-up: what was given goes on to the next.
        if waiter.connection is not None:
            self.release(waiter.connection)
        else:
            self._free()

    def _open(self, budget: Budget) -> Connection:
        try:
            return self._open_connection(budget)
        except BaseException:
            self._free()
            raise

    def _free(self) -> None:
        if self._waiters:
            self._waiters.popitem(last=False)[0].grant(None)
        else:
            self._permits -= 1

    def _close(self, connection: Connection, reason: str) -> None:
        connection.close()
        self._on_close(reason)

    def _refusal(self, reason: str, why: str) -> CallRefused:
        connections_max = self._settings.connections_max
        text = f"all {connections_max} connections to {self._name} are busy (rpc.connections_max) and {why}"
        return CallRefused(text, reason=reason, retry_after_s=RETRY_AFTER_S)

    def _refusal_stopped(self) -> CallRefused:
        return CallRefused("the RPC client is stopped", reason="stopped", retry_after_s=RETRY_AFTER_S)


#: What a caller is told to wait when the pool refuses: a busy moment passes faster than a broken endpoint.
RETRY_AFTER_S = 1.0
