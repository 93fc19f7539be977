"""Has this process obey what operators ordered of circuit breakers.

Orders are rows in PostgreSQL, read every ``rpc.orders_poll_s`` and at once after a hint.  Only differences become
commands.  The client remembers a command for an endpoint that nobody has called yet.

Fail-open: while PostgreSQL does not answer, the orders that were read last stand.  They are the newest word there is,
and forgetting them would send calls to an endpoint that somebody had shut on purpose.  A process that has never read
them obeys none: without PostgreSQL it accepts nothing that it could call an endpoint for.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from gevent.event import Event as Hinted

from gateway import telemetry
from gateway.domain.errors import StoreUnavailable
from gateway.domain.resilience.health import Event
from gateway.domain.resilience.orders import changes
from gateway.store.breaker_orders import BreakerOrders

__all__ = ["Orders"]


class Orders:
    """The orders that this process obeys."""

    def __init__(
        self, orders: BreakerOrders, command: Callable[[str, Event], None], *, poll_s: float
    ) -> None:
        self._orders = orders
        self._command = command
        self._poll_s = poll_s
        self._hinted = Hinted()
        #: Endpoint -> order.
        self._obeyed: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<Orders {self._obeyed}>"

    def hint(self) -> None:
        """Look now: something was ordered, or taken back."""
        self._hinted.set()

    def obey_forever(self) -> None:
        """Look for orders until killed.  To be supervised."""
        while True:
            # Fail-open: what was ordered last stands.
            with contextlib.suppress(StoreUnavailable):
                self._look()
            self._hinted.wait(self._poll_s)
            self._hinted.clear()

    def _look(self) -> None:
        orders = {order.endpoint: order for order in self._orders.list()}
        wanted = {endpoint: order.order for endpoint, order in orders.items()}
        for endpoint, event in changes(self._obeyed, wanted):
            self._command(endpoint, event)
            order = orders.get(endpoint)
            telemetry.event(
                "breaker.ordered",
                endpoint=endpoint,
                order=order.order if order else "none",
                detail=f"by {order.by}: {order.reason}" if order else "",
            )
        self._obeyed = wanted
