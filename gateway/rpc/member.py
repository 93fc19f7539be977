"""One endpoint at run time: its gate, its circuit, its connections, and how long it takes.

The gate comes first: whoever holds a slot may ask the circuit, then the pool.  A slot is the only thing that is waited
for, and whoever got one gives it back exactly once, by ``leave``; a kill or timeout in the line gives it back too.
"""

from __future__ import annotations

from gevent.event import Event

from gateway.domain.resilience.gate import Evicted, Full, Gate, GateRules
from gateway.domain.resilience.limiter import ConcurrencyLimit, LimitRules
from gateway.domain.resilience.member_state import MemberState
from gateway.domain.resilience.priority import Priority
from gateway.rpc.address import Address
from gateway.rpc.breaker import Breaker
from gateway.rpc.errors import CallRefused
from gateway.rpc.pool import Pool, stopped
from gateway.rpc.request import RequestWriter
from gateway.rpc.timeouts import Budget
from gateway.settings.rpc import RpcSettings

__all__ = ["Member"]

#: What a caller is told to wait when the gate refuses: a busy moment passes faster than a broken endpoint.
RETRY_AFTER_S = 1.0


class Waiter:
    """A call in the line."""

    __slots__ = ("evicted", "granted", "woken")

    def __init__(self) -> None:
        self.woken = Event()
        self.granted = False
        self.evicted = False


class Member(MemberState):
    """One of the copies of a service."""

    __slots__ = (
        "_settings", "_slots_max", "address", "body_bytes_max", "breaker", "is_compared", "label", "limit",
        "patience_s", "pool", "pushback_counts", "slow_s", "stopped", "writer",
    )  # fmt: skip

    def __init__(
        self,
        label: str,
        address: Address,
        settings: RpcSettings,
        *,
        slots_max: int,
        slow_s: float,
        pool: Pool,
        breaker: Breaker,
        is_compared: bool,
        pushback_counts: bool = True,
    ) -> None:
        self.label = label
        self.address = address
        self.writer = RequestWriter(address)
        self.slow_s = slow_s
        #: Whether a 429 says something about the endpoint, and not about one of its callers alone.
        self.pushback_counts = pushback_counts
        self.patience_s = settings.breaker_patience_s
        self.body_bytes_max = settings.body_bytes_max
        self.pool = pool
        self.breaker = breaker
        #: Whether it has siblings: else nobody asks how fast it is.
        self.is_compared = is_compared
        self.limit = ConcurrencyLimit(
            LimitRules(
                floor=min(settings.limit_floor, slots_max), ceiling=slots_max, tolerance=settings.limit_tolerance_ratio
            )
        )
        gate = Gate(GateRules(slots_max=slots_max, waiters_max=settings.waiters_max), self.limit)
        super().__init__(breaker.health, gate)
        self._settings = settings
        self._slots_max = slots_max
        #: Whether nobody is let in any more.
        self.stopped = False

    def __repr__(self) -> str:
        return f"<Member {self.label}: {self.gate!r} {self.breaker!r} {self.pool!r}>"

    def wait(self, budget: Budget, priority: Priority, tenant: str) -> None:
        """Wait for a slot, after ``gate.enter`` has said that there is none.

        :raises CallRefused: there is none in time, or none to wait for.
        """
        if self.stopped:
            raise stopped()
        # Half of what is left: who gets in with no time to be answered only takes the room of others.
        wait_s = min(budget.left_s() / 2, budget.timeouts.pool_wait_s)
        waiter = Waiter()
        match self.gate.wait(waiter, priority, tenant):
            case Full():
                why = f"{self._settings.waiters_max} calls that matter no less wait already (rpc.waiters_max)"
                raise self._refusal("pool_full", why)
            case Evicted(other):
                assert isinstance(other, Waiter)
                other.evicted = True
                other.woken.set()
            case None:
                pass
        try:
            waiter.woken.wait(wait_s)
        except BaseException:
            self._withdraw(waiter, tenant)
            raise
        if not waiter.granted:
            raise self._in_vain(waiter, wait_s)

    def leave(self, tenant: str) -> None:
        """Give the slot back; whoever waits gets it now."""
        self.wake(self.gate.leave(tenant))

    def wake(self, granted: object | None) -> None:
        """Tell who has been granted a slot, and give out what else is free."""
        while granted is not None:
            assert isinstance(granted, Waiter)
            granted.granted = True
            granted.woken.set()
            granted = self.gate.grant()

    def stop(self) -> None:
        """Refuse from now on, those who wait included, and close what lies idle.  Safe to call twice."""
        self.stopped = True
        self.pool.stop()
        for waiter in self.gate.dismiss():
            assert isinstance(waiter, Waiter)
            waiter.woken.set()

    def _withdraw(self, waiter: Waiter, tenant: str) -> None:
        # Killed between the grant and the wake-up: what was given goes on to the next.
        if not self.gate.withdraw(waiter) and waiter.granted:
            self.leave(tenant)

    def _in_vain(self, waiter: Waiter, waited_s: float) -> CallRefused:
        self.gate.withdraw(waiter)
        if self.stopped:
            return stopped()
        if waiter.evicted:
            return self._refusal("shed", f"{self._settings.waiters_max} wait who matter more (rpc.waiters_max)")
        why = f"none came free within {waited_s:.3g} s (rpc.pool_wait_s, or half of the time that was left)"
        return self._refusal("pool_wait", why)

    def _refusal(self, reason: str, why: str) -> CallRefused:
        limit = self.limit.limit
        bound = "rpc.connections_max" if limit >= self._slots_max else "the adaptive limit: it was too slow or refused"
        kept = "; the rest is kept for calls that matter more" if self.gate.in_flight < limit else ""
        text = f"{self.gate.in_flight} of {limit} calls to {self.label} are under way ({bound}{kept}), and {why}"
        return CallRefused(text, reason=reason, retry_after_s=RETRY_AFTER_S)
