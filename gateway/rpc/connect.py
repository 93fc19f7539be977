"""Opening a connection: name, TCP, TLS or unix socket, all inside one bound.

Rules:

1. Connections go over the addresses of a name in turn, from a drawn start; one that failed comes last for a while.
2. The bound is shared out over the addresses that are left, so that a silent first one cannot use up the time of a
   second that works; but no share is smaller than a third of the rest, or a name with many would leave none of them the
   time for a handshake over an ocean.
3. A guarded connector connects to public addresses only, and judges the very address that it connects to.
4. ``generation`` rises when an address is gone; a connection made before asks ``is_current`` and is retired, or not.

Redirects and proxies are deliberately absent, and so are attempts at two addresses at once (RFC 8305): a pool opens
its connections beside each other anyway.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Callable
from typing import Any

import gevent.socket
from gevent import monkey

from gateway.rpc.address import Address
from gateway.rpc.clock import Clock
from gateway.rpc.errors import CallTimeout, ConnectFailed
from gateway.rpc.guard import is_public
from gateway.rpc.resolve import Addresses, IpAddress, Resolver
from gateway.rpc.timeouts import Budget
from gateway.rpc.tls import Resumption, TlsContext, TlsWire
from gateway.rpc.watch import Watch
from gateway.rpc.watched import SocketAddress
from gateway.rpc.wire import PlainWire, Wire

__all__ = ["Connector"]

#: Into how many parts the rest of the bound is shared out at most.
SHARES_MAX = 3
#: Seconds for which an address that failed comes last.
AVOIDED_S = 10.0

_raw_socket: type[socket.socket] = monkey.get_original("socket", "socket")

#: Nothing of the endpoint's: no descriptor, no buffer, no port left here.
_LOCAL = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})
_IN_PROGRESS = frozenset({errno.EWOULDBLOCK, errno.EINPROGRESS, errno.EALREADY})


class Connector:
    """Connects to one endpoint."""

    __slots__ = ("_address", "_addresses", "_avoided_until", "_clock", "_public_only", "_resolver", "_resumption",
                 "_tls", "_turn", "_watch", "generation")  # fmt: skip

    def __init__(
        self,
        address: Address,
        resolver: Resolver,
        *,
        tls: TlsContext,
        watch: Watch,
        clock: Clock,
        guarded: bool,
        private_allowed: bool,
        draw: Callable[[], float],
    ) -> None:
        self._address = address
        self._resolver = resolver
        self._tls = tls
        self._watch = watch
        self._clock = clock
        self._public_only = guarded and not private_allowed
        # Drawn, so that a thousand processes do not all begin with the same address.
        self._turn = int(draw() * 1_000_000)
        self._addresses: Addresses | None = None
        self._avoided_until: dict[str, float] = {}
        self._resumption = Resumption()
        #: How often addresses were found to be gone.  To be read before ``connect`` and kept with the connection.
        self.generation = 0

    def connect(self, budget: Budget) -> Wire:
        """Return a connected wire.

        :raises ConnectFailed: there is none, or not within ``connect_timeout_s``.
        :raises CallTimeout: the caller's deadline came first.
        """
        # First, and outside of the bound: it may fail, and takes a while once in a process's life.
        context = self._tls.get() if self._address.scheme == "https" else None
        ends_at = budget.clock() + budget.timeouts.connect_s
        try:
            if self._address.socket_path:
                return self._connect_unix(_left_s(budget, ends_at))
            return self._connect_any(context, budget, ends_at)
        except TimeoutError:
            raise _too_late(budget, "", reason="connect_timeout") from None

    def is_current(self, connected_address: SocketAddress) -> bool:
        """Return whether the name still stands for the address that a connection leads to."""
        return self._addresses is None or connected_address[0] in self._addresses.current

    def touch(self) -> None:
        """See whether addresses are gone, and have the name looked up again if that is due.  Never waits.

        To be called now and then while connections are in use: who needs no new one does not ask for addresses.
        """
        addresses = self._resolver.known(self._address.host)
        if addresses is not None:
            self._adopt(addresses)

    def _connect_unix(self, wait_s: float) -> Wire:
        if self._public_only:
            raise _not_allowed()
        path = self._address.socket_path
        return self._plain(_open(socket.AF_UNIX, path, wait_s), path)

    def _connect_any(self, context: Any, budget: Budget, ends_at: float) -> Wire:
        tries = self._in_order(self._look_up(budget, ends_at))
        for left, ip in zip(range(len(tries), 0, -1), tries, strict=True):
            wait_s = _left_s(budget, ends_at) / min(left, SHARES_MAX)
            try:
                return self._connect_one(ip, context, budget.clock() + wait_s, wait_s)
            except (ConnectFailed, TimeoutError):
                self._avoided_until[ip.text] = self._clock() + AVOIDED_S
                if left == 1:
                    raise
        raise AssertionError("a name has at least one address, or its look-up failed")

    def _look_up(self, budget: Budget, ends_at: float) -> Addresses:
        try:
            addresses = self._resolver.resolve(self._address.host, _left_s(budget, ends_at))
        except TimeoutError:
            raise _too_late(budget, "the host's name was not resolved: ", reason="dns_timeout") from None
        self._adopt(addresses)
        return addresses

    def _adopt(self, addresses: Addresses) -> None:
        before, self._addresses = self._addresses, addresses
        if before is None or before is addresses or before.current <= addresses.current:
            return
        self.generation += 1
        for gone in before.current - addresses.current:
            self._avoided_until.pop(gone, None)

    def _in_order(self, addresses: Addresses) -> list[IpAddress]:
        """Return the addresses to try, first the one whose turn it is."""
        found = addresses.latest
        # All of them: no honest host on the internet has a private address among its public ones.
        if self._public_only and not all(is_public(ip.text) for ip in found):
            raise _not_allowed()
        begin, now, avoided = self._turn % len(found), self._clock(), self._avoided_until
        self._turn += 1
        return sorted(found[begin:] + found[:begin], key=lambda ip: avoided.get(ip.text, now) > now)

    def _connect_one(self, ip: IpAddress, context: Any, until: float, wait_s: float) -> Wire:
        address = ip.at(self._address.port)
        connected = _open(ip.family, address, wait_s)
        if context is None:
            return self._plain(connected, address)
        wire = self._secured(connected, address, context)
        try:
            wire.handshake(until)
        except BaseException as error:
            wire.close()
            if isinstance(error, OSError) and not isinstance(error, TimeoutError):
                raise ConnectFailed(f"TLS failed: {_tls_reason(error)}", reason="tls") from None
            raise
        return wire

    def _plain(self, connected: socket.socket, address: SocketAddress) -> PlainWire:
        try:
            return PlainWire(connected, address, self._watch, self._clock)
        except BaseException:
            connected.close()
            raise

    def _secured(self, connected: socket.socket, address: SocketAddress, context: Any) -> TlsWire:
        try:
            return TlsWire(
                connected,
                address,
                self._watch,
                self._clock,
                context=context,
                host=self._address.host,
                resumption=self._resumption,
            )
        except BaseException as error:
            connected.close()
            if isinstance(error, ValueError):
                raise ConnectFailed("the host's name cannot be one in a certificate", reason="tls") from None
            raise


def _open(family: int, address: SocketAddress, wait_s: float) -> socket.socket:
    """Return a connected, non-blocking, unpatched socket."""
    try:
        connecting = _raw_socket(family, socket.SOCK_STREAM)
    except OSError as error:
        # No descriptor is left, or this machine does not speak IPv6: another address may do.
        raise _failed(error.errno) from None
    try:
        connecting.setblocking(False)
        if family != socket.AF_UNIX:
            # A request is one write: waiting for more before it leaves would only delay it (Nagle).
            connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = connecting.connect_ex(address)
        # A unix socket whose backlog is full says EAGAIN too, but then nothing is under way: connect(2).
        if code in _IN_PROGRESS and family != socket.AF_UNIX:
            gevent.socket.wait_write(connecting.fileno(), wait_s, TimeoutError)
            code = connecting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise _failed(code)
    except BaseException as error:
        connecting.close()
        if isinstance(error, OSError) and not isinstance(error, TimeoutError):
            raise _failed(error.errno) from None  # a path that is too long
        raise
    return connecting


def _left_s(budget: Budget, ends_at: float) -> float:
    try:
        return budget.wait_s("connect", ends_at, "never")
    except CallTimeout as error:
        if error.by_deadline:
            raise
        raise TimeoutError from None


def _too_late(budget: Budget, what: str, *, reason: str) -> CallTimeout | ConnectFailed:
    error = budget.timed_out("connect", "never")
    return error if error.by_deadline else ConnectFailed(f"{what}{error}", reason=reason)


def _not_allowed() -> ConnectFailed:
    return ConnectFailed(
        "expected a public address behind a URL out of a payload, got a private or special one"
        " (rpc.private_addresses_allowed)",
        reason="address_not_allowed",
    )


def _failed(code: int | None) -> ConnectFailed:
    code = code or errno.EINVAL
    reason = "refused" if code in (errno.ECONNREFUSED, errno.ENOENT) else "local" if code in _LOCAL else "unreachable"
    return ConnectFailed(f"no connection: {os.strerror(code)}", reason=reason)


def _tls_reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return getattr(error, "reason", "") or type(error).__name__
