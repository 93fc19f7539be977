"""One call from begin to end: THE SPINE of this folder.

    admit (breaker) > acquire (pool) > ask (connection, once more if it was stale) > read > settle

Whatever happens, an exchange that began is settled exactly once: its connection goes back or is destroyed,
its permits are returned, its breaker is told, and one event says how it ended.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway import telemetry
from gateway.domain.errors import SwitchboardError
from gateway.domain.resilience.health import Cause, Verdict
from gateway.rpc.breaker import Breaker, judge_error, judge_status
from gateway.rpc.call import Call
from gateway.rpc.connection import Connection
from gateway.rpc.errors import ConnectionLost
from gateway.rpc.pool import Pool
from gateway.rpc.request import RequestWriter
from gateway.rpc.response import ResponseReader
from gateway.rpc.timeouts import Budget
from gateway.settings.rpc import RpcSettings

__all__ = ["Backend", "Exchange"]


class Backend:
    """What the client keeps of one endpoint."""

    __slots__ = ("breaker", "name", "on_idle", "pool", "settings", "writer")

    def __init__(
        self,
        name: str,
        settings: RpcSettings,
        *,
        writer: RequestWriter,
        pool: Pool,
        breaker: Breaker,
        on_idle: Callable[[], None],
    ) -> None:
        self.name = name
        self.settings = settings
        self.writer = writer
        self.pool = pool
        self.breaker = breaker
        self.on_idle = on_idle


class Exchange:
    """A call under way: ``open``, ``read`` until ``reader.done``, ``finish``; or ``leave``, or ``fail``."""

    __slots__ = ("_backend", "_connection", "_permit", "budget", "reader", "reused")

    def __init__(self, backend: Backend, budget: Budget) -> None:
        self._backend = backend
        self.budget = budget
        self.reused = False
        self._permit = backend.breaker.admit(budget.started_at, lease_s=budget.left_s())
        self._connection: Connection | None = None
        self.reader: ResponseReader

    def open(self, call: Call, request: bytes) -> None:
        """Send *request* and wait for the head of its answer."""
        body_bytes_max = call.body_bytes_max
        if body_bytes_max is None:
            body_bytes_max = self._backend.settings.body_bytes_max
        bodiless = call.method == "HEAD"
        connection = self._connection = self._backend.pool.acquire(self.budget)
        self.reused = connection.calls > 0
        try:
            connection.ask(request, self.budget, bodiless=bodiless, body_bytes_max=body_bytes_max)
        except ConnectionLost as error:
            if not self._may_replace(call, error):
                raise
            # Its server closed it while it lay idle: that says nothing about the endpoint, and is cured by a
            # new one.
            telemetry.event("rpc.replaced", endpoint=self._backend.name, sent=error.sent)
            self._connection = None  # its permit is in ``replace``'s hands, whatever that one raises
            connection = self._connection = self._backend.pool.replace(connection, self.budget)
            self.reused = False
            connection.ask(request, self.budget, bodiless=bodiless, body_bytes_max=body_bytes_max)
        self.reader = connection.reader

    def _may_replace(self, call: Call, error: ConnectionLost) -> bool:
        # Only a used connection can be stale, and nothing is sent twice that may have been acted on the first
        # time.
        return self.reused and (error.sent == "never" or call.idempotent)

    def read(self) -> None:
        """Read the next piece of the answer."""
        assert self._connection is not None
        self._connection.read(self.budget)

    def finish(self) -> float:
        """Give everything back after a complete answer; return the call's duration in seconds."""
        connection, self._connection = self._connection, None
        assert connection is not None
        status = connection.reader.status
        self._backend.pool.release(connection)
        self._backend.on_idle()
        return self._settle(judge_status(status), status, "answered")

    def leave(self) -> None:
        """Give everything back before the answer's end, because its reader has all it wanted: a success.

        A stream may say by its content that it is over.  Were that no success, failures alone would count,
        and no probe could close the circuit of an endpoint that only streams.
        """
        connection, self._connection = self._connection, None
        assert connection is not None
        status = connection.reader.status
        self._backend.pool.discard(connection)
        self._settle(judge_status(status), status, "left")

    def fail(self, error: BaseException) -> None:
        """Give everything back after *error*; the connection is destroyed."""
        connection, self._connection = self._connection, None
        status = connection.reader.status if connection is not None else 0
        if connection is not None:
            self._backend.pool.discard(connection)
        judgement = judge_error(error, status, patience_s=self._backend.settings.breaker_patience_s)
        reason = error.reason if isinstance(error, SwitchboardError) else "cancelled"
        self._settle(judgement, status, reason)

    def _settle(self, judgement: tuple[Verdict, Cause], status: int, outcome: str) -> float:
        duration_s = self.budget.clock() - self.budget.started_at
        self._backend.breaker.settle(self._permit, judgement)
        telemetry.event(
            "rpc.call",
            endpoint=self._backend.name,
            outcome=outcome,
            status=status,
            reused=self.reused,
            duration_s=duration_s,
        )
        return duration_s
