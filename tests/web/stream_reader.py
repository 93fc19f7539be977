"""A page's stream, read over a real socket: one event at a time, each within a generous guard."""

from __future__ import annotations

import http.client
from typing import Any, NamedTuple

import msgspec

__all__ = ["Received", "StreamReader"]

GUARD_S = 10.0


class Received(NamedTuple):
    """One event of a stream; ``id`` is empty where it has none."""

    name: str
    data: Any
    id: str = ""


class StreamReader:
    """A connection that asked for ``/chat/<account>/events``."""

    def __init__(self, port: int, path: str, headers: dict[str, str]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=GUARD_S)
        self._connection.request("GET", path, headers=headers)
        self.response = self._connection.getresponse()
        self.status = self.response.status
        self.retry_ms = 0

    def next(self) -> Received | None:
        """Return the next event, or None at the end of the stream."""
        name, data, place = "message", "", ""
        while line := self.response.readline().decode():
            field, _, value = line.rstrip("\n").partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                data = value
            elif field == "id":
                place = value
            elif field == "retry":
                self.retry_ms = int(value)
            elif not field and data:
                return Received(name, msgspec.json.decode(data), place)
        return None

    def until(self, name: str) -> list[Received]:
        """Return the events up to and with the next one called *name*."""
        events: list[Received] = []
        while not events or events[-1].name != name:
            event = self.next()
            assert event is not None, f"the stream ended before {name!r}: {events}"
            events.append(event)
        return events

    def rest(self) -> list[Received]:
        """Return what still comes, up to the end."""
        return list(iter(self.next, None))

    def close(self) -> None:
        """Hang up.  Safe twice."""
        self.response.close()
        self._connection.close()
