"""Work of this process's own, in greenlets that are used again.

A new greenlet costs ten times as much as a parked one: its first frames ask the kernel for memory, and its end gives
that back.  So what is begun for each turn runs here; what lives long, or is rare, is ``gevent.spawn``'s.

An errand's greenlet is another's after its end, so nobody may hold it: whoever would end an errand early holds the
errand.  ``handlers.py`` says what else must be true of a greenlet before it is used again.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from gevent import GreenletExit, get_hub
from gevent.event import Event
from greenlet import getcurrent, greenlet

from gateway.greenlets.handlers import Handlers
from gateway.greenlets.turns import in_next_turn

__all__ = ["Errand", "Errands"]

_TRIM_S = 1.0
#: Seconds for which one turn of the event loop begins errands: thousands may be asked for at once.
_BEGIN_S = 0.005


class Errand:
    """One of them."""

    __slots__ = ("_ended", "_greenlet", "_work")

    def __init__(self, work: Callable[[], object], ended: Callable[[], None]) -> None:
        #: None once it is over, or is not to begin any more.
        self._work: Callable[[], object] | None = work
        self._ended = ended
        self._greenlet: greenlet | None = None

    def __repr__(self) -> str:
        # Not the work, whose arguments may be what a user wrote: gevent prints whose error it was.
        return f"<Errand {'over' if self._work is None else 'under way'}>"

    def run(self) -> None:
        """Do it.  For the greenlet that does."""
        work = self._work
        if work is None:
            return
        self._greenlet = getcurrent()
        try:
            work()
        except GreenletExit:
            # Cut off, as was wanted.
            pass
        except BaseException:
            get_hub().handle_error(self, *sys.exc_info())
        finally:
            self._work = self._greenlet = None
            self._ended()

    def kill(self) -> None:
        """Cut it off where it waits, in the next turn of the event loop; one that has not begun never does.

        Safe in any greenlet, and when it is over.
        """
        if self._greenlet is not None:
            get_hub().loop.run_callback(self._cut_off)
        elif self._work is not None:
            self._work = None
            self._ended()

    def _cut_off(self) -> None:
        if self._greenlet is not None:
            self._greenlet.throw(GreenletExit())


class Errands:
    """Begins errands, and knows when all are over."""

    def __init__(self, *, trim_s: float = _TRIM_S) -> None:
        """*trim_s*: seconds between two looks at greenlets that were not needed."""
        self._trim_s = trim_s
        self._waiting: deque[Callable[[], None]] = deque()
        #: The hub will come to what waits.
        self._beginning = False
        self._under_way = 0
        self._idle = Event()
        self._idle.set()
        # The hub is not there before the first of them: this is made before a process forks, perhaps.
        self._handlers: Handlers | None = None
        #: None while there is no greenlet.
        self._trimming: Any = None

    def __repr__(self) -> str:
        return f"<Errands: {self._under_way} under way>"

    def start(self, work: Callable[[], object]) -> Errand:
        """Have *work* done, from the next turn of the event loop on."""
        errand = Errand(work, self._ended)
        if not self._under_way:
            self._idle.clear()
        self._under_way += 1
        self._waiting.append(errand.run)
        if not self._beginning:
            self._beginning = True
            get_hub().loop.run_callback(self._begin)
        return errand

    def join(self, timeout_s: float | None = None) -> bool:
        """Return whether all were over within *timeout_s*."""
        return bool(self._idle.wait(timeout_s))

    def _begin(self) -> None:
        """In the hub."""
        try:
            if self._handlers is None:
                self._handlers = Handlers(get_hub())
            self._handlers.run(self._waiting, time.monotonic() + _BEGIN_S)
        finally:
            # More than one turn can begin, or left by an exception: nobody else would come to them.
            self._beginning = bool(self._waiting)
            if self._beginning:
                in_next_turn(self._begin)
        if self._trimming is None:
            self._trimming = get_hub().loop.timer(self._trim_s, self._trim_s, ref=False)
            self._trimming.start(self._trim)

    def _trim(self) -> None:
        assert self._handlers is not None
        self._handlers.trim()
        # Not while some are under way, which park when they are over.
        if not self._under_way and not self._handlers:
            self._trimming.close()
            self._trimming = None

    def _ended(self) -> None:
        self._under_way -= 1
        if not self._under_way:
            self._idle.set()
