"""Which greenlets ran."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import gevent
from greenlet import getcurrent, greenlet, settrace

__all__ = ["switched_to"]


@contextlib.contextmanager
def switched_to() -> Iterator[set[tuple[type, int]]]:
    """Give the types and ids of all that are switched to meanwhile, but the caller's and the hub.

    Not themselves: one of which a reference is kept is not used again.  An id is another's after a greenlet's end, the
    type that ``gevent.spawn`` makes is nobody else's.  So one that is let go, into which its end is thrown, counts as
    another one: the next may have its id.
    """
    seen: set[tuple[type, int]] = set()
    known = {id(getcurrent()), id(gevent.get_hub())}

    def note(how: str, between: tuple[greenlet, greenlet]) -> None:
        if id(between[1]) not in known:
            seen.add((type(between[1]), id(between[1]) if how == "switch" else -id(between[1])))

    before = settrace(note)
    try:
        yield seen
    finally:
        settrace(before)
