"""What the server tells of itself, kept for a test; and the small application of tests about bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from gevent.event import Event

from gateway import telemetry
from gateway.telemetry.catalogue import Event as Declared
from tests.support.waiting import GUARD_S

__all__ = ["Counter", "Told", "told"]


class Told:
    """The fields of each event of some names, in order."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self.events: list[dict[str, Any]] = []

    def writer(self, event: Declared) -> Callable[[dict[str, Any]], None] | None:
        return self.events.append if event.name in self._names else None

    @property
    def reasons(self) -> list[str]:
        return [event["reason"] for event in self.events]


@contextmanager
def told(*names: str) -> Iterator[Told]:
    """Listen to the events *names* for a while."""
    sink = Told(names)
    telemetry.attach(sink)
    try:
        yield sink
    finally:
        telemetry.detach(sink)


class Counter:
    """An application that says how long the body was; at /wait it waits for ``go`` first."""

    def __init__(self) -> None:
        self.began = 0
        self.go = Event()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        self.began += 1
        if environ["PATH_INFO"] == "/wait":
            assert self.go.wait(GUARD_S)
        if environ["PATH_INFO"] == "/fail":
            raise ValueError
        start_response("200 OK", [])
        return [b"%d" % len(environ["gateway.body"])]
