"""Holding back: how long a server that said 429 wants to be left alone, and leaving it alone.

Pure: times are arguments.

The RPC client has waited already where the wait was short (``rpc.retry_after_max_s``).  What is left are waits that no
user should sit through: they are told at once, and the server is not asked only to be refused again.

OpenAI says when in ``retry-after``, or per limit in ``x-ratelimit-reset-*``:
https://platform.openai.com/docs/guides/rate-limits
"""

from __future__ import annotations

import re
from collections.abc import Callable

from gateway.domain.resilience.retry import parse_retry_after

__all__ = ["PushedBack", "wanted_s"]

#: Seconds for which a server is left alone that does not say for how long.
_UNSAID_S = 1.0
_SPAN = re.compile(
    r"(?:(?P<h>\d{1,6})h)?(?:(?P<m>\d{1,6})m)?(?:(?P<s>\d{1,9}(?:\.\d{1,9})?)s)?(?:(?P<ms>\d{1,9}(?:\.\d{1,9})?)ms)?"
)
_UNITS_S = {"h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


class PushedBack:
    """Until when one server is left alone."""

    def __init__(self) -> None:
        self._until = 0.0

    def left_s(self, now: float) -> float:
        """Return for how long it still is; 0 if it may be asked."""
        return max(0.0, self._until - now)

    def hold(self, now: float, for_s: float) -> None:
        """Leave it alone for so long; never shorter than was said before."""
        self._until = max(self._until, now + for_s)


def wanted_s(header: Callable[[str], str | None], *, unix_now: float) -> float:
    """Return for how many seconds the sender of a 429 wants to be left alone, by its headers."""
    said = header("retry-after")
    seconds = None if said is None else parse_retry_after(said, unix_now)
    if seconds is not None:
        return seconds
    resets = []
    for limit in ("requests", "tokens"):
        if (header(f"x-ratelimit-remaining-{limit}") or "").strip() == "0":
            span_s = _span_s(header(f"x-ratelimit-reset-{limit}") or "")
            resets += [] if span_s is None else [span_s]
    return max(resets, default=_UNSAID_S)


def _span_s(text: str) -> float | None:
    """Return the seconds of a span such as ``6m0s``, ``1.5s`` or ``120ms``."""
    found = _SPAN.fullmatch(text.strip())
    if found is None or not any(found.groups()):
        return None
    return sum(float(number) * _UNITS_S[unit] for unit, number in found.groupdict().items() if number)
