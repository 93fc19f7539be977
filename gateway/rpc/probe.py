"""Active probes: asking an endpoint for its health, whether anybody calls it or not.

A probe goes over a connection of its own, past gate and circuit: it must find out what they hide.  What its end means
is the health's business (:mod:`gateway.domain.resilience.health`): it can open a circuit and shorten its time, and
never closes it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent

from gateway import telemetry
from gateway.domain.deadline import Deadline
from gateway.domain.errors import SwitchboardError
from gateway.rpc.call import Call, Service
from gateway.rpc.clock import Clock
from gateway.rpc.connection import Connection
from gateway.rpc.member import Member
from gateway.rpc.pool import Opener
from gateway.rpc.timeouts import Budget, Timeouts
from gateway.rpc.watch import NEVER
from gateway.settings.rpc import RpcSettings

__all__ = ["Prober"]

#: Bytes of an answer to a probe: nobody reads it.
BODY_BYTES_MAX = 65_536


class Prober:
    """Probes one endpoint."""

    __slots__ = (
        "_clock", "_connection", "_draw", "_greenlet", "_member", "_opener", "_period_s", "_request", "_timeouts",
    )  # fmt: skip

    def __init__(
        self,
        member: Member,
        service: Service,
        opener: Opener,
        settings: RpcSettings,
        *,
        clock: Clock = time.monotonic,
        draw: Callable[[], float],
    ) -> None:
        self._member = member
        self._opener = opener
        self._clock = clock
        self._draw = draw
        self._period_s = settings.probe_period_s
        limit_s = settings.probe_timeout_s
        self._timeouts = Timeouts(
            connect_s=limit_s, first_byte_s=limit_s, idle_s=limit_s, total_s=limit_s, pool_wait_s=limit_s
        )
        call = Call(service=service, method="GET", path=service.policy.probe_path, deadline=Deadline(NEVER), gzip=False)
        self._request = member.writer.write(call)
        self._connection: Connection | None = None
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def start(self) -> None:
        """Probe from now on."""
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """End.  Safe to call twice, and if never started."""
        greenlet, self._greenlet = self._greenlet, None
        if greenlet is not None:
            greenlet.kill(block=False)

    def _run(self) -> None:
        try:
            while True:
                # Drawn, so that the processes of a fleet do not all ask at once.
                gevent.sleep(self._period_s * (0.9 + 0.2 * self._draw()))
                began_at = self._clock()
                outcome = self._probe()
                self._member.breaker.probed(outcome == "ok")
                telemetry.event(
                    "rpc.probed", endpoint=self._member.label, outcome=outcome, duration_s=self._clock() - began_at
                )
        finally:
            self._close()

    def _probe(self) -> str:
        budget = Budget(self._timeouts, Deadline(NEVER), self._clock)
        try:
            status = self._ask(budget)
        except SwitchboardError as error:
            self._close()
            return error.reason
        if self._connection is not None and not self._connection.reusable:
            self._close()
        return "ok" if 200 <= status < 300 else f"http_{status}"

    def _ask(self, budget: Budget) -> int:
        connection = self._connection
        if connection is None or not self._is_fit(connection, budget.started_at):
            self._close()
            connection = self._connection = self._opener.open(budget)
        connection.ask(self._request, budget, NEVER, _ignore, False, BODY_BYTES_MAX)
        while not connection.reader.done:
            connection.read(budget)
        connection.reader.take()
        return connection.reader.status

    def _is_fit(self, connection: Connection, now: float) -> bool:
        # As in the pool: what a probe finds out must be about the place where calls go.
        opener = self._opener
        if connection.expires_at <= now:
            return False
        if connection.generation != opener.generation and not opener.is_current(connection):
            return False
        return connection.wire.is_alive()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            telemetry.event("rpc.disconnected", endpoint=self._member.label, reason="probe")


def _ignore() -> None:
    """A probe has no time in which it is slow: it is late, or it is not."""
