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
import math
import pkgutil
import re
import traceback
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

    :raises SwitchboardError: *kind* is no word or has a handler already, or a bound is none; it names the function.
    """
    def register(perform: Callable[[Context, P], JobOutcome]) -> Callable[[Context, P], JobOutcome]:
        _check(_where(perform), kind, attempts_max, time_limit_s, in_flight_max)
        before = _handlers.get(kind)
        if before is not None and before.perform is not perform:
            raise SwitchboardError(f"jobs of kind {kind!r} are {_where(before.perform)}'s already", reason="kind_taken")
        decode = msgspec.json.Decoder(payload).decode
        _handlers[kind] = Handler(
            kind, decode, perform, attempts_max, time_limit_s, on_lease_lost, in_flight_max
        )
        return perform

    return register


def _check(where: str, kind: object, attempts_max: object, time_limit_s: object, in_flight_max: object) -> None:
    if not (isinstance(kind, str) and _KIND.fullmatch(kind)):
        raise SwitchboardError(
            f"{where}: expected a kind of lower-case letters, digits and _ . -, at most 64, got {kind!r}",
            reason="bad_kind",
        )
    whole = "a whole number from 0 (which means {}) on"
    for name, value, fits, expected in (
        ("attempts_max", attempts_max, _is_count(attempts_max), whole.format("jobs.attempts_max")),
        (
            "time_limit_s",
            time_limit_s,
            isinstance(time_limit_s, (int, float)) and 0 <= time_limit_s < math.inf,
            "seconds from 0 (which means jobs.time_limit_s) on",
        ),
        (
            "in_flight_max",
            in_flight_max,
            callable(in_flight_max) or _is_count(in_flight_max),
            whole.format("as many as there is room for"),
        ),
    ):
        if not fits:
            raise SwitchboardError(
                f"{where}: expected {name} of kind {kind!r} to be {expected}, got {value!r}", reason="bad_handler"
            )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and value >= 0


def _where(perform: Callable[..., object]) -> str:
    return f"{perform.__module__}.{getattr(perform, '__qualname__', type(perform).__name__)}"


def load_handlers(modules: Iterable[str] = ()) -> Mapping[str, Handler]:
    """Import the handlers that ship, one file per kind, and those in *modules*; return all of them by kind.

    :raises SwitchboardError: one of *modules* cannot be imported, whatever it raises.
    """
    import workers.handlers as shipped

    for found in pkgutil.iter_modules(shipped.__path__):
        importlib.import_module(f"{shipped.__name__}.{found.name}")
    for name in modules:
        _import(name)
    return handlers()


def _import(name: str) -> None:
    if not all(part.isidentifier() for part in name.split(".")):
        raise _unfit(f"expected the name of a module, such as my_jobs or shop.jobs, got {name!r}")
    try:
        importlib.import_module(name)
    except (Exception, SystemExit) as error:
        # A program that was not meant to be imported ends itself, and would end the worker without a word.
        raise _unfit(
            f"expected a module that can be imported, got {name!r}: {type(error).__name__}: {_told(error)}"
        ) from error


def _unfit(problem: str) -> SwitchboardError:
    return SwitchboardError(f"worker.handlers: {problem}", reason="bad_handlers")


def _told(error: BaseException) -> str:
    """Return what *error* says, and the line of a file that it came from."""
    if isinstance(error, SyntaxError):
        return f"{error.msg} ({error.filename}:{error.lineno})"
    # What stands between us and the module's own lines is the import itself.
    ours = ("<frozen importlib", __file__, importlib.__file__)
    places = [place for place in traceback.extract_tb(error.__traceback__) if not place.filename.startswith(ours)]
    return f"{error} ({places[-1].filename}:{places[-1].lineno})" if places else str(error)


def handlers() -> Mapping[str, Handler]:
    """Return the handlers that have been registered so far, by kind."""
    return dict(_handlers)
