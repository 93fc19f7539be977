"""``switchboard breakers``: every circuit of every process, and the operator's word on them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import click

from gateway.circuits.overview import Endpoint, Overview, configured_endpoints, look
from gateway.cli.hinting import hinting
from gateway.cli.ledger import ledger, store_settings
from gateway.cli.table import table
from gateway.cli.telling import caller, echo_json, printable, told, utc_text
from gateway.domain.hint import OrdersChanged
from gateway.domain.resilience.orders import ORDER_OF, ShortName, check, check_endpoint, check_known
from gateway.settings.load import load_assistants
from gateway.settings.store import StoreSettings
from gateway.store.breaker_orders import drop, list_orders, put
from gateway.store.circuit_reports import CircuitReports, live_processes

__all__ = ["breakers"]

_HEADS = ("ENDPOINT", "STATE", "PROCESS", "CALLS", "FAILED", "SLOW", "SINCE (UTC)", "REASON", "ORDER")
_LATER = "Redis does not answer: processes find it by themselves (rpc.orders_poll_s)."


@click.group()
def breakers() -> None:
    """See and override circuit breakers."""


@breakers.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_(*, as_json: bool) -> None:
    """Show each endpoint's circuit in each process, and what was ordered of it.

    CALLS, FAILED and SLOW are those of the last seconds, REASON is what opened or closed the circuit.  A process that
    has called nobody has nothing to show.
    """
    seen = _overview(store_settings())
    if as_json:
        echo_json(seen)
        return
    rows = [row for endpoint in seen.endpoints for row in _rows(endpoint)]
    click.echo(table(_HEADS, rows) if rows else "There are no circuits and no orders.")
    for endpoint in seen.endpoints:
        if order := endpoint.order:
            click.echo(
                f"{order.endpoint}: {order.order} by {order.by} since {utc_text(order.at)}: {order.reason}"
            )
    if seen.problem:
        click.echo(f"The circuits cannot be shown: {seen.problem}.")
    else:
        lag = "once a second: what has just happened is not here yet"
        click.echo(f"{seen.reporting} of {seen.processes} processes report, {lag}.")


@breakers.command()
@click.argument("endpoint")
@click.argument("state", type=click.Choice(get_args(ShortName)))
@click.option("--reason", required=True, help="Why, for whoever comes next.")
@click.option("--anyway", is_flag=True, help="Even if nobody has called it and no assistant is there.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def force(*, endpoint: str, state: ShortName, reason: str, anyway: bool, as_json: bool) -> None:
    """Have all processes refuse calls to ENDPOINT (open), let all pass (closed), or only count (metrics-only).

    It holds, for processes that start later too, until `switchboard breakers clear ENDPOINT`.  Lists and the API call
    these orders forced_open, forced_closed and metrics_only.
    """
    order = ORDER_OF[state]
    with told():
        check(endpoint, order, reason)
        if not anyway:
            _check_known(endpoint, store_settings())
        with ledger(writes=True) as cursor:
            standing = put(cursor, endpoint=endpoint, order=order, by=caller(), reason=reason)
    at_once = _announce()
    if as_json:
        echo_json(standing)
    else:
        click.echo(f"{endpoint} is {order} from now on, until `switchboard breakers clear {endpoint}`.")
    if not at_once:
        click.echo(_LATER, err=True)


@breakers.command()
@click.argument("endpoint")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def clear(*, endpoint: str, as_json: bool) -> None:
    """Let the circuits of ENDPOINT decide for themselves again."""
    with told():
        check_endpoint(endpoint)
        with ledger(writes=True) as cursor:
            if not drop(cursor, endpoint):
                raise click.ClickException(f"there is no order for {endpoint}")
    at_once = _announce()
    if as_json:
        echo_json({"endpoint": endpoint, "order": None})
    else:
        click.echo(f"{endpoint} decides for itself again.")
    if not at_once:
        click.echo(_LATER, err=True)


def _overview(settings: StoreSettings) -> Overview:
    with ledger() as cursor:
        orders, processes = list_orders(cursor), live_processes(cursor)
    reports = CircuitReports(settings)
    try:
        return look(orders, processes, reports)
    finally:
        reports.close()


def _check_known(endpoint: str, settings: StoreSettings) -> None:
    seen = _overview(settings)
    hint = "To order it all the same, say --anyway."
    if seen.problem:
        hint = f"What processes have called is not known: {seen.problem}. {hint}"
    check_known(endpoint, {*configured_endpoints(load_assistants()), *seen.known()}, hint=hint)


def _announce() -> bool:
    """Tell every process to look now; False if Redis did not take the word."""
    with hinting() as (signals, _):
        signals.publish("gateways", OrdersChanged())
        signals.publish("workers", OrdersChanged())
        return signals.flush()


def _rows(endpoint: Endpoint) -> Iterator[tuple[object, ...]]:
    order = endpoint.order.order if endpoint.order else "-"
    for one in endpoint.circuits:
        process, circuit = one.process, one.circuit
        yield (
            endpoint.endpoint,
            circuit.state,
            f"{process.kind} {process.process_id} ({process.label})",
            circuit.calls,
            circuit.failed,
            circuit.slow,
            utc_text(circuit.since),
            printable(circuit.reason) or "-",
            order,
        )
    if not endpoint.circuits:
        yield endpoint.endpoint, "-", "-", "-", "-", "-", "-", "-", order
