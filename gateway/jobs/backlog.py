"""How many jobs the ledger has: read once a second, held against ``jobs.waiting_max``.

The bound is soft by what a second brings: counting under every enqueue would cost more than it protects.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import gevent

from gateway.domain.errors import Overloaded, StoreUnavailable

__all__ = ["Backlog"]

#: Seconds between two counts.
_EVERY_S = 1.0


class Backlog:
    """The latest count, and the bound."""

    def __init__(self, count: Callable[[], int], jobs_max: int, *, every_s: float = _EVERY_S) -> None:
        self._count = count
        self._jobs_max = jobs_max
        self._every_s = every_s
        self._jobs = 0

    def __repr__(self) -> str:
        return f"<Backlog of about {self._jobs} jobs, at most {self._jobs_max}>"

    def check(self) -> None:
        """Let one more be asked for.

        :raises Overloaded: there are too many already.
        """
        if self._jobs >= self._jobs_max:
            raise Overloaded(
                f"about {self._jobs} jobs are in the ledger already (jobs.waiting_max is {self._jobs_max})",
                reason="jobs_waiting",
                retry_after_s=5,
            )

    def look(self) -> None:
        """Count now.

        :raises StoreUnavailable: PostgreSQL does not answer.
        """
        self._jobs = self._count()

    def watch_forever(self) -> None:
        """Count until killed.  To be supervised."""
        while True:
            # Open: while PostgreSQL is away no job is written anyway.
            with contextlib.suppress(StoreUnavailable):
                self.look()
            gevent.sleep(self._every_s)
