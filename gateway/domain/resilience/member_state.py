"""What the balancer asks of a member, answered by its health and its gate."""

from __future__ import annotations

from gateway.domain.resilience.gate import Gate
from gateway.domain.resilience.health import Health
from gateway.domain.resilience.latency import Latency
from gateway.domain.resilience.priority import Priority

__all__ = ["MemberState"]


class MemberState:
    """A :class:`gateway.domain.resilience.balance.Candidate`, whoever makes the calls."""

    __slots__ = ("gate", "health", "latency")

    def __init__(self, health: Health, gate: Gate) -> None:
        self.health = health
        self.gate = gate
        self.latency = Latency()

    @property
    def ready(self) -> bool:
        """Whether its circuit lets everybody through."""
        return self.health.open_to_all

    @property
    def room(self) -> bool:
        """Whether a call would get a slot without waiting."""
        return self.gate.has_room(Priority.NORMAL)

    @property
    def in_flight(self) -> int:
        """Calls under way and waiting."""
        return self.gate.in_flight + self.gate.waiting

    @property
    def since(self) -> float:
        """When it last came back."""
        return self.health.closed_at

    @property
    def tripped_by_rate(self) -> bool:
        """Whether failures or slowness of calls shut it out."""
        return self.health.tripped_by_rate

    def due_for_s(self, now: float) -> float:
        """Return for how long calls might have been its probe; -1 if one would be none now."""
        return self.health.due_for_s(now)

    def shut_for_s(self, now: float) -> float:
        """Return for how long its circuit has been open by itself; -1 if it is not."""
        return self.health.shut_for_s(now)
