"""Makes the connections of one endpoint."""

from __future__ import annotations

from collections.abc import Callable

from gateway import telemetry
from gateway.rpc.clock import Clock
from gateway.rpc.connect import Connector
from gateway.rpc.connection import Connection
from gateway.rpc.timeouts import Budget
from gateway.settings.rpc import RpcSettings

__all__ = ["ConnectionOpener"]


class ConnectionOpener:
    """:class:`gateway.rpc.pool.Opener` over a connector."""

    __slots__ = ("_clock", "_connector", "_draw", "_label", "_on_open", "_settings")

    def __init__(
        self,
        label: str,
        settings: RpcSettings,
        connector: Connector,
        *,
        clock: Clock,
        draw: Callable[[], float],
        on_open: Callable[[], None],
    ) -> None:
        self._label = label
        self._settings = settings
        self._connector = connector
        self._clock = clock
        self._draw = draw
        self._on_open = on_open

    @property
    def generation(self) -> int:
        """Raised whenever the addresses of the endpoint change."""
        return self._connector.generation

    def is_current(self, connection: Connection) -> bool:
        """Whether the endpoint still has the address that *connection* leads to."""
        if not self._connector.is_current(connection.wire.address):
            return False
        connection.generation = self._connector.generation
        return True

    def touch(self) -> None:
        """See whether addresses are gone, and have the name looked up again if that is due.  Never waits."""
        self._connector.touch()

    def open(self, budget: Budget) -> Connection:
        """Return a connection that is ready to be asked."""
        began_at = self._clock()
        # Before the wait: addresses that go meanwhile must be noticed.
        generation = self._connector.generation
        wire = self._connector.connect(budget)
        now = self._clock()
        telemetry.event("rpc.connected", endpoint=self._label, duration_s=now - began_at)
        self._on_open()
        settings = self._settings
        return Connection(
            wire,
            header_bytes_max=settings.header_bytes_max,
            recv_bytes=settings.recv_bytes,
            now=now,
            # Drawn, so that connections made together do not all have to be made again together.
            expires_at=now + settings.age_max_s * (1 - 0.1 * self._draw()),
            generation=generation,
        )
