"""Greenlets that end with an error that nobody waits for, told as every crash is: by places and classes.

gevent would print them to stderr, in several lines of no form, with the text of the error and the arguments of the
greenlet.  Both may be what a user wrote.
"""

from __future__ import annotations

from types import TracebackType

from gevent import get_hub

from gateway import telemetry

__all__ = ["tell_of_crashes"]


def tell_of_crashes() -> None:
    """Have this thread's event loop tell of them from now on."""
    get_hub().print_exception = _tell  # type: ignore[method-assign, assignment]  # what gevent's handle_error calls


def _tell(
    _: object,
    kind: type[BaseException] | None,
    error: BaseException | str | None,
    trace: TracebackType | None,
) -> None:
    # Who ends the process by one of these has said why.
    if kind is None or issubclass(kind, SystemExit | KeyboardInterrupt):
        return
    detail = ""
    if isinstance(error, BaseException):
        detail = telemetry.trace(error if error.__traceback__ else error.with_traceback(trace))
    telemetry.event("greenlet.crashed", reason=kind.__name__, detail=detail)
