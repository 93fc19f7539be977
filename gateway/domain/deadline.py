"""Deadlines: the patience one turn has left, carried as a single value.

A turn receives one budget at the door, and every wait on its path spends from it: mailbox, connection pool,
assistant, reply.  Timeouts set per step add up; a deadline cannot.

Pure:  ``now`` (monotonic seconds) is passed in.  Between processes send ``left_s``, never ``expires_at``:
two machines do not share a monotonic clock.
"""

from __future__ import annotations

import msgspec

from gateway.domain.errors import TurnExpired

__all__ = ["Deadline", "retry_delay_s"]


class Deadline(msgspec.Struct, frozen=True):
    """The instant after which nobody is waiting for the answer any more."""

    #: Monotonic seconds.
    expires_at: float

    @classmethod
    def after(cls, budget_s: float, *, now: float) -> Deadline:
        """Return the deadline *budget_s* seconds from *now*."""
        return cls(now + budget_s)

    def left_s(self, now: float) -> float:
        """Return what is left, never below zero: others must not be told a negative time."""
        return max(0.0, self.expires_at - now)

    def remaining_s(self, now: float, *, step_max_s: float) -> float:
        """Return how long the next wait may last, or raise :exc:`TurnExpired`."""
        left_s = self.expires_at - now
        if left_s <= 0:
            raise TurnExpired(late_by_s=-left_s)
        # One slow step must not spend what the later steps need to tell the user it failed.
        return min(left_s, step_max_s)

    def less(self, margin_s: float) -> Deadline:
        """Return this deadline drawn in by *margin_s*: for a step whose result must still be handled."""
        return Deadline(self.expires_at - margin_s)

    def or_sooner(self, other: Deadline) -> Deadline:
        """Return whichever of the two comes first."""
        return self if self.expires_at <= other.expires_at else other


def retry_delay_s(attempt: int, *, base_s: float, max_s: float, jitter: float) -> float:
    """Return the pause before retry number *attempt*, counted from 1: capped, with full jitter.

    *jitter* is the caller's draw from [0, 1): a test fixes it, and a herd cannot form.
    """
    # The exponent is capped because ``0.1 * 2**1024`` raises, and a stuck job does get there.
    return jitter * min(max_s, base_s * 2.0 ** min(attempt - 1, 32))
