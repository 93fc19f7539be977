"""What an operator orders of an endpoint's circuit: a standing order, held until it is dropped.

An order is a state of :mod:`gateway.domain.resilience.health` by name.  It names an endpoint by its label and needs
nobody to have called that endpoint yet.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Literal, get_args

import msgspec

from gateway.domain.errors import BadRequest, NotFound
from gateway.domain.resilience.health import Event

__all__ = [
    "ENDPOINT_CHARS_MAX", "ORDERS_MAX", "ORDER_OF", "REASON_CHARS_MAX", "Order", "OrderName", "ShortName", "changes",
    "check", "check_endpoint", "check_known", "check_reason",
]  # fmt: skip

OrderName = Literal["forced_open", "forced_closed", "metrics_only"]
#: What people say of a circuit: as good as the order's own name wherever one is asked for.
ShortName = Literal["open", "closed", "metrics-only"]
ORDER_OF: Mapping[OrderName | ShortName, OrderName] = {
    "open": "forced_open",
    "closed": "forced_closed",
    "metrics-only": "metrics_only",
    "forced_open": "forced_open",
    "forced_closed": "forced_closed",
    "metrics_only": "metrics_only",
}

#: What each order is to a circuit.
_EVENTS: dict[str, Event] = {
    "forced_open": Event.FORCE_OPEN,
    "forced_closed": Event.FORCE_CLOSED,
    "metrics_only": Event.METRICS_ONLY,
}

#: Orders that may stand at once: every process reads them all, every few seconds.
ORDERS_MAX = 1_000
#: A label is a name and an authority (RFC 1035: a host has at most 255 octets).
ENDPOINT_CHARS_MAX = 400
REASON_CHARS_MAX = 500


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One that stands."""

    endpoint: str
    order: str
    #: The person, as far as that is known.
    by: str
    #: Unix seconds.
    at: float
    reason: str


def changes(obeyed: Mapping[str, str], wanted: Mapping[str, str]) -> list[tuple[str, Event]]:
    """Return what turns the orders *obeyed* into those *wanted*, both endpoint -> order.

    An order that stands already is not repeated: each command begins a new epoch, and forgets what was counted.  One
    that this version does not know (a newer one wrote it) is as good as none.
    """
    before, after = _known(obeyed), _known(wanted)
    dropped = [(endpoint, Event.RESET) for endpoint in before if endpoint not in after]
    return dropped + [
        (endpoint, _EVENTS[order]) for endpoint, order in after.items() if before.get(endpoint) != order
    ]


def _known(orders: Mapping[str, str]) -> dict[str, str]:
    return {endpoint: order for endpoint, order in orders.items() if order in _EVENTS}


def check(endpoint: str, order: str, reason: str) -> None:
    """Check what a person asks for.

    :raises BadRequest: it can be no order.
    """
    if order not in get_args(OrderName):
        raise BadRequest(
            f"expected order to be one of {', '.join(get_args(OrderName))}, got {order[:40]!r}", reason="bad_order"
        )
    check_endpoint(endpoint)
    check_reason(reason)


def check_reason(reason: str) -> None:
    """Check why a person orders something.

    :raises BadRequest: it says nothing, or cannot be shown.
    """
    # It is shown at terminals, which obey control characters; and who comes next must learn why.
    if not reason.strip() or len(reason) > REASON_CHARS_MAX or not reason.isprintable():
        raise BadRequest(
            f"expected a reason: 1 to {REASON_CHARS_MAX} printable characters on one line", reason="bad_reason"
        )


def check_endpoint(endpoint: str) -> None:
    """Check that *endpoint* can be a label.

    :raises BadRequest: it cannot.
    """
    if not 0 < len(endpoint) <= ENDPOINT_CHARS_MAX or not endpoint.isprintable() or " " in endpoint:
        raise BadRequest(
            f"expected an endpoint's label: 1 to {ENDPOINT_CHARS_MAX} printable characters, no spaces",
            reason="bad_endpoint",
        )


def check_known(endpoint: str, known: Collection[str], *, hint: str) -> None:
    """Check that *endpoint* is one of those *known*; *hint* tells how to insist.

    :raises NotFound: it is not, and so perhaps a typing error, which would force nothing and say nothing.
    """
    if endpoint in known:
        return
    copies = sorted(each for each in known if each.startswith(f"{endpoint}@"))
    if copies:
        raise NotFound(
            f"{endpoint} has several endpoints, and an order is for one: {', '.join(copies)}. {hint}",
            reason="several_endpoints",
        )
    near = difflib.get_close_matches(endpoint, known, n=1, cutoff=0.6)
    meant = f", did you mean {near[0]}?" if near else ""
    raise NotFound(
        f"no process has called {endpoint} and no assistant is reached there{meant or '.'} {hint}",
        reason="unknown_endpoint",
    )
