"""How many examples a property has: all in `make test-all`, and a share of them in `make test`."""

from __future__ import annotations

from hypothesis import settings

__all__ = ["examples"]


def examples(count: int) -> int:
    """Return *count*, or of it the share that a property without a count of its own has of 100."""
    return max(1, count * settings.default.max_examples // 100)
