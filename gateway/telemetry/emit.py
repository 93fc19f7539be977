"""``event`` and ``span``: from a call site to the sinks that listen to the event.

A sink is asked once for each event of the catalogue, when it is attached, and answers with a writer or None.
So an event that nobody listens to costs one dictionary look-up, and an event switched off by the log level
costs nothing more.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Protocol, Self

from gateway.domain.errors import SwitchboardError
from gateway.telemetry.catalogue import CATALOGUE, COMMON_FIELDS, Event

__all__ = ["Sink", "Span", "Writer", "attach", "attached", "detach", "event", "heard", "lost", "span", "strict"]

#: Takes the fields of one event.  It may be called from any greenlet or thread.
Writer = Callable[[dict[str, Any]], None]


class Sink(Protocol):
    """Something that listens to events."""

    def writer(self, event: Event) -> Writer | None:
        """Return what is called each time *event* happens, or None if this sink does not care for it."""
        ...


_sinks: list[Sink] = []
_writers: dict[str, tuple[Writer, ...]] = dict.fromkeys(CATALOGUE, ())
_strict = False

#: Events that were emitted but not written, by what went wrong: a name outside the catalogue, or a sink that
#: raised.
lost: Counter[str] = Counter()


def attach(sink: Sink) -> None:
    """Let *sink* listen from now on."""
    _sinks.append(sink)
    _rewire()


def attached() -> bool:
    """Return whether anybody listens at all."""
    return bool(_sinks)


def detach(sink: Sink) -> None:
    """Let *sink* listen no longer; safe if it never did."""
    if sink in _sinks:
        _sinks.remove(sink)
        _rewire()


def heard(name: str) -> bool:
    """Return whether anybody listens to *name*: what is told very often need not be put together for nobody."""
    return bool(_writers[name])


def event(name: str, /, **fields: Any) -> None:
    """Tell every sink that the event *name* of the catalogue happened."""
    try:
        for write in _writers[name]:
            write(fields)
    except Exception as error:
        # Telling must not change what is told about: a full disk under the log is no reason to fail a turn.
        if _strict:
            raise
        _lose(f"{name}: {'not in the catalogue' if name not in _writers else type(error).__name__}")
    if _strict:
        _check(name, fields)


class Span:
    """Something that takes time: one event at its end, with ``duration_s`` and ``outcome``.

    ``outcome`` is ``ok``, the error's ``reason``, or the name of its class; the block may set another one.
    """

    __slots__ = ("_fields", "_name", "_started_at", "outcome")

    def __init__(self, name: str, fields: dict[str, Any]) -> None:
        self._name = name
        self._fields = fields
        self._started_at = 0.0
        self.outcome = "ok"

    def set(self, **fields: Any) -> None:
        """Add what is known only inside the block."""
        self._fields.update(fields)

    def __enter__(self) -> Self:
        self._started_at = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        fields = self._fields
        fields["duration_s"] = time.perf_counter() - self._started_at
        if error is not None:
            # Not only Exception: a killed greenlet and a gevent.Timeout are outcomes too.
            self.outcome = error.reason if isinstance(error, SwitchboardError) else type(error).__name__
        fields["outcome"] = self.outcome
        event(self._name, **fields)


def span(name: str, /, **fields: Any) -> Span:
    """Return a context manager that emits *name* when its block ends, however it ends."""
    return Span(name, fields)


@contextmanager
def strict() -> Iterator[None]:
    """Raise for what is otherwise counted in :data:`lost`: for tests, around everything."""
    global _strict
    before, _strict = _strict, True
    try:
        yield
    finally:
        _strict = before


def _lose(what: str) -> None:
    lost[what] += 1
    if lost[what] == 1:
        logging.getLogger("switchboard").error("telemetry lost: %s (said once, counted on)", what)


def _check(name: str, fields: dict[str, Any]) -> None:
    declared = CATALOGUE[name].fields
    unknown = [field for field in fields if field not in declared and field not in COMMON_FIELDS]
    missing = [field for field in declared if field not in fields]
    if unknown or missing:
        raise ValueError(f"event {name}: undeclared fields {unknown}, missing fields {missing}")


def _rewire() -> None:
    for name, declared in CATALOGUE.items():
        writers = (sink.writer(declared) for sink in _sinks)
        _writers[name] = tuple(writer for writer in writers if writer is not None)
