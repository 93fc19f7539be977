"""Greenlets for requests, used again and again.

A new greenlet costs 5 µs, most of it memory for Python's frames; a parked one 0.4 µs.  But a request must not meet what
an earlier one left behind, as it would not in a new thread.  So a parked greenlet is taken again only if **nobody else
can reach it**:

- A ``Timeout`` that was never closed, a ``gevent.kill`` on its way, a waiter in an event's list, a stored
  ``getcurrent()``: each holds a reference to the greenlet.  Only ours may be left.
- A ``gevent.local`` (so every patched ``threading.local``) and ``threading.current_thread()`` remember a greenlet by a
  weak reference.  There may be none.
- Context variables: each request gets a context of its own.

A greenlet that fails the test is let go, and a new one takes its place.  Without references it ends at once, and its
locals with it; until then what was left behind strikes a parked greenlet, which hurts nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from sys import getrefcount
from weakref import getweakrefcount

from gevent.hub import Hub
from greenlet import getcurrent, greenlet

__all__ = ["Handlers"]

#: References to a greenlet that nobody else can reach: the variable that holds it, and the argument of ``getrefcount``.
_OURS = 2


class Handlers:
    """Runs jobs, each in a greenlet that looks new."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._parked: list[greenlet] = []
        #: The least number of parked greenlets since ``trim``: so many were not needed.
        self._unused = 0

    def __repr__(self) -> str:
        return f"<Handlers: {len(self._parked)} parked>"

    def run(self, job: Callable[[], None]) -> None:
        """Run *job* now, until it ends or waits for the first time.  To be called in the hub only.

        *job* must not raise.
        """
        parked = self._parked
        while parked:
            handler = parked.pop()
            self._unused = min(self._unused, len(parked))
            # A dead one is false: what an earlier job left behind may have struck it while it was parked.
            if handler and getrefcount(handler) == _OURS and not getweakrefcount(handler):
                handler.gr_context = Context()
                break
        else:
            handler = greenlet(self._work, self._hub)
        handler.switch(job)

    def trim(self) -> None:
        """Let go of half of the greenlets that were not needed since the last call."""
        del self._parked[: (self._unused + 1) // 2]
        self._unused = len(self._parked)

    def _work(self, job: Callable[[], None]) -> None:
        park = self._hub.switch
        parked = self._parked
        try:
            while True:
                job()
                # Not kept: a job that waits for its garbage collection holds a whole request.
                del job
                parked.append(getcurrent())
                job = park()
        except BaseException:
            # Thrown into a parked greenlet: by what an earlier job left behind, or because it was let go.
            return
