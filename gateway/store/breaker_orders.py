"""Operators' orders to circuit breakers: the table ``breaker_orders``.

PostgreSQL keeps them and Redis only makes them quick (:class:`gateway.domain.hint.OrdersChanged`): an order outlives
every process and every Redis.
"""

from __future__ import annotations

from psycopg2.extensions import cursor as Cursor

from gateway.domain.errors import Overloaded
from gateway.domain.resilience.orders import ORDERS_MAX, Order
from gateway.store.postgres import Database

__all__ = ["BreakerOrders", "drop", "list_orders", "put"]

_LIST = """
    SELECT endpoint, state, ordered_by, extract(epoch FROM ordered_at)::float8, reason
    FROM breaker_orders ORDER BY endpoint"""
#: The bound is not exact under two puts at once, and need not be.
_PUT = """
    INSERT INTO breaker_orders (endpoint, state, ordered_by, reason)
    SELECT %(endpoint)s, %(state)s, %(by)s, %(reason)s
    WHERE (SELECT count(*) FROM breaker_orders WHERE endpoint <> %(endpoint)s) < %(most)s
    ON CONFLICT (endpoint) DO UPDATE SET state = EXCLUDED.state, ordered_by = EXCLUDED.ordered_by,
        ordered_at = clock_timestamp(), reason = EXCLUDED.reason
    RETURNING endpoint, state, ordered_by, extract(epoch FROM ordered_at)::float8, reason"""


def list_orders(cursor: Cursor) -> list[Order]:
    """Return all orders, by endpoint."""
    cursor.execute(_LIST)
    return [_order(row) for row in cursor.fetchall()]


def put(cursor: Cursor, *, endpoint: str, order: str, by: str, reason: str) -> Order:
    """Let *order* stand for *endpoint*, instead of any before it.

    :raises Overloaded: too many orders stand.
    """
    values = {"endpoint": endpoint, "state": order, "by": by, "reason": reason, "most": ORDERS_MAX}
    cursor.execute(_PUT, values)
    row = cursor.fetchone()
    if row is None:
        raise Overloaded(
            f"{ORDERS_MAX} orders stand already: clear some", reason="orders_full", retry_after_s=60
        )
    return _order(row)


def drop(cursor: Cursor, endpoint: str) -> bool:
    """Let the circuit of *endpoint* decide for itself again; False if there was no order."""
    cursor.execute("DELETE FROM breaker_orders WHERE endpoint = %s", (endpoint,))
    return cursor.rowcount > 0


class BreakerOrders:
    """The same for a process that has a pool.

    Each method raises :exc:`StoreUnavailable` where PostgreSQL does not answer, or has no such table yet: a new version
    may run before its migration, and must neither die of that nor say anything else.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self) -> list[Order]:
        """Return all orders, by endpoint."""
        return self._database.run(list_orders)

    def put(self, *, endpoint: str, order: str, by: str, reason: str) -> Order:
        """Let *order* stand for *endpoint*.

        :raises Overloaded: too many orders stand.
        """
        return self._database.run(lambda cursor: put(cursor, endpoint=endpoint, order=order, by=by, reason=reason))

    def drop(self, endpoint: str) -> bool:
        """Let the circuit of *endpoint* decide for itself again; False if there was no order."""
        return self._database.run(lambda cursor: drop(cursor, endpoint))


def _order(row: tuple[str, str, str, float, str]) -> Order:
    endpoint, order, by, at, reason = row
    return Order(endpoint=endpoint, order=order, by=by, at=at, reason=reason)
