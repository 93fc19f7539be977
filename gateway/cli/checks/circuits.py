"""Circuits: is an endpoint shut out, and does an order stand that somebody may have forgotten?"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg2

from gateway.circuits.overview import Endpoint, look
from gateway.cli.checks.finding import Check, Finding, Visit, ok, warn
from gateway.cli.telling import utc_text
from gateway.store.breaker_orders import list_orders
from gateway.store.circuit_reports import CircuitReports, live_processes

__all__ = ["CHECKS"]


def circuits(visit: Visit) -> Iterator[Finding]:
    """An order stands until it is taken back, whatever becomes of its reason; a circuit that is open refuses calls."""
    if visit.store is None:
        return
    reports = CircuitReports(visit.store)
    try:
        with visit.ledger() as cursor:
            seen = look(list_orders(cursor), live_processes(cursor), reports)
    except psycopg2.Error:
        # Not there, or has no schema: both are findings of their own.
        return
    finally:
        reports.close()
    found = [finding for one in seen.endpoints for finding in _endpoint(one)]
    yield from found
    if not found:
        yield ok("circuits", "no order stands" if seen.problem else "none is open, and no order stands")


def _endpoint(one: Endpoint) -> Iterator[Finding]:
    if order := one.order:
        says = f"{order.order} by {order.by} since {utc_text(order.at)} UTC: {order.reason}"
        yield warn(one.endpoint, says, f"`switchboard breakers clear {one.endpoint}` once that is over")
        return
    shut = [seen.circuit for seen in one.circuits if seen.circuit.state != "closed"]
    if shut:
        says = f"its circuit is {shut[0].state} in {len(shut)} of {len(one.circuits)} processes ({shut[0].reason})"
        yield warn(one.endpoint, says, "look at what is wrong there; `switchboard breakers list` shows the calls")


CHECKS: list[Check] = [circuits]
