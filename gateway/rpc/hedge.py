"""Hedging: a late call is made a second time beside the first, and the first good answer counts.

Rules:

1. Only idempotent calls of a service that allows it; late is later than 95 of 100 before it, by a rolling quantile of
   the time to the answer's head.  Until that is known nothing is hedged.
2. A second call is paid from the retry budget, and there are never more of them than ``rpc.hedge_ratio`` of the calls.
3. The second one goes to another endpoint if there is one.  Neither's failure ends the race while the other runs; if
   both fail, what came of the first counts.
4. The loser is cancelled: its connection is closed, which tells its server, and it says nothing about its endpoint.
5. While calls wait in line nothing is hedged: what makes them late is that there are too many already.

The first attempt runs in the caller's own greenlet: a call that is not late pays for one timer and nothing more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
from gevent import get_hub
from greenlet import getcurrent, greenlet

from gateway import telemetry
from gateway.domain.errors import CallFailed, Reached
from gateway.domain.resilience.budget import RetryBudget
from gateway.domain.resilience.quantile import RollingQuantile
from gateway.rpc.clock import Clock
from gateway.rpc.errors import Beaten, CallRefused
from gateway.rpc.exchange import Exchange

__all__ = ["Hedger"]

#: The share of calls that are not late.
LATE = 0.95

#: Makes an attempt that begins at a time in monotonic seconds.
Attempt = Callable[[float], Exchange]


class Hedger:
    """The hedges of one service."""

    __slots__ = ("_budget", "_crowded", "_name", "_times", "clock")

    def __init__(self, name: str, budget: RetryBudget, *, clock: Clock, crowded: Callable[[], bool]) -> None:
        self._name = name
        self._budget = budget
        self._crowded = crowded
        self._times = RollingQuantile()
        self.clock = clock

    def race(self, attempt: Attempt, began_at: float) -> Exchange:
        """Return what *attempt* returns, or what it returns when it is made again because it is late."""
        late_s = self._times.value(began_at, LATE)
        exchange = attempt(began_at) if late_s is None else Race(self, attempt).run(began_at, late_s)
        now = self.clock()
        # A call that was beaten counts with what its first attempt took until then: at least that.
        self._times.add(now, now - began_at)
        return exchange

    def refusal(self) -> str:
        """Return why no second attempt may be made now; empty if one may, and it is paid for."""
        if self._crowded():
            return "crowded"
        return "" if self._budget.withdraw_hedge(self.clock()) else "budget"

    def refused(self, reason: str) -> None:
        """Say that the second attempt was refused here."""
        telemetry.event("rpc.refused", endpoint=self._name, reason=reason)

    def tell(self, outcome: str) -> None:
        """Say what became of a late call."""
        telemetry.event("rpc.hedged", service=self._name, outcome=outcome)


def is_failure(exchange: Exchange) -> bool:
    """Return whether its answer is one that another attempt may better."""
    status = exchange.reader.status
    return status == 429 or status >= 500


class Race:
    """One call and its second attempt, if it comes to that."""

    __slots__ = ("_attempt", "_caller", "_hedger", "_over", "_second", "_second_reached", "_winner")

    def __init__(self, hedger: Hedger, attempt: Attempt) -> None:
        self._hedger = hedger
        self._attempt = attempt
        #: Who makes the first attempt; None while nobody does.
        self._caller: greenlet | None = None
        self._second: gevent.Greenlet[[], None] | None = None
        #: What the other side may have seen of a second attempt that failed.
        self._second_reached: Reached = "never"
        self._winner: Exchange | None = None
        self._over = False

    def run(self, began_at: float, late_s: float) -> Exchange:
        timer: Any = get_hub().loop.timer(late_s)
        timer.start(self._late, update=True)
        exchange: Exchange | None = None
        try:
            exchange = self._first(began_at)
            return exchange
        finally:
            timer.close()
            self._over = True
            if self._second is not None:
                self._hedger.tell("won" if exchange is not None and exchange is self._winner else "lost")
                self._second.kill(block=False)
            if self._winner is not None and self._winner is not exchange:
                self._winner.drop()

    def _first(self, began_at: float) -> Exchange:
        self._caller = getcurrent()
        try:
            exchange = self._attempt(began_at)
        except Beaten:
            assert self._winner is not None
            return self._winner
        except (CallFailed, CallRefused) as error:
            self._caller = None
            if self._second is not None:
                self._second.join()
            if self._winner is not None:
                return self._winner
            if error.sent == "never":
                error.sent = self._second_reached
            raise
        finally:
            self._caller = None
        if self._second is None or not is_failure(exchange):
            return exchange
        try:
            self._second.join()
        except BaseException:
            exchange.drop()
            raise
        if self._winner is None:
            return exchange
        exchange.drop()
        return self._winner

    def _late(self) -> None:
        refusal = self._hedger.refusal()
        if refusal:
            self._hedger.tell(refusal)
        else:
            self._second = gevent.spawn(self._run_second)

    def _run_second(self) -> None:
        try:
            exchange = self._attempt(self._hedger.clock())
        except (CallFailed, CallRefused) as error:
            self._second_reached = error.sent
            if isinstance(error, CallRefused):
                self._hedger.refused(error.reason)
            return  # the first one goes on
        if self._over or is_failure(exchange):
            self._second_reached = "answered"
            exchange.drop()
            return
        self._winner = exchange
        # Not from here: the loop throws it while the caller waits in its attempt, and not when it has left that.
        get_hub().loop.run_callback(self._beat)

    def _beat(self) -> None:
        caller, self._caller = self._caller, None
        if caller is not None:
            caller.throw(Beaten())
