"""All circuits of all processes and all orders, side by side: what ``switchboard breakers`` and the API show."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from gateway.domain.errors import StoreUnavailable
from gateway.domain.resilience.orders import Order
from gateway.rpc.call import endpoint_label
from gateway.settings.assistants import AssistantSettings
from gateway.store.circuit_reports import Circuit, CircuitReports, LiveProcess

__all__ = ["Overview", "configured_endpoints", "look"]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A circuit, and the process that has it."""

    process: LiveProcess
    circuit: Circuit


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one endpoint."""

    endpoint: str
    order: Order | None
    circuits: tuple[Seen, ...]


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """What is known at all."""

    endpoints: tuple[Endpoint, ...]
    #: Processes that live, and those of them that say something.
    processes: int
    reporting: int
    #: Why the circuits are not shown; empty: they are.
    problem: str = ""

    def known(self) -> set[str]:
        """Return the endpoints that some process has called, or that an order names already."""
        return {one.endpoint for one in self.endpoints}


def look(orders: Sequence[Order], processes: Sequence[LiveProcess], reports: CircuitReports) -> Overview:
    """Return what *processes* report beside *orders*.

    Fail-open: orders stand in PostgreSQL, and are shown while Redis, which has the reports, does not answer.
    """
    problem = ""
    reported: Mapping[int, Mapping[str, Circuit]] = {}
    try:
        reported = reports.read(process.process_id for process in processes)
    except StoreUnavailable as error:
        problem = str(error)
    standing = {order.endpoint: order for order in orders}
    seen: dict[str, list[Seen]] = {endpoint: [] for endpoint in standing}
    for process in processes:
        for endpoint, circuit in reported.get(process.process_id, {}).items():
            seen.setdefault(endpoint, []).append(Seen(process=process, circuit=circuit))
    return Overview(
        endpoints=tuple(
            Endpoint(endpoint=endpoint, order=standing.get(endpoint), circuits=tuple(seen[endpoint]))
            for endpoint in sorted(seen)
        ),
        processes=len(processes),
        reporting=len(reported),
        problem=problem,
    )


def configured_endpoints(assistants: Mapping[str, AssistantSettings]) -> Collection[str]:
    """Return the labels of the endpoints at which *assistants* are reached."""
    return {
        endpoint_label(f"assistants.{name}", url, among=1 + len(assistant.replica_urls))
        for name, assistant in assistants.items()
        if assistant.kind != "scripted"
        for url in (assistant.url, *assistant.replica_urls)
    }
