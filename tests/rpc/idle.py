"""Wires and openers for tests of what stands above the socket: a test opens and closes them, and moves time."""

from __future__ import annotations

from collections.abc import Callable

import gevent

from gateway.domain.deadline import Deadline
from gateway.rpc.connection import Connection
from gateway.rpc.pool import Pool
from gateway.rpc.timeouts import Budget, Timeouts
from gateway.settings.rpc import RpcSettings
from tests.rpc.peer import OK


class IdleWire:
    """A wire on which nothing is sent."""

    def __init__(self, address: str = "10.0.0.1") -> None:
        self.written = 0
        self.address = address
        #: What the loop knows, and what the kernel knows.
        self.quiet = True
        self.alive = True
        self.closed = 0

    def write(self, data: bytes, ends_at: float, idle_s: float) -> bool:
        return False

    def read(self, size_bytes: int, until: float) -> bytes:
        return b""

    def is_quiet(self) -> bool:
        return self.quiet

    def is_alive(self) -> bool:
        return self.quiet and self.alive

    def abort(self) -> None: ...

    def close(self) -> None:
        self.closed += 1


class IdleOpener:
    """Opens idle wires; keeps them."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.generation = 0
        self.current = {"10.0.0.1"}
        self.opened: list[Connection] = []
        self.fail_with: BaseException | None = None

    def touch(self) -> None: ...

    def open(self, budget: Budget) -> Connection:
        gevent.sleep(0)  # as a real one, it lets others run
        if self.fail_with is not None:
            raise self.fail_with
        now = self._clock()
        self.opened.append(
            Connection(
                IdleWire(min(self.current)),
                header_bytes_max=1000,
                recv_bytes=1000,
                now=now,
                expires_at=now + 300,
                generation=self.generation,
            )
        )
        return self.opened[-1]

    def is_current(self, connection: Connection) -> bool:
        return connection.wire.address in self.current


class House:
    """A pool, its clock, and every connection that it opened."""

    def __init__(self, **changes: float) -> None:
        self.settings = RpcSettings(**changes)
        self.now = 0.0
        self.closings: list[str] = []
        self.opener = IdleOpener(self.clock)
        self.pool = Pool(self.settings, self.opener, clock=self.clock, on_close=self.closings.append)

    def clock(self) -> float:
        return self.now

    def budget(self, deadline_s: float = 100.0) -> Budget:
        return Budget(Timeouts.of(self.settings), Deadline.after(deadline_s, now=self.now), self.clock)

    def acquire(self) -> Connection:
        return self.pool.acquire(self.budget(), self.now)

    def release(self, connection: Connection) -> None:
        """Give *connection* back after a call that ended well; the loop turns, and has not seen what comes then."""
        self.finish(connection)
        gevent.idle()

    def finish(self, connection: Connection) -> None:
        """Give *connection* back after a call that ended well."""
        connection.reader.begin(bodiless=False, body_bytes_max=10)
        connection.reader.feed(OK)
        self.pool.release(connection, self.now)


def wire(connection: Connection) -> IdleWire:
    assert isinstance(connection.wire, IdleWire)
    return connection.wire
