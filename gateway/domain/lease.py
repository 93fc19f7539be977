"""A lease: how long a process may believe that it is still the owner of what it owns.

The others declare it dead when no beat reached the ledger for ``dead_after_s``.  It counts from *before* the beat was
sent, on its own monotonic clock, and stops ``margin_s`` early, so that it has stopped when another one starts.
Pure: times are arguments.
"""

from __future__ import annotations

import msgspec

__all__ = ["Lease"]


class Lease(msgspec.Struct, frozen=True):
    """The instant (monotonic seconds) after which nothing new may be started in the name of this process."""

    until: float

    @classmethod
    def from_beat(cls, sent_at: float, *, dead_after_s: float, margin_s: float) -> Lease:
        """Return the lease that a beat gave which was sent at *sent_at* and is known to have arrived."""
        return cls(sent_at + dead_after_s - margin_s)

    def holds(self, now: float) -> bool:
        """Return whether a call or a send may be started at *now*."""
        return now < self.until
