"""How many replies of each account are unsent: counted once a second, held against ``outbox_rows_per_account_max``.

The bound is soft by what a second brings: counting under every accept would cost more than it protects.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping

import gevent

from gateway.domain.errors import StoreUnavailable

__all__ = ["OutboxWatch"]

_EVERY_S = 1.0


class OutboxWatch:
    """The latest counts."""

    def __init__(self, count: Callable[[], dict[tuple[str, str], int]]) -> None:
        self._count = count
        self._rows: Mapping[tuple[str, str], int] = {}

    def rows(self) -> Mapping[tuple[str, str], int]:
        """Return unsent rows by (channel, account)."""
        return self._rows

    def count_forever(self) -> None:
        """Count until killed.  To be supervised."""
        while True:
            # Open: while PostgreSQL is away nothing is accepted anyway.
            with contextlib.suppress(StoreUnavailable):
                self._rows = self._count()
            gevent.sleep(_EVERY_S)
