"""Builds what the client keeps of a service: a member for each endpoint, with all that belongs to it."""

from __future__ import annotations

from collections.abc import Callable

from gateway import telemetry
from gateway.rpc.address import Address, parse_base_url
from gateway.rpc.backend import Backend
from gateway.rpc.breaker import Breaker, OnCircuit
from gateway.rpc.call import Service, endpoint_label
from gateway.rpc.clock import Clock
from gateway.rpc.connect import Connector
from gateway.rpc.errors import InvalidCall
from gateway.rpc.member import Member
from gateway.rpc.opener import ConnectionOpener
from gateway.rpc.pool import Pool
from gateway.rpc.probe import Prober
from gateway.rpc.resolve import Resolver
from gateway.rpc.tls import TlsContext
from gateway.rpc.watch import Watch
from gateway.settings.rpc import RpcSettings

__all__ = ["Builder"]


class Builder:
    """What all services of one client share."""

    def __init__(
        self,
        settings: RpcSettings,
        *,
        clock: Clock,
        draw: Callable[[], float],
        on_circuit: OnCircuit | None,
        on_open: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._draw = draw
        self._on_circuit = on_circuit
        self._on_open = on_open
        self._watch = Watch(clock)
        self._tls = TlsContext(settings.tls_ca_file)
        self._resolver = Resolver(refresh_s=settings.dns_refresh_s, keep_s=settings.dns_keep_s, clock=clock)

    def backend(self, service: Service) -> Backend:
        """Return *service* at run time.

        :raises InvalidCall: it has no endpoint, the same one twice, or one whose base URL is none.
        """
        if not service.base_urls or len(set(service.base_urls)) < len(service.base_urls):
            raise InvalidCall(f"expected one or more base URLs of {service.name}, each once")
        members, probers = [], []
        for base_url in service.base_urls:
            address = parse_base_url(base_url)
            label = endpoint_label(service.name, base_url, among=len(service.base_urls))
            opener = self._opener(service, label, address)
            member = self._member(service, label, address, opener)
            members.append(member)
            if service.policy.probe_path:
                prober = Prober(member, service, opener, self._settings, clock=self._clock, draw=self._draw)
                probers.append(prober)
        return Backend(service, self._settings, members, probers, clock=self._clock, draw=self._draw)

    def stop(self) -> None:
        """End look-ups that are under way.  Safe to call twice."""
        self._resolver.stop()

    def _opener(self, service: Service, label: str, address: Address) -> ConnectionOpener:
        settings = self._settings
        connector = Connector(
            address,
            self._resolver,
            tls=self._tls,
            watch=self._watch,
            clock=self._clock,
            guarded=service.policy.guarded,
            private_allowed=settings.private_addresses_allowed,
            draw=self._draw,
        )
        return ConnectionOpener(
            label, settings, connector, clock=self._clock, draw=self._draw, on_open=self._on_open
        )

    def _member(self, service: Service, label: str, address: Address, opener: ConnectionOpener) -> Member:
        settings, policy = self._settings, service.policy

        def tell_close(reason: str) -> None:
            telemetry.event("rpc.disconnected", endpoint=label, reason=reason)

        return Member(
            label,
            address,
            settings,
            slots_max=policy.connections_max or settings.connections_max,
            slow_s=policy.slow_s or settings.breaker_slow_s,
            pool=Pool(settings, opener, clock=self._clock, on_close=tell_close),
            breaker=Breaker(label, settings, clock=self._clock, draw=self._draw, on_circuit=self._on_circuit),
            pushback_counts=not policy.quotas,
            is_compared=len(service.base_urls) > 1,
        )
