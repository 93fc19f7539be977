"""What one call has tried so far, and what it does next.

The rules are in :mod:`gateway.domain.resilience.retry`; here they get a clock, a draw, the budget, and are told.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from gevent.event import Event

from gateway import telemetry
from gateway.domain.errors import CallFailed, Reached
from gateway.domain.resilience.budget import RetryBudget
from gateway.domain.resilience.retry import Ending, GiveUp, RetryRules, decide, parse_retry_after
from gateway.rpc.call import Call, find_header
from gateway.rpc.errors import OVER_OUR_BOUND, CallRefused, CallTimeout, InvalidCall
from gateway.rpc.response import ResponseReader
from gateway.rpc.timeouts import Budget

__all__ = ["Retries", "Tries"]


class Tries:
    """The attempts of one call."""

    __slots__ = ("number", "reached", "tried")

    def __init__(self) -> None:
        #: The attempt under way, from 1.
        self.number = 0
        #: What the other side may have seen of the attempts before that.
        self.reached: Reached = "never"
        #: Bit ``1 << index`` for each member that it was sent to.
        self.tried = 0


class Retries:
    """Decides for the calls of one service.

    What it says is how long to pause before the next attempt, or None: what came of this one is what came of the call.
    Whoever is told to pause gives back what it holds, then calls ``pause``.
    """

    __slots__ = ("_draw", "_name", "_rules", "_stopped", "_unix_time", "budget")

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
        self._stopped = Event()
        self.budget = budget

    def after_error(
        self, error: CallFailed | CallRefused, call: Call, tries: Tries, budget: Budget, others_left: bool
    ) -> float | None:
        """Return the pause after *error*, or None: then *error* is the call's, and says what its attempts reached."""
        pause_s = None
        final = isinstance(error, InvalidCall) or error.reason in OVER_OUR_BOUND
        if not final and not (isinstance(error, CallTimeout) and error.by_deadline):
            ending = Ending(error.sent, by_us=isinstance(error, CallRefused))
            pause_s = self._again(ending, call, tries, budget, others_left, error.reason)
        if pause_s is None and error.sent == "never":
            # The last attempt was not sent; its sender would say so of the whole call.
            error.sent = tries.reached
        return pause_s

    def after_answer(
        self, reader: ResponseReader, call: Call, tries: Tries, budget: Budget, others_left: bool
    ) -> float | None:
        """Return the pause after an answer, or None."""
        said = find_header(reader.headers, "retry-after")
        retry_after_s = None if said is None else parse_retry_after(said, self._unix_time())
        ending = Ending("answered", reader.status, retry_after_s)
        return self._again(ending, call, tries, budget, others_left, f"http_{reader.status}")

    def pause(self, pause_s: float) -> None:
        """Wait; not beyond a stop, which refuses the next attempt."""
        if pause_s > 0:
            self._stopped.wait(pause_s)

    def stop(self) -> None:
        """End all pauses.  Safe to call twice."""
        self._stopped.set()

    def _again(
        self, ending: Ending, call: Call, tries: Tries, budget: Budget, others_left: bool, because: str
    ) -> float | None:
        now = budget.clock()
        left_s = budget.ends_at - now
        own_max = call.retries_max
        what = decide(ending, tries.number, call.idempotent, left_s, self._draw(), self._rules, others_left)
        if isinstance(what, GiveUp):
            why_not = what.reason
        elif own_max is not None and tries.number > own_max:
            why_not = "retries_max"
        # What we refused ourselves has reached nobody: trying elsewhere is its first attempt.
        elif not ending.by_us and not self.budget.withdraw(now):
            why_not = "budget"
        else:
            telemetry.event(
                "rpc.retried", service=self._name, reason=because, allowed=what.reason, pause_s=what.after_s
            )
            # Who pushes back has not acted on it.
            if ending.sent != "never" and what.reason != "pushback":
                tries.reached = ending.sent
            return what.after_s
        telemetry.event("rpc.not_retried", service=self._name, reason=because, refused=why_not)
        return None
