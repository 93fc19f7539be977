"""TLS over TCP: the certificate is always verified, and so is the host's name.

OpenSSL works in memory (``SSLContext.wrap_bio``) and the socket is the wire's own, so that a TLS wire waits as a plain
one does, patched or not: which ``SSLSocket`` a process has depends on who imported ``ssl`` before gevent patched it.
It also costs one system call for each answer where OpenSSL's own reading takes two for each record.

The last session of an endpoint is offered to its next connection, which spares both sides the certificates.  TLS older
than 1.2, renegotiation, early data (it can be replayed) and client certificates are deliberately absent.
"""

from __future__ import annotations

import contextlib
import ssl
from typing import Any

import gevent.ssl

from gateway.rpc.clock import Clock
from gateway.rpc.errors import ConnectFailed
from gateway.rpc.watch import Watch
from gateway.rpc.watched import SocketAddress, WatchedSocket

__all__ = ["Resumption", "TlsContext", "TlsWire"]

#: Bytes of a body that are encrypted before they are sent: a whole one would lie in memory twice.
_SLICE_BYTES = 262_144
#: Bytes asked of the socket during a handshake, and between two calls.
_RECV_BYTES = 16_384
#: How often an idle connection may have housekeeping (tickets, new keys) to read before it is given up.
_HOUSEKEEPING_MAX = 4


class TlsContext:
    """Whom a client trusts.  Slow to make, and so made once, at the first need."""

    __slots__ = ("_ca_file", "_context")

    def __init__(self, ca_file: str) -> None:
        self._ca_file = ca_file
        self._context: Any = None

    def get(self) -> Any:
        """Return the context, or raise :exc:`ConnectFailed`."""
        if self._context is None:
            self._context = self._make()
        return self._context

    def _make(self) -> Any:
        # gevent's, which works patched or not: once ``ssl`` is patched, setters of the original call themselves.
        context = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(["http/1.1"])
        if self._ca_file:
            try:
                context.load_verify_locations(self._ca_file)
            except OSError:
                raise ConnectFailed("rpc.tls_ca_file cannot be read as PEM", reason="tls_ca_file") from None
        context.load_default_certs()
        return context


class Resumption:
    """The last session of one endpoint: of one host's name, and of one context."""

    __slots__ = ("session",)

    def __init__(self) -> None:
        self.session: ssl.SSLSession | None = None


class TlsWire(WatchedSocket):
    """A TLS connection: ``handshake`` comes first."""

    __slots__ = ("_incoming", "_outgoing", "_resumption", "_served", "_tls", "written")

    def __init__(
        self,
        connected: Any,
        address: SocketAddress,
        watch: Watch,
        clock: Clock,
        *,
        context: Any,
        host: str,
        resumption: Resumption,
    ) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._resumption = resumption
        self._tls: ssl.SSLObject = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=host, session=resumption.session
        )
        self._served = False
        self.written = 0
        super().__init__(connected, address, watch, clock)

    @property
    def resumed(self) -> bool:
        """Whether the server took the session that was offered."""
        return bool(self._tls.session_reused)

    def handshake(self, until: float) -> None:
        """Agree on keys and verify the certificate.

        :raises TimeoutError: not finished at *until*.
        :raises OSError: the server's certificate or its TLS is not to be spoken to.
        """
        try:
            while not self._shake():
                self._flush(until)
                self._check(until)
                self.wait_readable(until)
                self._receive(_RECV_BYTES)
            self._flush(until)
        except ssl.SSLError:
            # A session that was the reason would be so again.
            self._resumption.session = None
            self._send_now()  # the alert, which tells the server's operator what we did not like
            raise

    def write(self, data: bytes, ends_at: float, idle_s: float) -> bool:
        """Write all of *data*; raise TimeoutError after *idle_s* of silence, and at *ends_at*.  It takes time."""
        self.written = 0
        if len(data) <= _SLICE_BYTES:
            self._tls.write(data)
            self._flush(ends_at, idle_s)
        else:
            rest = memoryview(data)
            for begin in range(0, len(data), _SLICE_BYTES):
                self._tls.write(rest[begin : begin + _SLICE_BYTES])
                self._flush(ends_at, idle_s)
        return True

    def read(self, size_bytes: int, until: float) -> bytes:
        """Return what has come, waiting for it until *until*; empty after the server's goodbye."""
        while True:
            if not self._incoming.pending and not self._tls.pending():
                self.wait_readable(until)
                self._receive(size_bytes)
            try:
                data = self._tls.read(size_bytes)
            except ssl.SSLWantReadError:
                data = None
                self._check(until)
            if self._outgoing.pending:
                self._flush(until)  # it asked for another handshake, which is declined
            if data is not None:
                if not self._served:
                    # Not sooner: the tickets of TLS 1.3 come behind the handshake.
                    self._served = True
                    self._resumption.session = self._tls.session
                return data

    def is_quiet(self) -> bool:
        """Whether nothing has come since the last read but TLS's own housekeeping, as far as the loop knows."""
        return not (self._readable or self._incoming.pending or self._tls.pending()) or self._keep_house()

    def is_alive(self) -> bool:
        """Whether nothing has come since the last read but TLS's own housekeeping: asks the kernel."""
        if self._waiting is not None:
            return super().is_alive()  # what has come is its reader's
        return self.is_quiet() and (super().is_alive() or self._keep_house())

    def close(self) -> None:
        """Say goodbye (RFC 8446, section 6.1) if that needs no wait, and give the socket back."""
        # "Want read", mostly: nobody waits for the server's goodbye.  Behind a record that was cut off the server takes
        # ours for the rest of it, and sees what is true.
        with contextlib.suppress(OSError):
            self._tls.unwrap()
        self._send_now()
        super().close()

    def _shake(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def _check(self, until: float) -> None:
        # Who trickles a record, or sends tickets without end, has always something to be read: no wait would be over.
        if self._clock() >= until:
            raise TimeoutError

    def _flush(self, ends_at: float, idle_s: float = float("inf")) -> None:
        data = self._outgoing.read()
        sent = self._send(data)
        while sent < len(data):
            self.wait_writable(ends_at, idle_s)
            sent += self._send(data[sent:])

    def _send(self, data: bytes) -> int:
        try:
            sent: int = self._socket.send(data)
        except BlockingIOError:
            return 0
        self.written += sent
        return sent

    def _send_now(self) -> None:
        with contextlib.suppress(OSError):
            self._send(self._outgoing.read())

    def _receive(self, size_bytes: int) -> None:
        try:
            data = self._socket.recv(size_bytes)
        except BlockingIOError:
            return  # the kernel may call a socket readable and find nothing: select(2), BUGS
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _keep_house(self) -> bool:
        """Read what came while nobody asked; return whether it was for TLS alone."""
        try:
            for _ in range(_HOUSEKEEPING_MAX):
                if not self._is_for_tls():
                    return False
                try:
                    data = self._socket.recv(_RECV_BYTES)
                except BlockingIOError:
                    break
                if not data:
                    return False
                self._incoming.write(data)
            else:
                return False
        except OSError:
            return False
        if self._readable:
            self._readable = False
            self._watcher.start(self._on_readable)
        self._resumption.session = self._tls.session
        return not self._outgoing.pending  # else it wants to be answered, and nobody is here

    def _is_for_tls(self) -> bool:
        try:
            self._tls.read(1)
        except ssl.SSLWantReadError:
            return True
        return False  # an answer that nobody asked for, or the server's goodbye
