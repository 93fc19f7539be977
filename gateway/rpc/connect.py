"""Opening a connection: name, TCP, TLS or unix socket, all inside one bound.

The bound is shared out over the addresses that are left, so that a silent first address cannot use up the
time of a second that works.  TLS always verifies the certificate and the host's name.  Redirects, proxies and
TLS older than 1.2 are deliberately absent.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from typing import Any

import gevent.socket
import gevent.ssl
from gevent import monkey

from gateway.rpc.address import Address
from gateway.rpc.clock import Clock
from gateway.rpc.errors import CallTimeout, ConnectFailed
from gateway.rpc.resolve import Resolve, SocketAddress, resolve_now
from gateway.rpc.timeouts import Budget
from gateway.rpc.tls import TlsWire
from gateway.rpc.watch import Watch
from gateway.rpc.wire import PlainWire, Wire

__all__ = ["Connector"]

_raw_socket: type[socket.socket] = monkey.get_original("socket", "socket")

_IN_PROGRESS = frozenset({errno.EWOULDBLOCK, errno.EINPROGRESS, errno.EALREADY})


class Connector:
    """Connects to one endpoint.  The TLS context, slow to make, is made once and at the first need."""

    __slots__ = ("_address", "_ca_file", "_clock", "_context", "_resolve", "_watch", "generation")

    def __init__(
        self, address: Address, *, tls_ca_file: str, watch: Watch, clock: Clock, resolve: Resolve = resolve_now
    ) -> None:
        self._address = address
        self._watch = watch
        self._clock = clock
        self.generation = 0
        self._resolve = resolve
        self._ca_file = tls_ca_file
        self._context: Any = None

    def is_current(self, address: SocketAddress) -> bool:
        """Whether *address* is still one of the host's."""
        return True

    def connect(self, budget: Budget) -> Wire:
        """Return a connected wire.

        :raises ConnectFailed: there is none, or not within ``connect_timeout_s``.
        :raises CallTimeout: the caller's deadline came first.
        """
        ends_at = budget.clock() + budget.timeouts.connect_s
        try:
            if self._address.socket_path:
                path = self._address.socket_path
                return self._plain(_open(socket.AF_UNIX, path, _left_s(budget, ends_at)), path)
            return self._connect_any(budget, ends_at)
        except TimeoutError:
            error = budget.timed_out("connect", "never")
            if error.by_deadline:
                raise error from None
            raise ConnectFailed(str(error), reason="connect_timeout") from None

    def _connect_any(self, budget: Budget, ends_at: float) -> Wire:
        addresses = self._resolve(self._address.host, self._address.port, _left_s(budget, ends_at))
        for left, (family, address) in zip(range(len(addresses), 0, -1), addresses, strict=True):
            share_ends_at = budget.clock() + _left_s(budget, ends_at) / left
            try:
                connected = _open(family, address, _left_s(budget, share_ends_at))
                if self._address.scheme == "http":
                    return self._plain(connected, address)
                return self._secure(connected, address, _left_s(budget, share_ends_at))
            except (ConnectFailed, TimeoutError):
                if left == 1:
                    raise
        raise ConnectFailed("the host's name has no address", reason="unknown_host")

    def _plain(self, connected: socket.socket, address: SocketAddress) -> Wire:
        return PlainWire(connected, address, self._watch, self._clock)

    def _secure(self, connected: socket.socket, address: SocketAddress, wait_s: float) -> Wire:
        # gevent's TLS wants gevent's socket.
        cooperative: Any = gevent.socket.socket(fileno=connected.detach())
        try:
            if self._context is None:
                self._context = self._make_context()
            # Ragged ends are errors: what ends with the stream could be cut off by anybody.  The handshake
            # comes second: inside the constructor, a kill would leave nobody to close the socket.
            cooperative = self._context.wrap_socket(
                cooperative,
                server_hostname=self._address.host,
                suppress_ragged_eofs=False,
                do_handshake_on_connect=False,
            )
            cooperative.settimeout(wait_s)
            cooperative.do_handshake()
        except BaseException as error:
            cooperative.close()
            if isinstance(error, OSError) and not isinstance(error, TimeoutError):
                raise ConnectFailed(f"TLS failed: {_tls_reason(error)}", reason="tls") from None
            raise
        return TlsWire(cooperative, address, self._clock)

    def _make_context(self) -> Any:
        # Not ``create_default_context``: in a process that is not patched it makes a context of blocking
        # sockets.
        context = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_default_certs()
        context.set_alpn_protocols(["http/1.1"])
        if self._ca_file:
            try:
                context.load_verify_locations(self._ca_file)
            except OSError:
                raise ConnectFailed("rpc.tls_ca_file cannot be read as PEM", reason="tls") from None
        return context


def _open(family: int, address: SocketAddress, wait_s: float) -> socket.socket:
    """Return a connected, non-blocking, unpatched socket."""
    connecting = _raw_socket(family, socket.SOCK_STREAM)
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
            raise ConnectFailed(f"no connection: {os.strerror(code)}", reason=_reason(code))
    except BaseException:
        connecting.close()
        raise
    return connecting


def _left_s(budget: Budget, ends_at: float) -> float:
    try:
        return budget.wait_s("connect", ends_at, "never")
    except CallTimeout as error:
        if error.by_deadline:
            raise
        raise TimeoutError from None


def _reason(code: int) -> str:
    return "refused" if code in (errno.ECONNREFUSED, errno.ENOENT) else "unreachable"


def _tls_reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return getattr(error, "reason", "") or type(error).__name__
