"""Handlers by the kind of job that they perform.

    @job_handler("greeting.send", Greeting, attempts_max=3)
    def greeting_send(job: Context, payload: Greeting) -> JobOutcome:
        ...
        return Done()

A handler returns how the job ended; what it raises is a fault, told with its trace, and counts as a failed try.  It may
run again after any crash, so what it does must bear that.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeVar

import msgspec

from gateway.domain.errors import SwitchboardError
from gateway.domain.job import JobOutcome
from gateway.settings.settings import Settings
from workers.context import Context

__all__ = ["UNBOUNDED", "Handler", "OnLeaseLost", "handlers", "job_handler", "load_handlers"]

P = TypeVar("P")

#: Tries of a kind whose handler itself decides when it is given up.
UNBOUNDED = 2**31 - 1
#: What happens to a running job when this process's lease has run out: it is killed, or finishes because what it has on
#: the wire is recorded by other means.
OnLeaseLost = Literal["stop", "finish"]

_KIND = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_handlers: dict[str, Handler] = {}


class Handler(msgspec.Struct, frozen=True):
    """Who performs a kind of job, and within which bounds."""

    kind: str
    decode: Callable[[str], Any]
    perform: Callable[[Context, Any], JobOutcome]
    #: Failed tries; 0: ``jobs.attempts_max``.
    attempts_max: int = 0
    #: Seconds for one try; 0: ``jobs.time_limit_s``.
    time_limit_s: float = 0.0
    on_lease_lost: OnLeaseLost = "stop"
    #: Jobs of this kind that one worker runs at once, or the setting that says so; 0: as many as there is room for.
    in_flight_max: int | Callable[[Settings], int] = 0

    def bound(self, settings: Settings) -> int:
        """Return how many jobs of this kind one worker runs at once; 0: as many as there is room for."""
        return self.in_flight_max if isinstance(self.in_flight_max, int) else self.in_flight_max(settings)


def job_handler(
    kind: str,
    payload: type[P],
    *,
    attempts_max: int = 0,
    time_limit_s: float = 0.0,
    on_lease_lost: OnLeaseLost = "stop",
    in_flight_max: int | Callable[[Settings], int] = 0,
) -> Callable[[Callable[[Context, P], JobOutcome]], Callable[[Context, P], JobOutcome]]:
    """Register the decorated function for jobs of *kind*; their payload is checked to be a *payload*.

    :raises SwitchboardError: *kind* is no word, or has a handler already.
    """
    if not _KIND.fullmatch(kind):
        raise SwitchboardError(
            f"expected a kind of lower-case letters, digits and _ . -, at most 64, got {kind!r}",
            reason="bad_kind",
        )

    def register(perform: Callable[[Context, P], JobOutcome]) -> Callable[[Context, P], JobOutcome]:
        before = _handlers.get(kind)
        if before is not None and before.perform is not perform:
            where = f"{before.perform.__module__}.{before.perform.__qualname__}"
            raise SwitchboardError(f"jobs of kind {kind!r} are {where}'s already", reason="kind_taken")
        decode = msgspec.json.Decoder(payload).decode
        _handlers[kind] = Handler(
            kind, decode, perform, attempts_max, time_limit_s, on_lease_lost, in_flight_max
        )
        return perform

    return register


def load_handlers(modules: Iterable[str] = ()) -> Mapping[str, Handler]:
    """Import the handlers that ship, one file per kind, and those in *modules*; return all of them by kind.

    :raises SwitchboardError: a module cannot be imported.
    """
    import workers.handlers as shipped

    ours = [f"{shipped.__name__}.{found.name}" for found in pkgutil.iter_modules(shipped.__path__)]
    for name in [*ours, *modules]:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise SwitchboardError(
                f"worker.handlers: expected a module that can be imported, got {name!r}: {error}",
                reason="bad_handlers",
            ) from error
    return handlers()


def handlers() -> Mapping[str, Handler]:
    """Return the handlers that have been registered so far, by kind."""
    return dict(_handlers)
