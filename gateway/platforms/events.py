"""A stream of events as its reader sees it.  https://html.spec.whatwg.org/multipage/server-sent-events.html"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

__all__ = ["Event", "events"]


class Event(msgspec.Struct, frozen=True):
    """One event: its name, its data, and the id that was given last."""

    name: str
    data: str
    last_id: str


def events(lines: Iterable[bytes]) -> Iterator[Event]:
    """Yield the events of a stream, each when its blank line has come."""
    name, last_id = "", ""
    data: list[str] = []
    for line in lines:
        text = line.decode(errors="replace").rstrip("\r\n")
        if not text:
            if data:
                yield Event(name or "message", "\n".join(data), last_id)
            name, data = "", []
            continue
        field, _, value = text.partition(":")
        value = value.removeprefix(" ")
        match field:
            case "event":
                name = value
            case "data":
                data.append(value)
            case "id":
                last_id = value
