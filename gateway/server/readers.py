"""Readers that no connection uses, for the next requests: a parser costs as much as several requests."""

from __future__ import annotations

from gateway.server.reader import Reader
from gateway.settings.server import ServerSettings

__all__ = ["Readers"]

_KEPT_MAX = 256


class Readers:
    """Lends readers to connections."""

    def __init__(self, limits: ServerSettings) -> None:
        self._limits = limits
        self._kept: list[Reader] = []

    def __repr__(self) -> str:
        return f"<Readers: {len(self._kept)} kept>"

    def take(self) -> Reader:
        """Return a reader that nobody else uses."""
        return self._kept.pop() if self._kept else Reader(self._limits)

    def give_back(self, reader: Reader) -> None:
        """Keep a reader that is done with its request, or let go of it."""
        if not reader.spent and len(self._kept) < _KEPT_MAX:
            self._kept.append(reader)
        else:
            reader.close()
