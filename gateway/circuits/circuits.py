"""The circuits of one process among those of all others: its orders, its rumours, its reports, and who runs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from gateway.circuits.orders import Orders
from gateway.circuits.overview import Overview, look
from gateway.circuits.reporter import Reporter
from gateway.circuits.rumours import Rumours, Suspicious
from gateway.domain.hint import CircuitClosed, CircuitOpened, Hint, OrdersChanged
from gateway.domain.resilience.health import Change, Event, HealthView
from gateway.domain.resilience.orders import Order, OrderName
from gateway.settings.rpc import RpcSettings
from gateway.settings.store import StoreSettings
from gateway.store.breaker_orders import BreakerOrders
from gateway.store.circuit_reports import CircuitReports, live_processes
from gateway.store.postgres import Database
from gateway.store.signals import Signals
from gateway.supervision import Supervisor

__all__ = ["Circuits", "Client"]


class Client(Suspicious, Protocol):
    """The part of the RPC client that is needed here."""

    def breakers(self) -> Mapping[str, HealthView]:
        """Return the health of each endpoint, by its label."""
        ...

    def command(self, label: str, event: Event, /) -> None:
        """Do an operator's word, now or when the endpoint is first called."""
        ...


class Circuits:
    """What every process that has an RPC client has beside it."""

    def __init__(
        self,
        rpc: Client,
        database: Database,
        signals: Signals,
        *,
        store: StoreSettings,
        settings: RpcSettings,
        me: Callable[[], int],
    ) -> None:
        self._database = database
        self._signals = signals
        self._table = BreakerOrders(database)
        self._reports = CircuitReports(store)
        self._orders = Orders(self._table, rpc.command, poll_s=settings.orders_poll_s)
        self._rumours = Rumours(signals.publish, rpc, me=me)
        self._reporter = Reporter(self._reports, rpc.breakers, me=me)

    def supervise(self, supervisor: Supervisor) -> None:
        """Have what runs for ever supervised."""
        supervisor.add("circuits.orders", self._orders.obey_forever)
        supervisor.add("circuits.reporter", self._reporter.report_forever)

    def changed(self, endpoint: str, change: Change) -> None:
        """Tell others that a circuit of this process changed.  Neither waits nor raises."""
        self._rumours.changed(endpoint, change)

    def hear(self, hint: Hint) -> None:
        """Take a hint that is about circuits, and pass over any other."""
        match hint:
            case OrdersChanged():
                self._orders.hint()
            case CircuitOpened() | CircuitClosed():
                self._rumours.hear(hint)
            case _:
                pass

    def overview(self) -> Overview:
        """Return all circuits and orders.

        :raises StoreUnavailable: PostgreSQL does not answer.
        """
        return look(self._table.list(), self._database.run(live_processes), self._reports)

    def order(self, endpoint: str, order: OrderName, *, by: str, reason: str) -> Order:
        """Have every process obey *order*, now and until it is taken back.

        :raises StoreUnavailable: PostgreSQL does not answer.
        :raises Overloaded: too many orders stand.
        """
        standing = self._table.put(endpoint=endpoint, order=order, by=by, reason=reason)
        self._announce()
        return standing

    def take_back(self, endpoint: str) -> bool:
        """Let the circuit of *endpoint* decide for itself again, everywhere; False if there was no order.

        :raises StoreUnavailable: PostgreSQL does not answer.
        """
        had = self._table.drop(endpoint)
        if had:
            self._announce()
        return had

    def close(self) -> None:
        """Close the connections.  Safe twice."""
        self._reports.close()

    def _announce(self) -> None:
        self._signals.publish("gateways", OrdersChanged())
        self._signals.publish("workers", OrdersChanged())
        # This process needs no Redis to know.
        self._orders.hint()
