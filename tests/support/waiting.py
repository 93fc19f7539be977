"""Waiting for what happens in other processes: until it is so, or a generous guard fails the test."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import gevent

__all__ = ["GUARD_S", "until"]

#: Far more than anything here takes: these machines are shared.  What a test measures, it states itself.
GUARD_S = 30.0
_LOOK_S = 0.02

T = TypeVar("T")


def until(what: str, look: Callable[[], T], *, guard_s: float = GUARD_S) -> T:
    """Return what *look* returns as soon as that is true; fail with *what* did not happen."""
    deadline = time.monotonic() + guard_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {guard_s:g} s: {what}"
        gevent.sleep(_LOOK_S)
    return found
