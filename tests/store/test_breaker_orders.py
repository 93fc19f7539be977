"""Orders to circuit breakers in PostgreSQL: one an endpoint, kept until it is taken back."""

from __future__ import annotations

import time

import pytest

from gateway.domain.errors import Overloaded, StoreUnavailable
from gateway.domain.resilience.orders import ORDERS_MAX
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store.breaker_orders import BreakerOrders
from gateway.store.postgres import Database


@pytest.fixture
def orders(pool: Database) -> BreakerOrders:
    return BreakerOrders(pool)


def test_an_order_stands_until_it_is_taken_back(orders: BreakerOrders) -> None:
    assert orders.list() == []
    put = orders.put(endpoint="e", order="forced_open", by="ada", reason="it burns")
    assert (put.endpoint, put.order, put.by, put.reason) == ("e", "forced_open", "ada", "it burns")
    assert abs(put.at - time.time()) < 60
    assert orders.list() == [put]
    assert orders.drop("e") is True
    assert orders.list() == []
    assert orders.drop("e") is False


def test_a_new_order_replaces_the_one_before_whole(orders: BreakerOrders) -> None:
    first = orders.put(endpoint="e", order="forced_open", by="ada", reason="it burns")
    second = orders.put(endpoint="e", order="metrics_only", by="bob", reason="let us see")
    assert orders.list() == [second]
    assert (second.order, second.by, second.reason) == ("metrics_only", "bob", "let us see")
    assert second.at > first.at


def test_orders_are_listed_by_endpoint(orders: BreakerOrders) -> None:
    for endpoint in ("b", "c", "a"):
        orders.put(endpoint=endpoint, order="forced_closed", by="ada", reason="why")
    assert [order.endpoint for order in orders.list()] == ["a", "b", "c"]


def test_orders_are_bounded_and_those_that_stand_can_be_changed(orders: BreakerOrders, pool: Database) -> None:
    pool.run(
        lambda cursor: cursor.execute(
            "INSERT INTO breaker_orders (endpoint, state, ordered_by, reason)"
            " SELECT 'e' || n, 'forced_open', 'ada', 'why' FROM generate_series(1, %s) AS n",
            (ORDERS_MAX,),
        )
    )
    with pytest.raises(Overloaded, match="clear some"):
        orders.put(endpoint="one more", order="forced_open", by="ada", reason="why")
    assert orders.put(endpoint="e1", order="forced_closed", by="ada", reason="why").order == "forced_closed"
    assert len(orders.list()) == ORDERS_MAX


def test_a_database_that_is_not_migrated_yet_is_one_to_wait_for(empty_database: str) -> None:
    """Law: a new version that runs before its migration must not die of it."""
    pool = Database(StoreSettings(database_url=Secret(empty_database)))
    try:
        for ask in (BreakerOrders(pool).list, lambda: BreakerOrders(pool).drop("e")):
            with pytest.raises(StoreUnavailable, match="switchboard migrate") as refused:
                ask()
            assert refused.value.reason == "not_migrated"
    finally:
        pool.close()
