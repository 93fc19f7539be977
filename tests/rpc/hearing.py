"""A sink that keeps what telemetry says during a test, and lets the test wait for it."""

from __future__ import annotations

from typing import Any

import gevent.event

from gateway.telemetry.catalogue import Event as CatalogueEvent
from tests.rpc.peer import GUARD_S

__all__ = ["Heard"]

Fields = dict[str, Any]


class Heard(list[tuple[str, Fields]]):
    """Every event, oldest first: its name and its fields."""

    def __init__(self) -> None:
        super().__init__()
        self._more = gevent.event.Event()

    def writer(self, event: CatalogueEvent) -> Any:
        """Return what is called for each *event* (:class:`gateway.telemetry.Sink`)."""

        def write(fields: Fields) -> None:
            self.append((event.name, dict(fields)))
            self._more.set()

        return write

    def of(self, name: str) -> list[Fields]:
        """Return the fields of every event *name*."""
        return [fields for heard, fields in self if heard == name]

    def values(self, name: str, field: str) -> list[Any]:
        """Return one field of every event *name*."""
        return [fields[field] for fields in self.of(name)]

    def wait_for(self, name: str, times: int = 1, **fields: Any) -> Fields:
        """Return the event *name* with these *fields*, or that of so many *times*; wait for it if need be."""
        with gevent.Timeout(GUARD_S, AssertionError(f"never heard {name} {fields}")):
            while True:
                found = [heard for heard in self.of(name) if heard.items() >= fields.items()]
                if len(found) >= times:
                    return found[times - 1]
                self._more.clear()
                self._more.wait()
