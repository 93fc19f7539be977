"""``Desk``: recycled greenlets without a server around them, and what a job in one can see of jobs before it."""

from __future__ import annotations

import contextvars
import sys
import threading
from collections import deque
from collections.abc import Callable

import gevent
import gevent.local
from gevent.event import Event
from greenlet import getcurrent, greenlet

from gateway.greenlets.handlers import Handlers
from tests.support.waiting import GUARD_S

__all__ = ["LEAVES", "LOCAL", "NEW", "VARIABLE", "Desk", "glance", "look", "nothing"]

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="new")
LOCAL = gevent.local.local()


class Desk:
    """Handlers, and jobs for them."""

    def __init__(self) -> None:
        self.hub = gevent.get_hub()
        self.handlers = Handlers(self.hub)

    def in_hub(self, call: Callable[[], object]) -> None:
        """Have the hub make *call*, and wait until it has."""
        done = Event()
        self.hub.loop.run_callback(lambda: (call(), done.set()))
        assert done.wait(GUARD_S)

    def run(self, job: Callable[[], object]) -> int:
        """Run *job* to its end or its first wait; return the id of its greenlet, which is not kept."""
        ids: list[int] = []

        def noted() -> None:
            ids.append(id(getcurrent()))
            job()

        self.run_all(noted)
        return ids[0]

    def run_all(self, *jobs: Callable[[], object]) -> None:
        """Have the hub run jobs that have come together."""
        self.in_hub(lambda: self.run_here(*jobs))

    def run_here(self, *jobs: Callable[[], object]) -> None:
        """Do the same in the hub itself."""
        self.handlers.run(deque(jobs))

    @property
    def parked(self) -> int:
        return len(self.handlers._parked)

    def assert_next_is_new(self) -> None:
        """Whatever has been left behind, a job that runs now does not see it."""
        seen: list[dict[str, object]] = []
        self.run(lambda: seen.append(look()))
        assert seen == [NEW]


def glance() -> dict[str, object]:
    """What can be seen without leaving a trace."""
    return {
        "attributes": dict(getcurrent().__dict__),
        "variable": VARIABLE.get(),
        "parent": getcurrent().parent is gevent.get_hub(),
        "error": sys.exc_info(),
    }


def look() -> dict[str, object]:
    """What can be seen; looking leaves an entry of its own in ``LOCAL``, and a thread."""
    return {
        **glance(),
        "local": dict(LOCAL.__dict__),
        "thread": getattr(threading.current_thread(), "mark", None),
    }


#: What a new greenlet sees.
NEW = {
    "attributes": {},
    "variable": "new",
    "parent": True,
    "error": (None, None, None),
    "local": {},
    "thread": None,
}


def nothing() -> None:
    pass


def leave_a_local() -> None:
    LOCAL.value = "old"


def leave_a_thread() -> None:
    threading.current_thread().mark = "old"  # type: ignore[attr-defined]


def leave_an_attribute() -> None:
    getcurrent().mark = "old"  # type: ignore[attr-defined]


def leave_a_child() -> None:
    """gevent keeps ``spawn_tree_locals`` as an attribute of who spawned."""
    gevent.spawn(nothing)


def leave_another_parent() -> None:
    getcurrent().parent = greenlet(nothing, gevent.get_hub())


def leave_a_variable() -> None:
    VARIABLE.set("old")


def leave_an_error() -> None:
    try:
        raise ValueError("old")
    except ValueError as error:
        error.__context__ = error.with_traceback(error.__traceback__)


LEAVES = (
    leave_a_local,
    leave_a_thread,
    leave_an_attribute,
    leave_a_child,
    leave_another_parent,
    leave_a_variable,
    leave_an_error,
)
