"""Time: what one call may take, step by step, inside the turn's deadline.

A step's wait is the smaller of its own setting and what is left of the whole; so a server that sends a byte
every four seconds ends at the total, and a turn that is nearly over never waits for a whole step.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from gateway.domain.deadline import Deadline
from gateway.domain.errors import Reached
from gateway.rpc.clock import Clock
from gateway.rpc.errors import CallTimeout
from gateway.settings.rpc import RpcSettings

__all__ = ["Budget", "Step", "Timeouts"]

#: gevent's timers count from when its loop last looked at the clock, and so may fire a little early.
TIMER_SLACK_S = 0.01

#: The steps that have a setting of their own: ``<step>_timeout_s``, in ``[rpc]`` or where a call's owner
#: keeps it.
Step = Literal["connect", "first_byte", "idle"]


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds for each step; the fields are explained in :class:`~gateway.settings.rpc.RpcSettings`."""

    connect_s: float
    first_byte_s: float
    idle_s: float
    total_s: float
    pool_wait_s: float

    @classmethod
    def of(cls, settings: RpcSettings) -> Timeouts:
        """Return what the settings say."""
        return cls(
            connect_s=settings.connect_timeout_s,
            first_byte_s=settings.first_byte_timeout_s,
            idle_s=settings.idle_timeout_s,
            total_s=settings.total_timeout_s,
            pool_wait_s=settings.pool_wait_s,
        )


class Budget:
    """The time of one call, all its attempts together."""

    __slots__ = ("_cut_by_deadline", "clock", "ends_at", "started_at", "timeouts")

    def __init__(self, timeouts: Timeouts, deadline: Deadline, clock: Clock) -> None:
        now = clock()
        ends_at = now + timeouts.total_s
        self.clock = clock
        self.timeouts = timeouts
        self.started_at = now
        self._cut_by_deadline = deadline.expires_at < ends_at
        #: When the whole call must be over, in monotonic seconds.
        self.ends_at = deadline.expires_at if self._cut_by_deadline else ends_at

    def until(self, step_s: float) -> float:
        """Return when a wait must end that begins now and may last *step_s*, in monotonic seconds."""
        until = self.clock() + step_s
        return min(self.ends_at, until)

    def wait_s(self, step: Step, step_ends_at: float, sent: Reached) -> float:
        """Return how long the next wait of *step* may last, or raise :exc:`CallTimeout`."""
        wait_s = min(step_ends_at, self.ends_at) - self.clock()
        if wait_s <= 0:
            raise self.timed_out(step, sent)
        return wait_s

    def left_s(self) -> float:
        """Return what is left of the whole, or raise :exc:`CallTimeout`: nothing was sent yet."""
        left_s = self.ends_at - self.clock()
        if left_s <= 0:
            raise self.timed_out("connect", "never")
        return left_s

    def timed_out(self, step: Step, sent: Reached) -> CallTimeout:
        """Return the error that says which limit was met, and which setting to change."""
        now = self.clock()
        if now < self.ends_at - TIMER_SLACK_S:
            limit_s = getattr(self.timeouts, f"{step}_s")
            reason, why = f"{step}_timeout", f"{STEP_TEXT[step]} within {limit_s:g} s ({step}_timeout_s)"
        elif self._cut_by_deadline:
            reason, why = "deadline", "not finished before its caller's deadline"
        else:
            reason = "total_timeout"
            why = f"not finished within {self.timeouts.total_s:g} s (total_timeout_s)"
        return CallTimeout(why, reason=reason, sent=sent, waited_s=now - self.started_at)


STEP_TEXT: dict[Step, str] = {
    "connect": "no connection",
    "first_byte": "no answer's head",
    "idle": "no further byte went through",
}
