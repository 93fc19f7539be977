"""Greenlets for requests, used again and again.

A new greenlet costs 5 µs, most of it memory for Python's frames; a parked one 0.4 µs.  But a request must not meet what
an earlier one left behind, as it would not in a new thread.  So a parked greenlet is taken again only if **nobody else
can reach it**:

- A ``Timeout`` that was never closed, a ``gevent.kill`` on its way, a link of an event, a child that returns to
  its parent, a stored ``getcurrent()``: each holds a reference to the greenlet.  Only ours may be left.
- A ``gevent.local`` (so every patched ``threading.local``), ``threading.current_thread()`` and a running child that it
  spawned remember a greenlet by a weak reference.  There may be none.
- What the greenlet itself holds is taken from it: its attributes (gevent keeps some there when it spawns), its context
  variables.

Jobs that come together are run by one greenlet for as long as each ends without waiting and passes the same test: that
saves the next one two switches.

A greenlet that fails the test is let go, and a new one takes its place.  Without references it ends at once, and its
locals with it; until then what was left behind strikes a parked greenlet, which ends it and hurts nobody.

What is not told apart is what only compares ``threading.get_ident()``: like a thread's, a greenlet's is given to the
next one.  A ``threading.RLock`` that was never released is such a thing; a new greenlet would not help there.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from math import inf
from sys import exc_info, getrefcount
from weakref import getweakrefcount

from gevent import GreenletExit
from gevent.hub import Hub
from greenlet import getcurrent, greenlet

__all__ = ["Handlers"]

#: Greenlets that one call of ``trim`` ends: each takes some microseconds, and the loop waits for them.
_TRIM_MAX = 32


def _references() -> int:
    """Return what ``getrefcount`` says of something that only a local variable holds: versions of Python differ."""
    held = [object()]
    while held:
        alone = held.pop()
    return getrefcount(alone)


_OURS = _references()


class Handlers:
    """Runs jobs, each in a greenlet that looks new."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._parked: list[greenlet] = []
        #: What the greenlet that is switched to now is to do, and until when.  Not arguments of the switch: a greenlet
        #: keeps those of the first one for life, and a stray switch brings its own.
        self._jobs: deque[Callable[[], None]] = deque()
        self._until = inf
        #: It is switched to by ``run``, and by nobody else.
        self._called = False
        #: Grows whenever the hub has its turn: a job during which it has grown has waited.
        self._turn = 0
        #: The least number of parked greenlets since ``trim``: so many were not needed.
        self._unused = 0

    def __repr__(self) -> str:
        return f"<Handlers: {len(self._parked)} parked>"

    def __len__(self) -> int:
        return len(self._parked)

    def run(self, jobs: deque[Callable[[], None]], until: float = inf) -> None:
        """Run *jobs* in order, each until it ends or waits for the first time.  To be called in the hub only.

        None is begun at *until* (monotonic seconds) or later, but the first in any case.  Those that were begun are
        taken out of *jobs*.  They must not raise.
        """
        self._jobs, self._until = jobs, until
        while jobs:
            self._called = True
            self._take().switch()
            self._turn += 1
            if jobs and time.monotonic() >= until:
                break

    def trim(self) -> None:
        """Let go of half of the greenlets that were not needed since the last call."""
        del self._parked[: min((self._unused + 1) // 2, _TRIM_MAX)]
        self._unused = len(self._parked)

    def _take(self) -> greenlet:
        """Return a greenlet that nobody else can reach."""
        parked = self._parked
        while parked:
            handler = parked.pop()
            if len(parked) < self._unused:  # noqa: PLR1730  # min() costs three times as much, on each request that waits
                self._unused = len(parked)
            if self._is_new(handler, _OURS):
                return handler
        return greenlet(self._work, self._hub)

    def _work(self) -> None:
        # Not the hub's own method, which asks each time for a ``switch_out`` that these have not.
        park = greenlet.switch.__get__(self._hub)
        parked = self._parked
        try:
            # Else a stray switch: what an earlier job left behind woke this one.
            while self._called:
                self._called = False
                jobs, turn, ours = self._jobs, self._turn, getrefcount(getcurrent())
                try:
                    jobs.popleft()()
                    while (
                        jobs
                        and turn == self._turn
                        and time.monotonic() < self._until
                        and self._is_new(getcurrent(), ours)
                    ):
                        jobs.popleft()()
                except GreenletExit:
                    # Let go while it waited.
                    return
                except BaseException:
                    # A fault of ours.  Not raised in the hub, where it would be the end of what has come with it, or
                    # (``SystemExit``) of the process.
                    self._hub.print_exception(self, *exc_info())
                    return
                # No variable holds this greenlet, which would then never end, or a job: one that waits for its garbage
                # collection holds a whole request.
                parked.append(getcurrent())
                park()
        except BaseException:
            # Thrown into a parked greenlet: by what an earlier job left behind, or because it was let go.
            return

    def _is_new(self, handler: greenlet, ours: int) -> bool:
        """Make *handler* look new, if nobody can reach it but the *ours* references that the caller counts.

        A running one that does not pass is tested again when it is taken, and nothing of its last job runs any more.
        """
        # One reference more than the caller counts is this function's own.  A dead one is false: what an earlier job
        # left behind may have struck it while it was parked.
        if not (
            handler
            and getrefcount(handler) == ours + 1
            and not getweakrefcount(handler)
            and handler.parent is self._hub
        ):
            return False
        handler.gr_context = None
        handler.__dict__ = {}
        return True
