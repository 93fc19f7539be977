"""The client: endpoints by name, each with its pool and breaker, and two ways to call one.

``call`` returns the whole answer, ``stream`` passes it on as it arrives.  Both raise the errors of
:mod:`gateway.rpc.errors` and nothing else of their own.  Retries (but for a stale connection), hedges,
balancing and adaptive limits are deliberately absent: they will wrap :class:`~gateway.rpc.exchange.Exchange`,
inside these two methods.
"""

from __future__ import annotations

import random
import time
from collections import OrderedDict
from collections.abc import Callable

import gevent

from gateway import telemetry
from gateway.domain.deadline import Deadline
from gateway.domain.errors import SwitchboardError
from gateway.domain.resilience.health import Event, HealthView
from gateway.rpc.address import parse_base_url
from gateway.rpc.breaker import Breaker
from gateway.rpc.call import Call, CallResult, Endpoint
from gateway.rpc.connect import Connector
from gateway.rpc.connection import Connection
from gateway.rpc.errors import CallRefused
from gateway.rpc.exchange import Backend, Exchange
from gateway.rpc.pool import Pool
from gateway.rpc.request import RequestWriter
from gateway.rpc.stream import StreamedResponse
from gateway.rpc.timeouts import Budget, Clock, Timeouts
from gateway.settings.rpc import RpcSettings

__all__ = ["RpcClient"]


class RpcClient:
    """Calls endpoints.  One a process; belongs to one thread, any number of greenlets."""

    def __init__(
        self,
        settings: RpcSettings,
        *,
        clock: Clock = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._draw = draw
        self._backends: OrderedDict[Endpoint, Backend] = OrderedDict()  # least recently used first
        self._sweeper: gevent.Greenlet[[], None] | None = None
        self._stopped = False
        #: What a call's ``timeouts`` are when it says nothing.
        self.timeouts = Timeouts.of(settings)

    def __repr__(self) -> str:
        return f"<RpcClient {[backend.pool for backend in self._backends.values()]}>"

    def call(self, call: Call) -> CallResult:
        """Return the whole answer."""
        exchange = self._begin(call)
        try:
            reader = exchange.reader
            while not reader.done:
                exchange.read()
            body = reader.take()
        except BaseException as error:
            exchange.fail(error)
            raise
        duration_s = exchange.finish()
        return CallResult(reader.status, reader.headers, body, duration_s, exchange.reused)

    def stream(self, call: Call) -> StreamedResponse:
        """Return a context manager that makes the call and passes its answer on as it arrives."""
        return StreamedResponse(lambda: self._begin(call))

    def breakers(self) -> dict[Endpoint, HealthView]:
        """Return the health of every endpoint that is remembered."""
        return {endpoint: backend.breaker.view() for endpoint, backend in self._backends.items()}

    def command(self, endpoint: Endpoint, event: Event) -> None:
        """Force, observe or reset the circuit of *endpoint*."""
        self._backend(endpoint).breaker.command(event)

    def stop(self, deadline: Deadline) -> None:
        """Refuse new calls, let those under way end until *deadline*, then end them.  Safe to call twice."""
        self._stopped = True
        for backend in self._backends.values():
            backend.pool.stop()
        while any(backend.pool.busy for backend in self._backends.values()):
            left_s = deadline.left_s(self._clock())
            if not left_s:
                break
            gevent.sleep(min(left_s, DRAIN_POLL_S))
        for backend in self._backends.values():
            backend.pool.abort()
        sweeper, self._sweeper = self._sweeper, None
        if sweeper is not None:
            sweeper.kill(block=False)

    def _begin(self, call: Call) -> Exchange:
        try:
            backend = self._backend(call.endpoint)
            request = backend.writer.write(call)
            exchange = Exchange(backend, Budget(call.timeouts or self.timeouts, call.deadline, self._clock))
        except SwitchboardError as error:
            telemetry.event("rpc.refused", endpoint=call.endpoint.name, reason=error.reason)
            raise
        try:
            exchange.open(call, request)
        except BaseException as error:
            exchange.fail(error)
            raise
        return exchange

    def _backend(self, endpoint: Endpoint) -> Backend:
        if self._stopped:
            raise CallRefused("the RPC client is stopped", reason="stopped", retry_after_s=1.0)
        backend = self._backends.get(endpoint)
        if backend is None:
            backend = self._remember(endpoint)
        self._backends.move_to_end(endpoint)
        return backend

    def _remember(self, endpoint: Endpoint) -> Backend:
        settings, name = self._settings, endpoint.name
        address = parse_base_url(endpoint.base_url)
        self._make_room()
        connector = Connector(address, tls_ca_file=settings.tls_ca_file)

        def open_connection(budget: Budget) -> Connection:
            began_at = self._clock()
            wire = connector.connect(budget)
            now = self._clock()
            telemetry.event("rpc.connected", endpoint=name, duration_s=now - began_at)
            # Drawn, so that connections made together do not all have to be made again together.
            age_s = settings.age_max_s * (1 - 0.1 * self._draw())
            return Connection(
                wire,
                header_bytes_max=settings.header_bytes_max,
                recv_bytes=settings.recv_bytes,
                expires_at=now + age_s,
            )

        def tell_close(reason: str) -> None:
            telemetry.event("rpc.disconnected", endpoint=name, reason=reason)

        backend = Backend(
            name,
            settings,
            writer=RequestWriter(address),
            pool=Pool(name, settings, open_connection, clock=self._clock, on_close=tell_close),
            breaker=Breaker(name, settings, clock=self._clock, draw=self._draw),
            on_idle=self._start_sweeper,
        )
        self._backends[endpoint] = backend
        return backend

    def _make_room(self) -> None:
        if len(self._backends) < self._settings.endpoints_max:
            return
        for endpoint, backend in self._backends.items():
            if not backend.pool.busy:
                backend.pool.stop()
                del self._backends[endpoint]
                return
        raise CallRefused(
            f"{self._settings.endpoints_max} endpoints are in use (rpc.endpoints_max)",
            reason="endpoints_full",
            retry_after_s=1.0,
        )

    def _start_sweeper(self) -> None:
        if self._sweeper is None and not self._stopped:
            self._sweeper = gevent.spawn(self._sweep)

    def _sweep(self) -> None:
        # Lives only while something lies idle: an idle process has no timer running for this.
        try:
            while sum(backend.pool.sweep() for backend in self._backends.values()):
                gevent.sleep(SWEEP_PERIOD_S)
        finally:
            self._sweeper = None


#: Seconds between two looks at idle connections.
SWEEP_PERIOD_S = 0.5
#: Seconds between two looks at calls under way, while stopping.
DRAIN_POLL_S = 0.02
