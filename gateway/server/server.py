"""The server: listeners, all connections, what they share, and the end.

It knows nothing of gunicorn (``worker.py`` does), so that a test can run one in its own process:

    server = Server(application, ServerSettings(), trusted=TrustedPeers("127.0.0.1"))
    server.listen(sock)
    ...
    server.drain(deadline)
"""

from __future__ import annotations

import _socket
import errno
import socket
import sys
import time
from collections.abc import Callable, Iterable
from email.utils import formatdate
from ssl import SSLContext
from typing import Any, Protocol

import gevent
import msgspec
from gevent.event import Event

from gateway import telemetry
from gateway.server.connection import Connection, Socket
from gateway.server.forwarded import TrustedPeers
from gateway.server.handlers import Handlers
from gateway.server.held import HeldBody
from gateway.server.reader import Reader
from gateway.server.response import refusal
from gateway.server.tls import TlsSocket
from gateway.server.wheel import Wheel
from gateway.settings.server import ServerSettings

__all__ = ["Server"]

#: Seconds between two looks at the deadlines, which are kept with this precision.
_TICK_S = 0.25
#: Connections taken from a listener before others get their turn.
_ACCEPTS_MAX = 64
#: Seconds without accepting when the process has no descriptor left.
_NO_DESCRIPTOR_S = 0.2
#: Readers kept for the next requests.
_READERS_MAX = 256
#: Seconds that a connection without a request is left open while the process stops, so that a caller that is about to
#: use it learns from the answer that it ends (RFC 9112, section 9.6), not from a reset.
_LAME_DUCK_S = 1.0
_READ = 1
#: Reasons for which connections end every day; the others are told.
_EVERYDAY = frozenset({"left", "idle", "lingered", "reset", "ended", "age", "draining"})


class _Charged(Protocol):
    charged: int


class Server:
    """Serves one WSGI application on any number of listeners."""

    def __init__(
        self,
        application: Callable[..., Iterable[bytes]],
        limits: ServerSettings,
        *,
        trusted: TrustedPeers,
        tls: SSLContext | None = None,
        multiprocess: bool = False,
    ) -> None:
        self.application = application
        self.limits = limits
        self.trusted = trusted
        self.hub = gevent.get_hub()
        self.loop = self.hub.loop
        self.handlers = Handlers(self.hub)
        self.wheel: Wheel[Connection] = Wheel(_TICK_S)
        self.readers: list[Reader] = []
        self.connections: set[Connection] = set()
        self.in_flight = 0
        #: Requests answered so far.
        self.answered = 0
        #: Bytes of bodies that take more than one read, from their arrival to the end of their requests.
        self.buffered_bytes = 0
        self.draining = False
        self.date_line = b""
        self._tls = tls
        self._template: dict[str, Any] = {
            "SCRIPT_NAME": "",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https" if tls else "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": multiprocess,
            "wsgi.run_once": False,
            # The body is all here: nobody needs to ask for its length.
            "wsgi.input_terminated": True,
            "gateway.hold": HeldBody,
        }
        self._listeners: dict[_socket.socket, Any] = {}
        self._closed_one = Event()
        self._ticks = 0
        self.samples = limits.access_log_ratio > 0
        self._sampled = 0.0
        self._timer = self.loop.timer(_TICK_S, repeat=_TICK_S)
        self._timer.start(self._tick)
        self._tick()

    def __repr__(self) -> str:
        return f"<Server: {len(self.connections)} connections, {self.in_flight} in flight>"

    def listen(self, listener: _socket.socket) -> None:
        """Accept from *listener*, which is bound, listening and ours to close."""
        listener.setblocking(False)
        if listener.family in {socket.AF_INET, socket.AF_INET6}:
            # Inherited by what it accepts: an answer is one write, and is not to wait for a second one.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            host, port = listener.getsockname()[:2]
        else:
            # PEP 3333 wants both; a unix socket has neither.
            host, port = "localhost", 0
        self._template.update(SERVER_NAME=host, SERVER_PORT=str(port))
        watcher = self._listeners[listener] = self.loop.io(listener.fileno(), _READ)
        watcher.start(self._accept, listener)

    def drain(self, deadline: float) -> None:
        """Stop accepting, answer what has been asked, and return when all connections are closed or at *deadline*.

        Connections without a request are closed when they have lain idle for a moment more; held streams are the
        application's to end, and are ended here when it has not by then.  Safe twice.
        """
        self._stop_accepting()
        self.draining = True
        lame_until = min(deadline, time.monotonic() + _LAME_DUCK_S)
        self._wait_until(lambda: not self.connections, lame_until)
        for connection in list(self.connections):
            connection.finish()
        self._wait_until(lambda: not self.connections, deadline)

    def stop(self) -> None:
        """Close everything at once.  Safe twice, and without ``drain``."""
        self._stop_accepting()
        self.draining = True
        self._timer.close()
        for connection in list(self.connections):
            connection.close("stopped")

    # What connections need of one another.

    def new_reader(self) -> Reader:
        return Reader(self.limits, self._template)

    def keep_reader(self, reader: Reader) -> None:
        """Keep a reader that nobody uses for the next request, on whichever connection."""
        if not reader.spent and len(self.readers) < _READERS_MAX:
            self.readers.append(reader)

    def charge(self, reader: Reader) -> bool:
        """Count what *reader* holds of a body; False if that would be too much for the process."""
        more = reader.body_bytes - reader.charged
        if self.buffered_bytes + more > self.limits.buffered_bytes_max:
            return False
        self.buffered_bytes += more
        reader.charged += more
        return True

    def discharge(self, holder: _Charged) -> None:
        """What *holder* held is free again."""
        self.buffered_bytes -= holder.charged
        holder.charged = 0

    def sampled(self) -> bool:
        """Whether this request is one of ``access_log_ratio``."""
        self._sampled += self.limits.access_log_ratio
        if self._sampled < 1:
            return False
        self._sampled -= 1
        return True

    def closed(self, connection: Connection, reason: str) -> None:
        """Forget *connection*."""
        self.wheel.forget(connection)
        self.connections.discard(connection)
        self._closed_one.set()
        if reason not in _EVERYDAY:
            telemetry.event("connection.dropped", reason=reason)

    # In the hub.

    def _accept(self, listener: _socket.socket) -> None:
        for _ in range(_ACCEPTS_MAX):
            try:
                descriptor, address = listener._accept()  # type: ignore[attr-defined]
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}:
                    self._rest(listener, error)
                    return
                # ECONNABORTED and what a network reports through accept: that one caller's.
                continue
            sock = _socket.socket(listener.family, listener.type, listener.proto, descriptor)
            sock.setblocking(False)
            self._open(sock, address)

    def _open(self, sock: _socket.socket, address: object) -> None:
        if len(self.connections) >= self.limits.connections_max:
            self._turn_away(sock)
            return
        connected: Socket = sock if self._tls is None else TlsSocket(sock, self._tls)
        self.connections.add(Connection(self, connected, address))

    def _turn_away(self, sock: _socket.socket) -> None:
        telemetry.event("http.refused", reason="connections_max", outcome=503)
        if self._tls is None:
            message = f"the bound of {self.limits.connections_max} is reached (server.connections_max)"
            body = msgspec.json.encode({"error": "connections_max", "message": message})
            try:
                sock.send(refusal(503, body, self.date_line, retry_after_s=1, close=True))
                # A request that is here already would turn the end into a reset, and take the answer with it.
                sock.recv(65_536)
            except OSError:
                pass
        sock.close()

    def _rest(self, listener: _socket.socket, error: OSError) -> None:
        """Leave callers in the kernel's queue until there are descriptors again."""
        telemetry.event("server.exhausted", reason=errno.errorcode.get(error.errno or 0, "unknown"))
        watcher = self._listeners.get(listener)
        if watcher is None:
            return
        watcher.stop()
        timer = self.loop.timer(_NO_DESCRIPTOR_S)

        def again() -> None:
            timer.close()
            if listener in self._listeners:
                watcher.start(self._accept, listener)

        timer.start(again)

    def _tick(self) -> None:
        self._ticks += 1
        self.date_line = f"Date: {formatdate(time.time(), usegmt=True)}\r\n".encode()
        now = time.monotonic()
        for connection in self.wheel.expired(now):
            connection.due(now)
        if self._ticks % 4 == 0:
            self.handlers.trim()

    def _stop_accepting(self) -> None:
        listeners, self._listeners = self._listeners, {}
        for listener, watcher in listeners.items():
            watcher.close()
            # Those who wait in the kernel's queue have connected: closed unseen, they would get a reset.
            self._accept(listener)
            listener.close()

    def _wait_until(self, done: Callable[[], bool], deadline: float) -> None:
        while not done() and (left_s := deadline - time.monotonic()) > 0:
            self._closed_one.clear()
            self._closed_one.wait(left_s)
