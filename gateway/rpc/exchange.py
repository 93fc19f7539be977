"""One attempt: a call at one endpoint, from its slot to its settlement.

    enter (gate) > admit (circuit) > acquire (pool) > ask (connection, once more if it was stale) > read > settle

Whatever happens, an exchange that began is settled exactly once: its connection goes back or is destroyed,
its slot is given back, circuit and limit are told, and one event says how it ended.
"""

from __future__ import annotations

from gateway import telemetry
from gateway.domain.errors import SwitchboardError
from gateway.domain.resilience.health import Cause, Verdict
from gateway.rpc.breaker import judge_error, judge_status
from gateway.rpc.call import Call
from gateway.rpc.connection import Connection
from gateway.rpc.errors import CallTimeout, ConnectionLost
from gateway.rpc.member import Member
from gateway.rpc.request import finish
from gateway.rpc.response import ResponseReader
from gateway.rpc.timeouts import Budget

__all__ = ["Exchange"]

#: Statuses by which an endpoint says that there is too much to do.
OVERLOADED = frozenset({429, 503})

class Exchange:
    """An attempt under way: ``open``, ``read`` until ``reader.done``, ``finish``; or ``leave``, or ``fail``.

    :raises CallRefused: there is no slot, or the circuit is open.
    """

    __slots__ = ("_began_at", "_budget", "_call", "_connection", "_permit", "_was_slow", "member", "reader", "reused")

    def __init__(self, member: Member, call: Call, budget: Budget, began_at: float, spared: bool = False) -> None:
        if member.enter(budget, call.priority, call.tenant):
            began_at = budget.clock()  # what it waited here is not the endpoint's
        try:
            # Spared: the balancer has reasons to pass by the circuit; it is neither asked nor told.
            self._permit = None if spared else member.breaker.admit(began_at, budget.ends_at - began_at)
        except BaseException:
            member.leave(call.tenant)
            raise
        self.member = member
        self._call = call
        self._budget = budget
        self._began_at = began_at
        self._connection: Connection | None = None
        self._was_slow = False
        self.reused = False
        self.reader: ResponseReader

    def open(self, request: bytes, body_bytes_max: int) -> None:
        """Send *request* and wait for the head of its answer."""
        try:
            connection = self._connection = self.member.pool.acquire(self._budget)
            self.reused = connection.calls > 0
            try:
                self._ask(connection, request, body_bytes_max)
            except ConnectionLost as error:
                if not self.reused or error.sent != "never":
                    raise
                # Its server closed it while it lay idle, and nothing was written: that says nothing about the
                # endpoint.
                telemetry.event("rpc.replaced", endpoint=self.member.label, sent=error.sent)
                self._connection = None  # closed by ``replace``, whatever that one raises
                connection = self._connection = self.member.pool.replace(connection, self._budget)
                self.reused = False
                self._ask(connection, request, body_bytes_max)
            reader = self.reader = connection.reader
        except BaseException as error:
            self.fail(error)
            raise
        now = self._budget.clock()
        status = reader.status
        if status < 429 or 429 < status < 500:
            took_s = now - connection.taken_at
            self.member.limit.sample(now, took_s, self.member.gate.in_flight)
            if self.member.is_compared:
                self.member.latency.observe(now, took_s)
        else:
            self.member.latency.failed(now, now - self._began_at)
            if status in OVERLOADED:
                self.member.limit.drop(now, now - connection.taken_at, self.member.gate.in_flight)

    def read(self) -> None:
        """Read the next piece of the answer."""
        assert self._connection is not None
        self._connection.read(self._budget)

    def finish(self) -> float:
        """Give everything back after a complete answer; return the call's duration in seconds."""
        connection, self._connection = self._connection, None
        assert connection is not None
        now = self._budget.clock()
        self.member.pool.release(connection, now)
        status = self.reader.status
        self._settle(judge_status(status), status, "answered", now)
        return now - self._budget.started_at

    def leave(self) -> None:
        """Give everything back before the answer's end, because its reader has all it wanted: a success.

        A stream may say by its content that it is over.  Were that no success, failures alone would count,
        and no probe could close the circuit of an endpoint that only streams.
        """
        connection, self._connection = self._connection, None
        assert connection is not None
        self.member.pool.discard(connection)
        status = self.reader.status
        self._settle(judge_status(status), status, "left", self._budget.clock())

    def drop(self) -> None:
        """Give everything back: the answer will be asked for again."""
        if self.reader.done:
            self.finish()
        else:
            self.leave()

    def fail(self, error: BaseException) -> None:
        """Give everything back after *error*; the connection is destroyed."""
        connection, self._connection = self._connection, None
        status = 0
        if connection is not None:
            status = connection.reader.status
            self.member.pool.discard(connection)
        now = self._budget.clock()
        judgement = judge_error(error, status, patience_s=self.member.patience_s)
        if judgement[0] is Verdict.FAILED:
            self.member.latency.failed(now, now - self._began_at)
        if isinstance(error, CallTimeout) and connection is not None and not status:
            # Also where a deadline came too soon to blame the endpoint: in an overload most of them do.
            self.member.limit.give_up(now, now - connection.taken_at, self.member.gate.in_flight)
        self._settle(judgement, status, error.reason if isinstance(error, SwitchboardError) else "cancelled", now)

    def _ask(self, connection: Connection, request: bytes, body_bytes_max: int) -> None:
        call = self._call
        if call.deadline_header:
            left_s = self._budget.ends_at - self._budget.clock() - call.deadline_margin_s
            request = finish(call, request, max(0, int(1000 * left_s)))
        slow_at = connection.taken_at + self.member.slow_s
        connection.ask(
            request, self._budget, slow_at, self._slow, call.method == "HEAD", body_bytes_max
        )

    def _slow(self) -> None:
        if self._permit is not None:
            self._was_slow = True
            self.member.breaker.note_slow(self._permit)

    def _settle(self, judgement: tuple[Verdict, Cause], status: int, outcome: str, now: float) -> None:
        member = self.member
        member.leave(self._call.tenant)
        if self._permit is not None:
            member.breaker.settle(self._permit, judgement, now, self._was_slow)
        telemetry.event(
            "rpc.call",
            endpoint=member.label,
            outcome=outcome,
            status=status,
            reused=self.reused,
            duration_s=now - self._began_at,
        )
