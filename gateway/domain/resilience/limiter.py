"""How many calls an endpoint copes with at once, learned from what its calls cost."""

from __future__ import annotations

import msgspec

__all__ = ["ConcurrencyLimit", "LimitRules"]


class LimitRules(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers that decide, with the defaults of ``RpcSettings``."""

    floor: int = 4
    ceiling: int = 1_024
    #: How many times the unloaded round trip may be reached before the limit falls.
    tolerance: float = 2.0


class ConcurrencyLimit:
    """The limit of one endpoint; it begins at the ceiling."""

    __slots__ = ("_rules", "limit")

    def __init__(self, rules: LimitRules) -> None:
        self._rules = rules
        #: Calls that may be under way at once.
        self.limit = rules.ceiling

    def __repr__(self) -> str:
        return f"<ConcurrencyLimit {self.limit} of {self._rules.ceiling}>"

    def sample(self, now: float, rtt_s: float, in_flight: int) -> None:
        """Take the time to first byte of a call that went well; *in_flight* counts it too."""

    def drop(self, now: float, waited_s: float, in_flight: int) -> None:
        """Take a call that the endpoint could not cope with, a timeout, 429 or 503, and how long that took."""
