"""Reports this process's circuits, so that a person sees those of all processes.

Fail-open: while Redis does not answer nothing is reported, and a list shows orders only.  Nothing else depends on it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping

import gevent

from gateway.domain.errors import StoreUnavailable
from gateway.domain.resilience.health import HealthView
from gateway.store.circuit_reports import REPORT_LIVES_S, Circuit, CircuitReports, encode_report

__all__ = ["Reporter"]

#: Seconds between two looks at the circuits.
_LOOK_S = 1.0
#: Seconds after which a report is written again that has not changed.
_AGAIN_S = REPORT_LIVES_S / 3


class Reporter:
    """Writes the reports of one process."""

    def __init__(
        self,
        reports: CircuitReports,
        breakers: Callable[[], Mapping[str, HealthView]],
        *,
        me: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
        unix_time: Callable[[], float] = time.time,
    ) -> None:
        self._reports = reports
        self._breakers = breakers
        #: This process's id in the ledger; 0 while it has none.
        self._me = me
        self._clock = clock
        self._unix_time = unix_time
        #: Endpoint -> state, and since when.
        self._since: dict[str, tuple[str, float]] = {}
        self._written = b""
        self._written_at = float("-inf")

    def report_forever(self) -> None:
        """Report until killed.  To be supervised."""
        while True:
            # Fail-open; the signals have told already that Redis is away.
            with contextlib.suppress(StoreUnavailable):
                self.report()
            gevent.sleep(_LOOK_S)

    def report(self) -> None:
        """Write what has changed; also an empty report, so that silence means that nobody is there.

        :raises StoreUnavailable: Redis does not answer.
        """
        me, now = self._me(), self._clock()
        if not me:
            return
        report = encode_report(self._circuits())
        if report == self._written and now - self._written_at < _AGAIN_S:
            return
        self._written_at = float("-inf")
        self._reports.write(me, report)
        self._written, self._written_at = report, now

    def _circuits(self) -> dict[str, Circuit]:
        now = self._unix_time()
        views = self._breakers()
        since: dict[str, tuple[str, float]] = {}
        for endpoint, view in views.items():
            state = view.state.value
            before = self._since.get(endpoint)
            # Seen once a second, which is near enough for a person.
            since[endpoint] = before if before is not None and before[0] == state else (state, round(now, 3))
        self._since = since
        return {
            endpoint: Circuit(
                state=view.state.value,
                since=since[endpoint][1],
                reason=view.reason,
                calls=view.calls,
                failed=view.failed,
                slow=view.slow,
                open_for_s=round(view.open_for_s, 3),
                suspected=view.suspected,
            )
            for endpoint, view in views.items()
        }
