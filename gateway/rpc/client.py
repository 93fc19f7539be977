"""The client: services by what they are, and two ways to call one.

``call`` returns the whole answer, ``stream`` passes it on as it arrives.  Both raise the errors of
:mod:`gateway.rpc.errors` and nothing else of their own.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence

import gevent

from gateway import telemetry
from gateway.domain.deadline import Deadline
from gateway.domain.errors import SwitchboardError
from gateway.domain.resilience.health import Event, HealthView
from gateway.rpc.backend import Backend
from gateway.rpc.breaker import OnCircuit
from gateway.rpc.build import Builder
from gateway.rpc.call import Call, CallResult, Service
from gateway.rpc.clock import Clock
from gateway.rpc.errors import CallRefused
from gateway.rpc.member import Member
from gateway.rpc.pool import stopped
from gateway.rpc.stream import StreamedResponse
from gateway.rpc.timeouts import Timeouts
from gateway.settings.rpc import RpcSettings

__all__ = ["RpcClient"]


class RpcClient:
    """Calls services.  One a process; belongs to one thread, any number of greenlets.

    *on_circuit* hears of every change of a circuit; it must not wait.
    """

    def __init__(
        self,
        settings: RpcSettings,
        *,
        clock: Clock = time.monotonic,
        draw: Callable[[], float] = random.random,
        on_circuit: OnCircuit | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._backends: dict[Service, Backend] = {}
        self._builder = Builder(settings, clock=clock, draw=draw, on_circuit=on_circuit, on_open=self._start_sweeper)
        self._orders: dict[str, Event] = {}
        self._sweeper: gevent.Greenlet[[], None] | None = None
        self._stopped = False
        #: What a call's ``timeouts`` are when it says nothing.
        self.timeouts = Timeouts.of(settings)

    def __repr__(self) -> str:
        return f"<RpcClient {list(self._backends.values())}>"

    def call(self, call: Call) -> CallResult:
        """Return the whole answer."""
        backend = self._backends.get(call.service)
        try:
            if backend is None:
                backend = self._remember(call.service)
            budget = backend.enter(call)
        except SwitchboardError as error:
            telemetry.event("rpc.refused", endpoint=call.service.name, reason=error.reason)
            raise
        try:
            return backend.call(call, budget)
        finally:
            backend.calls -= 1

    def stream(self, call: Call) -> StreamedResponse:
        """Return a context manager that makes the call and passes its answer on as it arrives."""
        return StreamedResponse(self._backend, call)

    def breakers(self) -> dict[str, HealthView]:
        """Return the health of every endpoint that is remembered, by its label."""
        return {member.label: member.breaker.view() for member in self._members()}

    def command(self, label: str, event: Event) -> None:
        """Force, observe or reset the circuit of the endpoint *label*, known or not yet."""
        if event is Event.RESET:
            self._orders.pop(label, None)
        else:
            self._orders[label] = event
        for member in self._labelled(label):
            member.breaker.command(event)

    def suspect(self, label: str) -> None:
        """Take a hint: another process sees the endpoint *label* sick."""
        for member in self._labelled(label):
            member.breaker.suspect()

    def peer_recovered(self, label: str) -> None:
        """Take a hint: another process sees the endpoint *label* well again."""
        for member in self._labelled(label):
            member.breaker.peer_recovered()

    def stop(self, deadline: Deadline) -> None:
        """Refuse new calls, let those under way end until *deadline*, then end them.  Safe to call twice."""
        self._stopped = True
        backends = list(self._backends.values())
        for backend in backends:
            backend.stop()
        self._await_end(backends, deadline.expires_at)
        for backend in backends:
            backend.abort()
        self._await_end(backends, self._clock() + ABORTED_WITHIN_S)
        self._builder.stop()
        sweeper, self._sweeper = self._sweeper, None
        if sweeper is not None:
            sweeper.kill(block=False)

    def _await_end(self, backends: Sequence[Backend], until: float) -> None:
        while any(backend.is_busy for backend in backends):
            left_s = until - self._clock()
            if left_s <= 0:
                return
            gevent.sleep(min(left_s, DRAIN_POLL_S))

    def _backend(self, service: Service) -> Backend:
        return self._backends.get(service) or self._remember(service)

    def _remember(self, service: Service) -> Backend:
        if self._stopped:
            raise stopped()
        backend = self._builder.backend(service)
        self._make_room()
        for member in backend.members:
            order = self._orders.get(member.label)
            if order is not None:
                member.breaker.command(order)
        self._backends[service] = backend
        backend.start()
        return backend

    def _make_room(self) -> None:
        if len(self._backends) < self._settings.services_max:
            return
        idle = [backend for backend in self._backends.values() if not backend.calls]
        if not idle:
            raise CallRefused(
                f"{self._settings.services_max} services are in use (rpc.services_max)",
                reason="services_full",
                retry_after_s=1.0,
            )
        forgotten = min(idle, key=lambda backend: backend.called_at)
        forgotten.stop()
        del self._backends[forgotten.service]

    def _members(self) -> Iterator[Member]:
        for backend in self._backends.values():
            yield from backend.members

    def _labelled(self, label: str) -> list[Member]:
        return [member for member in self._members() if member.label == label]

    def _start_sweeper(self) -> None:
        if self._sweeper is None and not self._stopped:
            self._sweeper = gevent.spawn(self._sweep)

    def _sweep(self) -> None:
        # Lives only while there are connections: an idle process has no timer running for this.
        try:
            while sum([member.pool.sweep() for member in self._members()]):
                gevent.sleep(SWEEP_PERIOD_S)
        finally:
            self._sweeper = None


#: Seconds between two looks at idle connections.
SWEEP_PERIOD_S = 0.5
#: Seconds that aborted calls get to notice and to close what they hold.
ABORTED_WITHIN_S = 0.2
#: Seconds between two looks at calls under way, while stopping.
DRAIN_POLL_S = 0.02
