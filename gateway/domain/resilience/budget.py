"""The retry budget of one service: how many attempts beyond the first its calls may have, all together.

Rules:

1. A call earns ``ratio``, a second earns ``per_s``, a retry or a hedge costs 1.
2. Over any stretch of ``window_s`` up to twice that which ends with a retry, no more was spent than was earned
   in it.  In a shorter one there may be more, because what the window before it earned may be spent at once:
   a burst of broken connections is what the budget is for.
3. Life begins with nothing saved.  One second's worth of ``per_s`` is lent, and paid back after the first
   window.
4. Hedges are paid from the same account, and may beside that be no more than ``hedge_ratio`` of the calls, over
   the same stretches.

A sliding count of retries would be simpler, and would give the whole window's worth again each time that the
last burst leaves it: in a long outage that is a storm every ``window_s`` seconds, at the same moment in every
process.  Here the balance may never fall below the highest that it had between one and two windows ago, so each
of those stretches has paid for itself.  After the first burst an outage sees a steady trickle; a burst is
forgotten after two windows, so that a service whose calls dried up meanwhile is not without retries for long.

Pure:  ``now`` (monotonic seconds) is passed in; one thread, and nothing yields.  Deliberately absent: which
calls may be retried at all, and when; see ``retry.py``.
"""

from __future__ import annotations

import math
from collections import deque

__all__ = ["RetryBudget"]

#: Steps in which the window slides.
_SLOTS = 10
#: Seconds of ``per_s`` that are lent at the beginning.
_LENT_S = 1.0


class RetryBudget:
    """``deposit`` once a call, ``withdraw`` before a further attempt of it, ``withdraw_hedge`` before a
    hedge."""

    __slots__ = ("_all", "_began_at", "_calls", "_hedges", "_slot_ends_at", "_slot_s")

    def __init__(
        self, ratio: float = 0.2, per_s: float = 10.0, window_s: float = 10.0, hedge_ratio: float = 0.05
    ) -> None:
        self._all = _Account(ratio, per_s)
        self._hedges = _Account(hedge_ratio, 0.0)
        self._calls = 0
        self._slot_s = window_s / _SLOTS
        self._began_at = math.nan
        # Life begins with the first use, which finds this slot over.
        self._slot_ends_at = -math.inf

    def __repr__(self) -> str:
        return f"<RetryBudget calls={self._calls} spent={self._all.spent} hedges={self._hedges.spent}>"

    def deposit(self, now: float) -> None:
        """Count one call.  Its retries and hedges are no calls."""
        if now >= self._slot_ends_at:
            self._turn(now)
        self._calls += 1

    def withdraw(self, now: float) -> bool:
        """Return whether one more attempt may be made now; if so, it is paid for."""
        if now >= self._slot_ends_at:
            self._turn(now)
        if self._all.left(self._calls, now - self._began_at) < 1:
            return False
        self._all.spend(self._calls, now - self._began_at)
        return True

    def withdraw_hedge(self, now: float) -> bool:
        """Return whether a call may be made a second time beside the first; if so, it is paid for."""
        if now >= self._slot_ends_at:
            self._turn(now)
        if self._hedges.left(self._calls, now - self._began_at) < 1 or not self.withdraw(now):
            return False
        self._hedges.spend(self._calls, now - self._began_at)
        return True

    def _turn(self, now: float) -> None:
        if self._slot_ends_at == -math.inf:
            self._began_at, self._slot_ends_at = now, now + self._slot_s
            return
        ended = 1 + int((now - self._slot_ends_at) / self._slot_s)
        # Of a long silence only as many slots are looked at as are remembered.
        for slot in range(max(0, ended - 2 * _SLOTS), ended):
            elapsed_s = self._slot_ends_at + slot * self._slot_s - self._began_at
            self._all.end_slot(self._calls, elapsed_s)
            self._hedges.end_slot(self._calls, elapsed_s)
        self._slot_ends_at += ended * self._slot_s


class _Account:
    """What was earned since the beginning less what was spent, and the level below which it may not fall."""

    __slots__ = ("_high", "_highs", "_level", "_per_s", "_ratio", "spent")

    def __init__(self, ratio: float, per_s: float) -> None:
        self._ratio = ratio
        self._per_s = per_s
        self._level = -per_s * _LENT_S
        #: The highest balance of the slot that runs, and of each of the slots before it.
        self._high = 0.0
        self._highs = deque([self._level] * (2 * _SLOTS), maxlen=2 * _SLOTS)
        self.spent = 0

    def left(self, calls: int, elapsed_s: float) -> float:
        """Return what may be spent at once."""
        return self._balance(calls, elapsed_s) - self._level

    def spend(self, calls: int, elapsed_s: float) -> None:
        # Between two payments the balance only grows: its highest stands before a payment or at a slot's end.
        self._high = max(self._high, self._balance(calls, elapsed_s))
        self.spent += 1

    def end_slot(self, calls: int, elapsed_s: float) -> None:
        balance = self._balance(calls, elapsed_s)
        self._highs.append(max(self._high, balance))
        self._high = balance
        # The slots that begin a window or more ago.  The youngest of them reaches less far back at its end,
        # so it counts as a whole: rather too strict by a slot than too generous by one.
        self._level = max(self._highs[slot] for slot in range(_SLOTS + 1))

    def _balance(self, calls: int, elapsed_s: float) -> float:
        return self._ratio * calls + self._per_s * elapsed_s - self.spent
