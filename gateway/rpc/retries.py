"""What one call has tried so far, and what it does next.

The rules are in :mod:`gateway.domain.resilience.retry`; here they get a clock, a draw, the budget, and are told.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent

from gateway import telemetry
from gateway.domain.errors import CallFailed
from gateway.domain.resilience.budget import RetryBudget
from gateway.domain.resilience.retry import Ending, GiveUp, RetryRules, decide, parse_retry_after
from gateway.rpc.call import Call, find_header
from gateway.rpc.errors import CallRefused, CallTimeout, InvalidCall
from gateway.rpc.response import ResponseReader
from gateway.rpc.timeouts import Budget

__all__ = ["Retries", "Tries"]


class Tries:
    """The attempts of one call."""

    __slots__ = ("number", "tried")

    def __init__(self) -> None:
        #: The attempt under way, from 1.
        self.number = 0
        #: Bit ``1 << index`` for each member that it was sent to.
        self.tried = 0


class Retries:
    """Decides for the calls of one service."""

    __slots__ = ("_draw", "_name", "_rules", "_unix_time", "budget")

    def __init__(
        self,
        name: str,
        rules: RetryRules,
        budget: RetryBudget,
        *,
        draw: Callable[[], float],
        unix_time: Callable[[], float] = time.time,
    ) -> None:
        self._name = name
        self._rules = rules
        self._draw = draw
        self._unix_time = unix_time
        self.budget = budget

    def after_error(
        self, error: CallFailed | CallRefused, call: Call, tries: Tries, budget: Budget, others_left: bool
    ) -> bool:
        """Pause, and return True; or return False: *error* is what came of the call."""
        if isinstance(error, InvalidCall) or (isinstance(error, CallTimeout) and error.by_deadline):
            return False
        ending = Ending(error.sent, by_us=isinstance(error, CallRefused))
        return self._again(ending, call, tries, budget, others_left, error.reason)

    def after_answer(
        self, reader: ResponseReader, call: Call, tries: Tries, budget: Budget, others_left: bool
    ) -> bool:
        """Pause, and return True; or return False: this answer is what came of the call."""
        said = find_header(reader.headers, "retry-after")
        retry_after_s = None if said is None else parse_retry_after(said, self._unix_time())
        ending = Ending("answered", reader.status, retry_after_s)
        return self._again(ending, call, tries, budget, others_left, f"http_{reader.status}")

    def _again(
        self, ending: Ending, call: Call, tries: Tries, budget: Budget, others_left: bool, because: str
    ) -> bool:
        now = budget.clock()
        left_s = budget.ends_at - now
        own_max = call.retries_max
        what = decide(ending, tries.number, call.idempotent, left_s, self._draw(), self._rules, others_left)
        if isinstance(what, GiveUp):
            why_not = what.reason
        elif own_max is not None and tries.number > own_max:
            why_not = "retries_max"
        elif not self.budget.withdraw(now):
            why_not = "budget"
        else:
            telemetry.event(
                "rpc.retried", service=self._name, reason=because, allowed=what.reason, pause_s=what.after_s
            )
            if what.after_s > 0:
                gevent.sleep(what.after_s)
            return True
        telemetry.event("rpc.not_retried", service=self._name, reason=because, refused=why_not)
        return False
