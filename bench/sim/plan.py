"""The numbers of a simulation: how large the world is, and the rules that its gateways follow."""

from __future__ import annotations

import msgspec

from gateway.domain.resilience.balance import BalanceRules
from gateway.domain.resilience.gate import GateRules
from gateway.domain.resilience.health import HealthRules
from gateway.domain.resilience.limiter import LimitRules
from gateway.domain.resilience.retry import RetryRules

__all__ = ["Rules", "Size"]


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What every gateway follows: the defaults of ``RpcSettings``, but for what a comment gives a reason for."""

    health: HealthRules = HealthRules()
    balance: BalanceRules = BalanceRules()
    gate: GateRules = GateRules()
    retry: RetryRules = RetryRules()
    limit: LimitRules = LimitRules()
    #: Of the retry budget: for each call, and for each second.
    retry_ratio: float = 0.2
    retry_per_s: float = 10.0
    #: A call's deadline, and one attempt's: calls here take half a second, a tenth of what the defaults expect.
    deadline_s: float = 4.0
    attempt_s: float = 2.0
    slow_s: float = 1.5
    #: In the waiting line.
    wait_s: float = 0.5
    #: That a timeout must have waited to count against the endpoint.
    patience_s: float = 1.0


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How large the world is."""

    gateways: int = 1_000
    endpoints: int = 100
    #: Endpoints that each gateway knows, and each of an endpoint's gateways another set of them.
    members: int = 4
    #: Calls that an endpoint works on at once, and the mean time of one.
    workers: int = 120
    service_s: float = 0.5
    #: Above this wait in an endpoint's queue it answers 503: as long as a whole call may take.
    queue_s: float = 4.0
    seed: int = 1

    @property
    def capacity_per_s(self) -> float:
        """Calls a second that all endpoints together can do."""
        return self.endpoints * self.workers / self.service_s
