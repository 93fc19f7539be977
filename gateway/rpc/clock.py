"""What the client takes for time."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Clock"]

#: Monotonic seconds.
Clock = Callable[[], float]
