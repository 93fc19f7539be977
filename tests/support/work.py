"""A bound on the work of something, for tests of what must not cost a second reading of its input."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["bounded_work"]

#: Many times what the work inside takes, and far less than 40,000 characters that are read again for each mark in them.
PROCESSOR_S_MAX = 1.0


@contextmanager
def bounded_work() -> Iterator[None]:
    """Fail if what is done inside takes more than :data:`PROCESSOR_S_MAX`.

    Of this thread's processor time: what else the machine does meanwhile says nothing about the code.
    """
    began = time.thread_time()
    yield
    assert time.thread_time() - began < PROCESSOR_S_MAX
