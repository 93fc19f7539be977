"""Kinds of jobs that operators have paused: what this worker starts none of.

Pauses are rows in PostgreSQL, read every ``jobs.poll_s`` and at once after a hint.  What runs already goes on.

Fail-open: while PostgreSQL does not answer, what was read last stands, as it is the newest word there is.  Before the
first look nothing is known: whoever starts jobs waits for :attr:`Pauses.known`, or a worker that comes while a kind is
paused would run some of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from gevent.event import Event

from gateway import telemetry
from gateway.domain.errors import StoreUnavailable

__all__ = ["Pauses"]


class Pauses:
    """What *read* says, handed to *on_change* whenever it differs from what was said before."""

    def __init__(
        self,
        read: Callable[[], frozenset[str]],
        on_change: Callable[[frozenset[str]], None],
        poll_s: float,
    ) -> None:
        self._read = read
        self._on_change = on_change
        self._poll_s = poll_s
        self._hinted = Event()
        self._kinds: frozenset[str] = frozenset()
        #: Set once the pauses were read for the first time.
        self.known = Event()

    def __repr__(self) -> str:
        return f"<Pauses {sorted(self._kinds)}{'' if self.known.is_set() else ', never read'}>"

    def look_now(self) -> None:
        """Look now: something was paused or resumed.  Does not wait."""
        self._hinted.set()

    def watch_forever(self) -> None:
        """Look for pauses until killed.  To be supervised."""
        while True:
            # Cleared before the look: a word that comes while it is under way is worth another one.
            self._hinted.clear()
            # Fail-open: what was paused last stays so.
            with contextlib.suppress(StoreUnavailable):
                self._look()
            self._hinted.wait(self._poll_s)

    def _look(self) -> None:
        kinds = self._read()
        if kinds != self._kinds:
            self._on_change(kinds)
            before, self._kinds = self._kinds, kinds
            for kind in sorted(kinds - before):
                telemetry.event("jobs.paused", kind=kind)
            for kind in sorted(before - kinds):
                telemetry.event("jobs.resumed", kind=kind)
        # Last: who waited for this finds what is paused told already.
        self.known.set()
