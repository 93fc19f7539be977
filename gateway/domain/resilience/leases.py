"""The probes of one half-open circuit: how many may run, which of them do, and how many have passed.

A lease expires, so that a caller that never comes back cannot keep the others out.  Pure: ``now`` (monotonic seconds)
is passed in.
"""

from __future__ import annotations

__all__ = ["Leases"]


class Leases:
    """At most one at first and one more for each that passed, and never more than *needed* still asks for."""

    __slots__ = ("_expires_at", "_last", "_needed", "passed")

    def __init__(self, needed: int) -> None:
        self._needed = needed
        self._expires_at: dict[int, float] = {}
        self._last = 0  # never used again, so that a late result cannot be taken for another's
        #: Probes that ended well.
        self.passed = 0

    @property
    def running(self) -> int:
        """Leases that were taken and not ended, expired ones too until the next is taken."""
        return len(self._expires_at)

    def free(self, now: float) -> bool:
        """Return whether ``take`` would give a lease."""
        live = sum(now < expires_at for expires_at in self._expires_at.values())
        return live < min(1 + self.passed, self._needed - self.passed)

    def take(self, now: float, lease_s: float) -> int:
        """Return a lease until *lease_s* from now, or 0 if there is none."""
        for lease in [lease for lease, expires_at in self._expires_at.items() if expires_at <= now]:
            del self._expires_at[lease]
        if not self.free(now):
            return 0
        self._last += 1
        self._expires_at[self._last] = now + lease_s
        return self._last

    def wait_s(self, now: float) -> float:
        """Return when the next lease expires at the latest."""
        return max(0.0, min(self._expires_at.values()) - now)

    def end(self, lease: int, now: float) -> bool:
        """Give *lease* back; False if it had been ended or had expired."""
        expires_at = self._expires_at.pop(lease, None)
        return expires_at is not None and now < expires_at

    def enough_passed(self) -> bool:
        """Count one that passed, and return whether it was the last that is needed."""
        self.passed += 1
        return self.passed >= self._needed

    def clear(self) -> None:
        """Forget all but the numbers that were used."""
        self._expires_at.clear()
        self.passed = 0
