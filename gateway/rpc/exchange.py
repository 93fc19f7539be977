"""One attempt: a call at one endpoint, from its slot to its settlement.

    enter (gate) > admit (circuit) > acquire (pool) > ask (connection, once more if it was stale) > read > settle

Whatever happens, an exchange that began is settled exactly once: its connection goes back or is destroyed,
its slot is given back, circuit and limit are told, and one event says how it ended.
"""

from __future__ import annotations

import gevent

from gateway import telemetry
from gateway.domain.deadline import Deadline
from gateway.domain.errors import CallFailed, SwitchboardError
from gateway.domain.resilience.health import Cause, Permit, Verdict
from gateway.rpc.breaker import judge_error, judge_status
from gateway.rpc.call import Call
from gateway.rpc.connection import Connection
from gateway.rpc.errors import Beaten, CallTimeout, ConnectionLost
from gateway.rpc.member import Member
from gateway.rpc.request import finish
from gateway.rpc.response import ResponseReader
from gateway.rpc.timeouts import Budget

__all__ = ["Exchange"]

#: A member of an Enum costs twice as much as a global.
OK = Verdict.OK

#: Statuses by which an endpoint says that there is too much to do.
OVERLOADED = frozenset({429, 503})
#: Seconds after which a stream that has not broken off is one that went well.
PROVEN_S = 1.0
#: Seconds for which the rest of an answer is waited for that nobody wants any more, and how much of it is read.
LINGER_S = 0.05
LINGER_BYTES_MAX = 65_536


class Exchange:
    """An attempt under way: ``open``, ``read`` until ``reader.done``, ``finish``; or ``leave``, or ``fail``.

    :raises CallRefused: there is no slot, or the circuit is open.
    """

    __slots__ = (
        "_began_at", "_budget", "_call", "_connection", "_judged", "_permit", "_request", "_was_slow", "member",
        "reader", "reused",
    )  # fmt: skip

    _permit: Permit | None

    # What runs for each call is written without the calls between: ``gate.enter`` and ``health.admit`` are all that
    # nearly every attempt needs of its member and its breaker.

    def __init__(self, member: Member, call: Call, budget: Budget, began_at: float, spared: bool = False) -> None:
        self._request = member.writer.write(call)
        if member.stopped or not member.gate.enter(call.priority, call.tenant):
            member.wait(budget, call.priority, call.tenant)
            began_at = budget.clock()  # what it waited here is not the endpoint's
        if spared:
            # The balancer has reasons to pass by the circuit; it is neither asked nor told.
            self._permit = None
        elif member.health.open_to_all:
            self._permit = member.health.admit(began_at, 0.0)  # type: ignore[assignment]  # never refused then
        else:
            self._permit = self._admitted(member, call, began_at, budget)
        self.member = member
        self._call = call
        self._budget = budget
        self._began_at = began_at
        self._connection: Connection | None = None
        self._was_slow = False
        self._judged = False
        self.reused = False
        self.reader: ResponseReader

    def open(self) -> None:
        """Send the request and wait for the head of its answer."""
        try:
            connection = self._connection = self.member.pool.acquire(self._budget, self._began_at)
            self.reused = connection.calls > 0
            try:
                self._ask(connection)
            except ConnectionLost as error:
                if not self.reused or error.sent != "never":
                    raise
                # Its server closed it while it lay idle, and nothing was written: that says nothing about the
                # endpoint.
                telemetry.event("rpc.replaced", endpoint=self.member.label, sent=error.sent)
                self._connection = None  # closed by ``replace``, whatever that one raises
                connection = self._connection = self.member.pool.replace(connection, self._budget)
                self.reused = False
                self._ask(connection)
            self.reader = connection.reader
        except BaseException as error:
            self.fail(error)
            raise
        self._judge_head(connection)

    def read(self) -> None:
        """Read the next piece of the answer."""
        connection = self._connection
        assert connection is not None
        connection.read(self._budget)
        if not self._judged and connection.read_at - connection.taken_at >= PROVEN_S:
            self._succeed(connection.read_at)

    def finish(self) -> float:
        """Give everything back after a complete answer; return the call's duration in seconds."""
        connection, self._connection = self._connection, None
        assert connection is not None
        ended_at = connection.read_at
        if not self._judged:
            self._succeed(ended_at)
        self.member.pool.release(connection, ended_at)
        self._end("answered", self.reader.status, ended_at)
        return ended_at - self._budget.started_at

    def leave(self) -> None:
        """Give everything back before the answer's end, because its reader has all it wanted.

        A stream may say by its content that it is over, a moment before its last bytes: those are waited for, beside
        the caller, so that the connection can serve another call.
        """
        if not self._judged:
            self._succeed(self._budget.clock())
        gevent.spawn(self._linger)

    def drop(self) -> None:
        """Give everything back: the answer will be asked for again."""
        if self.reader.done:
            connection = self._connection
            self.finish()
            assert connection is not None
            connection.idle_turn = -1.0  # who answers with a failure may well close behind it
        else:
            self._discard("left")

    def fail(self, error: BaseException) -> None:
        """Give everything back after *error*; the connection is destroyed."""
        connection, member, now = self._connection, self.member, self._budget.clock()
        waited_s = now - (self._began_at if connection is None else connection.taken_at)
        judgement = judge_error(error, waited_s=waited_s, patience_s=member.patience_s)
        headless = connection is None or not connection.reader.status
        if isinstance(error, CallTimeout) and connection is not None and headless:
            # Also where a deadline came too soon to blame the endpoint: in an overload most of them do.
            member.limit.give_up(now, waited_s, member.gate.in_flight)
        if isinstance(error, Beaten) and member.is_compared:
            member.latency.observe(now, waited_s)  # at least that
        if judgement[0] is Verdict.FAILED:
            member.latency.failed(now, waited_s)
            self._settle(judgement, now)
        elif self._judged:
            pass  # a failure that its head has told already
        elif headless or not isinstance(error, Exception):
            self._settle(judgement, now)
        else:
            self._succeed(now)  # its reader failed, over an answer that was none
        self._discard(error.reason if isinstance(error, SwitchboardError) else "cancelled")

    def _admitted(self, member: Member, call: Call, now: float, budget: Budget) -> Permit:
        try:
            return member.breaker.admit(now, budget.ends_at - now)
        except BaseException:
            member.leave(call.tenant)
            raise

    def _ask(self, connection: Connection) -> None:
        call, member, request = self._call, self.member, self._request
        if call.deadline_header:
            left_s = self._budget.ends_at - self._budget.clock() - call.deadline_margin_s
            request = finish(call, request, max(0, int(1000 * left_s)))
        bytes_max = member.body_bytes_max if call.body_bytes_max is None else call.body_bytes_max
        slow_at = connection.taken_at + member.slow_s
        connection.ask(request, self._budget, slow_at, self._slow, call.method == "HEAD", bytes_max)

    def _slow(self) -> None:
        if self._permit is not None:
            self._was_slow = True
            self.member.breaker.note_slow(self._permit)

    def _judge_head(self, connection: Connection) -> None:
        member, status = self.member, connection.reader.status
        now = connection.read_at = self._budget.clock()
        took_s = now - connection.taken_at
        if status < 429 or (status < 500 and (status > 429 or not member.pushback_counts)):
            member.limit.sample(now, took_s, member.gate.in_flight)
            if member.is_compared:
                member.latency.observe(now, took_s)
        else:
            member.latency.failed(now, took_s)
            if status in OVERLOADED:
                member.limit.drop(now, took_s, member.gate.in_flight)
        if status >= 429:
            judgement = judge_status(status, pushback_counts=member.pushback_counts)
            if judgement[0] is not OK:
                self._judged = True
                self._settle(judgement, now)

    def _succeed(self, now: float) -> None:
        # At the end, because an answer may break off; but a stream may last for minutes, and a probe that waits for its
        # end would keep all others out.  What breaks after it was proven is a failure of its own.
        self._judged = True
        permit = self._permit
        if permit is not None and not permit.lease:
            # A plain success changes nothing that would have to be told.
            self.member.health.settle(permit, OK, now, 0.0, Cause.CALL, self._was_slow)
        else:
            self._settle((OK, Cause.CALL), now)

    def _settle(self, judgement: tuple[Verdict, Cause], now: float) -> None:
        if self._permit is not None:
            self.member.breaker.settle(self._permit, judgement, now, self._was_slow)

    def _linger(self) -> None:
        clock = self._budget.clock
        budget = Budget(self._budget.timeouts, Deadline(clock() + LINGER_S), clock)
        connection = self._connection
        assert connection is not None
        left_bytes = LINGER_BYTES_MAX
        try:
            while not self.reader.done and left_bytes > 0:
                connection.read(budget)
                left_bytes -= len(self.reader.take())
        except BaseException as error:
            self._discard("left")
            if not isinstance(error, CallFailed):
                raise
            return
        if not self.reader.done:
            self._discard("left")
            return
        self._connection = None
        self.member.pool.release(connection, connection.read_at)
        self._end("left", self.reader.status, connection.read_at)

    def _discard(self, outcome: str) -> None:
        connection, self._connection = self._connection, None
        status = 0
        if connection is not None:
            status = connection.reader.status
            self.member.pool.discard(connection)
        self._end(outcome, status, self._budget.clock())

    def _end(self, outcome: str, status: int, now: float) -> None:
        member = self.member
        granted = member.gate.leave(self._call.tenant)
        if granted is not None:
            member.wake(granted)
        if telemetry.heard("rpc.call"):
            telemetry.event(
                "rpc.call",
                endpoint=member.label,
                outcome=outcome,
                status=status,
                reused=self.reused,
                duration_s=now - self._began_at,
            )
