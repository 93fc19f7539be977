"""One service at run time, and THE SPINE of this folder: the way of a call through its attempts.

    enter (bulkhead) > write > choose a member (balance) > exchange to the head of an answer > again? > read > leave

Branching about a call as a whole lives here; what happens at one endpoint is :mod:`gateway.rpc.exchange`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from gateway import telemetry
from gateway.domain.errors import CallFailed
from gateway.domain.resilience.balance import Balancer, BalanceRules, Kind
from gateway.domain.resilience.budget import RetryBudget
from gateway.domain.resilience.retry import RetryRules
from gateway.rpc.call import Call, CallResult, Service, find_header
from gateway.rpc.clock import Clock
from gateway.rpc.errors import CallRefused, InvalidCall
from gateway.rpc.exchange import Exchange
from gateway.rpc.hedge import Hedger
from gateway.rpc.member import Member
from gateway.rpc.probe import Prober
from gateway.rpc.redirect import next_target
from gateway.rpc.retries import Retries, Tries
from gateway.rpc.timeouts import Budget, Timeouts
from gateway.settings.rpc import RpcSettings

__all__ = ["Backend"]


class Backend:
    """What the client keeps of one service."""

    def __init__(
        self,
        service: Service,
        settings: RpcSettings,
        members: Sequence[Member],
        probers: Sequence[Prober] = (),
        *,
        clock: Clock,
        draw: Callable[[], float],
    ) -> None:
        self.service = service
        self.members = members
        self._probers = probers
        #: Calls under way, those that pause or wait included.
        self.calls = 0
        #: When it was called last, in monotonic seconds.
        self.called_at = 0.0
        self._settings = settings
        self._timeouts = Timeouts.of(settings)
        self._clock = clock
        self._retry_budget = RetryBudget(
            settings.retry_ratio, settings.retry_per_s, hedge_ratio=settings.hedge_ratio
        )
        rules = RetryRules(
            retries_max=settings.retries_max,
            base_s=settings.retry_base_s,
            max_s=settings.retry_max_s,
            retry_after_max_s=settings.retry_after_max_s,
        )
        self._retries = Retries(service.name, rules, self._retry_budget, draw=draw)
        self._balancer = Balancer(members, BalanceRules(slow_start_s=settings.slow_start_s), draw)
        self._hedger = (
            Hedger(service.name, self._retry_budget, clock=clock, crowded=self._is_crowded)
            if service.policy.hedge
            else None
        )
        self._only = members[0] if len(members) == 1 else None

    def __repr__(self) -> str:
        return f"<Backend {self.service.name}: {self.calls} calls, {list(self.members)}>"

    @property
    def is_busy(self) -> bool:
        """Whether a call is under way, or what is left of one."""
        return self.calls > 0 or any(member.in_flight or member.pool.busy for member in self.members)

    def enter(self, call: Call) -> Budget:
        """Begin *call*; its time runs.  Whoever began one takes one from ``calls`` exactly once.

        :raises CallRefused: ``rpc.calls_max`` are under way.
        :raises CallTimeout: its deadline has passed already.
        """
        if self.calls >= self._settings.calls_max:
            text = f"{self.calls} calls to {self.service.name} are under way (rpc.calls_max)"
            raise CallRefused(text, reason="calls_full", retry_after_s=1.0)
        budget = Budget(call.timeouts or self._timeouts, call.deadline, self._clock)
        if budget.ends_at <= budget.started_at:
            raise budget.timed_out("connect", "never")
        self.calls += 1
        self.called_at = budget.started_at
        self._retry_budget.deposit(budget.started_at)
        return budget

    def start(self) -> None:
        """Begin what goes on beside calls: active probes."""
        for prober in self._probers:
            prober.start()

    def stop(self) -> None:
        """Refuse from now on, those who wait included, and close what lies idle.  Safe to call twice."""
        for prober in self._probers:
            prober.stop()
        for member in self.members:
            member.stop()
        self._retries.stop()

    def abort(self) -> None:
        """Make every call that is under way fail now."""
        for member in self.members:
            member.pool.abort()

    def call(self, call: Call, budget: Budget) -> CallResult:
        """Return the whole answer."""
        tries = Tries()
        while True:
            exchange = self.open(call, budget, tries)
            reader = exchange.reader
            try:
                while not reader.done:
                    exchange.read()
                body = reader.take()
            except BaseException as error:
                exchange.fail(error)
                if isinstance(error, CallFailed) and self._again_after(error, call, budget, tries):
                    continue
                raise
            duration_s = exchange.finish()
            return CallResult(reader.status, reader.headers, body, duration_s, exchange.reused)

    def open(self, call: Call, budget: Budget, tries: Tries) -> Exchange:
        """Return an attempt whose answer's head has come, and is not going to be asked for again."""
        while True:
            tries.number += 1
            try:
                began_at = budget.started_at if tries.number == 1 else self._clock()
                if self._only is not None and self._hedger is None:
                    exchange = Exchange(self._only, call, budget, began_at)
                    exchange.open()
                else:
                    exchange = self._attempt(call, budget, tries, began_at)
            except (CallFailed, CallRefused) as error:
                if not self._again_after(error, call, budget, tries):
                    raise
                continue
            status = exchange.reader.status
            if status < 300:
                return exchange
            if status < 400 and call.redirects_max:
                target = self._redirected(exchange, call)
                if target is not None:
                    exchange.drop()
                    call = msgspec.structs.replace(call, path=target, redirects_max=call.redirects_max - 1)
                    tries.number -= 1  # the next one is no repetition
                    continue
            if status < 500 and status != 429:
                return exchange
            pause_s = self._retries.after_answer(exchange.reader, call, tries, budget, self._others_left(tries))
            if pause_s is None:
                return exchange
            exchange.drop()  # before the pause: its slot and its connection are others' meanwhile
            self._retries.pause(pause_s)

    def _attempt(self, call: Call, budget: Budget, tries: Tries, began_at: float) -> Exchange:
        if self._hedger is None or not call.idempotent:
            return self._attempt_somewhere(call, budget, tries, began_at)
        return self._hedger.race(
            lambda began_at: self._attempt_somewhere(call, budget, tries, began_at), began_at
        )

    def _attempt_somewhere(self, call: Call, budget: Budget, tries: Tries, began_at: float) -> Exchange:
        index, spared = (0, False) if self._only is not None else self._choose(began_at, call, tries)
        tries.tried |= 1 << index
        exchange = Exchange(self.members[index], call, budget, began_at, spared)
        exchange.open()
        return exchange

    def _redirected(self, exchange: Exchange, call: Call) -> str | None:
        reader = exchange.reader
        target = next_target(reader.status, find_header(reader.headers, "location"), call, exchange.member.address)
        if isinstance(target, str):
            return target
        telemetry.event("rpc.not_redirected", endpoint=exchange.member.label, reason=target.reason)
        return None

    def _is_crowded(self) -> bool:
        return any(member.gate.waiting for member in self.members)

    def _choose(self, now: float, call: Call, tries: Tries) -> tuple[int, bool]:
        # Who may be made again elsewhere can afford to be the one that finds out.
        choice = self._balancer.choose(now, tries.tried, call.idempotent)
        if choice is None:
            text = f"no endpoint of {self.service.name} is well (rpc.breaker_*; `switchboard breakers list`)"
            raise CallRefused(text, reason="no_endpoint", retry_after_s=1.0)
        if choice.kind is Kind.PANIC:
            telemetry.event("rpc.panicked", endpoint=self.members[choice.index].label)
            self.members[choice.index].breaker.cool("panic")
        return choice.index, choice.kind is Kind.SPARED

    def _again_after(self, error: CallFailed | CallRefused, call: Call, budget: Budget, tries: Tries) -> bool:
        if isinstance(error, CallRefused | InvalidCall):
            telemetry.event("rpc.refused", endpoint=self.service.name, reason=error.reason)
        pause_s = self._retries.after_error(error, call, tries, budget, self._others_left(tries))
        if pause_s is None:
            return False
        self._retries.pause(pause_s)
        return True

    def _others_left(self, tries: Tries) -> bool:
        return self._only is None and self._balancer.others_left(tries.tried)
