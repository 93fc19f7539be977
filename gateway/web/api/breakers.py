"""``/api/v1/breakers``: all circuits of all processes, and what operators order of them.

A label that holds ``%2F``, as that of one of several unix sockets does, is written with ``%252F`` in the path.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from gateway.circuits.circuits import Circuits
from gateway.circuits.overview import Overview
from gateway.domain.errors import NotFound
from gateway.domain.resilience.orders import (
    ORDER_OF,
    Order,
    OrderName,
    ShortName,
    check,
    check_endpoint,
    check_known,
)
from gateway.web.api.fields import Reason
from gateway.web.api.operation import Caller, operation

__all__ = ["Breakers"]

_ANYWAY = 'To order it all the same, add "anyway": true.'


class NewOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is ordered, and why."""

    #: Also by the shorter word that the command takes.
    order: OrderName | ShortName
    reason: Reason
    #: For an endpoint that nobody has called and no assistant is reached at.
    anyway: bool = False


class Breakers:
    """The operations."""

    def __init__(self, circuits: Circuits, configured: Collection[str]) -> None:
        self._circuits = circuits
        #: Those that are known although nobody may have called them.
        self._configured = configured

    @operation("GET", "/breakers", scope="breakers:read")
    def list(self) -> Overview:
        """Show every endpoint with its order and its circuit in each process."""
        return self._circuits.overview()

    @operation("PUT", "/breakers/{endpoint}", scope="breakers:write")
    def put(self, endpoint: str, body: NewOrder, caller: Caller) -> Order:
        """Order something of an endpoint's circuit.

        Every process obeys it until it is taken back.  `open`, `closed` and `metrics-only` are other words for
        `forced_open`, `forced_closed` and `metrics_only`, which is what lists show.
        """
        order = ORDER_OF[body.order]
        check(endpoint, order, body.reason)
        if not body.anyway:
            known = {*self._configured, *self._circuits.overview().known()}
            check_known(endpoint, known, hint=_ANYWAY)
        return self._circuits.order(endpoint, order, by=caller.by, reason=body.reason)

    @operation("DELETE", "/breakers/{endpoint}", scope="breakers:write")
    def delete(self, endpoint: str) -> None:
        """Take an order back: the circuit decides for itself again."""
        check_endpoint(endpoint)
        if not self._circuits.take_back(endpoint):
            raise NotFound(f"there is no order for {endpoint}", reason="no_such_order")
