"""The server: listeners, all connections, what they share, and the end.

It knows nothing of gunicorn (``worker.py`` does), so that a test can run one in its own process:

    server = Server(application, ServerSettings(), trusted=TrustedPeers("127.0.0.1"))
    server.listen(sock)
    ...
    server.drain(deadline)
"""

from __future__ import annotations

import _socket
import contextlib
import time
from collections.abc import Callable, Iterable
from email.utils import formatdate
from ssl import SSLContext
from typing import Any, Protocol

import gevent

from gateway import telemetry
from gateway.domain.http import Response
from gateway.greenlets.handlers import Handlers
from gateway.server.connection import LAME_DUCK_S, Connection
from gateway.server.forwarded import TrustedPeers
from gateway.server.listener import Listener
from gateway.server.phases import Phases, crashed
from gateway.server.reader import Reader
from gateway.server.readers import Readers
from gateway.server.refusals import overloaded, refusal_of
from gateway.server.tls import TlsSocket
from gateway.server.transport import Socket
from gateway.server.wheel import Wheel
from gateway.settings.server import ServerSettings

__all__ = ["Server"]

#: Seconds between two looks at the deadlines, which are kept with this precision.
_TICK_S = 0.25
#: Seconds between two looks at what a stopping process still owes.
_LOOK_S = 0.02
#: Reasons for which connections end every day; the others are told.
_EVERYDAY = frozenset({"left", "idle", "lingered", "reset", "ended", "age", "draining"})


#: Takes a request's own part of an environ.
Direct = Callable[[dict[str, Any]], Response | None]


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
        #: What answers a request without WSGI, or leaves it to WSGI.  The class is asked for it: what wraps an
        #: application, and passes its attributes on, must not be passed by.
        self.direct: Direct | None = (
            getattr(application, "direct", None) if hasattr(type(application), "direct") else None
        )
        self.limits = limits
        self.trusted = trusted
        self.hub = gevent.get_hub()
        self.loop = self.hub.loop
        self.handlers = Handlers(self.hub)
        self.phases = Phases(self.loop, self.handlers)
        self.readers = Readers(limits)
        self.wheel: Wheel[Connection] = Wheel(_TICK_S)
        self.connections: set[Connection] = set()
        self.in_flight = 0
        #: Requests answered so far.
        self.answered = 0
        #: Bytes of bodies that take more than one read, from their arrival to the end of their requests, and of whole
        #: answers that take more than one write, from the first to the last of them.
        self.buffered_bytes = 0
        #: Accepts nothing more, and tells callers with the answers (RFC 9112, section 9.6).
        self.draining = False
        self._stopped = False
        self.date_line = b""
        #: The wheel's tick at which a connection that lies idle from now on is looked at.
        self.idle_tick = 0
        self._tls = tls
        self._multiprocess = multiprocess
        self._listeners: list[Listener] = []
        self._ticks = 0
        #: What ``server.observed`` told last.
        self._told = (0, 0, 0, 0)
        self.samples = limits.access_log_ratio > 0
        self._sampled = 0.0
        self._timer = self.loop.timer(_TICK_S, repeat=_TICK_S)
        self._timer.start(self._tick)
        self._tick()

    def __repr__(self) -> str:
        return f"<Server: {len(self.connections)} connections, {self.in_flight} in flight>"

    def listen(self, sock: _socket.socket) -> None:
        """Accept from *sock*, which is bound, listening and ours to close."""
        scheme = "http" if self._tls is None else "https"
        self._listeners.append(Listener(self, sock, scheme=scheme, multiprocess=self._multiprocess))

    def drain(self, deadline: float) -> None:
        """Stop accepting, answer what has been asked, and return when nothing is owed any more or at *deadline*.

        1. Who has connected is accepted, also those whom only the kernel knows.
        2. A connection without a request stays open for a moment, so that a caller that is about to use it learns from
           the answer that it ends, not from a reset.
        3. Held streams are the application's to end; those that it has not ended by then are ended here.
        4. Requests that run or arrive have until *deadline*; ``stop`` cuts off what is left then.

        Safe twice, also side by side.
        """
        self.draining = True
        self._stop_accepting()
        lame_until = min(deadline, time.monotonic() + LAME_DUCK_S)
        for connection in self.connections:
            connection.end_soon(lame_until)
        self._wait_until(lambda: not (self.connections or self.in_flight), lame_until)
        for connection in list(self.connections):
            connection.end_stream()
        self._wait_until(self._owes_nothing, deadline)

    def stop(self) -> None:
        """Close everything at once, and tell what that cuts off.  Safe twice, and without ``drain``."""
        if self._stopped:
            return
        self._stopped = self.draining = True
        self._stop_accepting()
        self._timer.close()
        arriving = sum(connection.refuse_late() for connection in list(self.connections))
        answering = self.in_flight + sum(connection.writer.writes_alone for connection in self.connections)
        if answering or arriving:
            telemetry.event("server.cut_off", answering=answering, arriving=arriving)
        for connection in list(self.connections):
            connection.close("stopped")
        self._tell()

    # What connections need of one another.

    def charge(self, reader: Reader) -> bool:
        """Count what *reader* holds of a body; False if that would be too much for the process."""
        return self.reserve(reader, reader.body_bytes - reader.charged)

    def reserve(self, holder: _Charged, size: int) -> bool:
        """Count *size* bytes that *holder* keeps; False if that would be too much for the process."""
        if self.buffered_bytes + size > self.limits.buffered_bytes_max:
            return False
        self.buffered_bytes += size
        holder.charged += size
        return True

    def discharge(self, holder: _Charged) -> None:
        """What *holder* held is free again."""
        self.buffered_bytes -= holder.charged
        holder.charged = 0

    def sampled(self) -> bool:
        """Whether this request is one of ``access_log_ratio``."""
        self._sampled += self.limits.access_log_ratio
        # Ten times a tenth is a little less than one.
        if self._sampled < 1 - 1e-9:
            return False
        self._sampled -= 1
        return True

    def closed(self, connection: Connection, reason: str) -> None:
        """Forget *connection*."""
        self.wheel.forget(connection)
        self.connections.discard(connection)
        if reason not in _EVERYDAY:
            telemetry.event("connection.dropped", reason=reason)

    def open(self, listener: Listener, sock: _socket.socket, address: object) -> None:
        """Serve a connection that *listener* has accepted."""
        if len(self.connections) >= self.limits.connections_max:
            self._turn_away(sock)
            return
        connected: Socket = sock if self._tls is None else TlsSocket(sock, self._tls)
        self.connections.add(Connection(self, listener, connected, address))

    def _turn_away(self, sock: _socket.socket) -> None:
        error = overloaded("connections_max", self.limits.connections_max)
        telemetry.event("http.refused", reason=error.reason, outcome=error.status)
        if self._tls is None:
            with contextlib.suppress(OSError):
                sock.send(refusal_of(error, self.date_line, close=True))
                # A request that is here already would turn the end into a reset, and take the answer with it.
                sock.recv(65_536)
        sock.close()

    def _tick(self) -> None:
        self._ticks += 1
        self.date_line = f"Date: {formatdate(time.time(), usegmt=True)}\r\n".encode()
        now = time.monotonic()
        self.idle_tick = self.wheel.tick(now + self.limits.idle_timeout_s)
        for connection in self.wheel.expired(now):
            # One that was due before it may have brought others on their way, whose deadlines are others by now.
            if connection.deadline <= now:
                try:
                    connection.due(now)
                except Exception as error:
                    # The wheel knows none of them any more: without a word here they would stay for ever.
                    crashed(connection, error)
        self.handlers.trim()
        if self._ticks % 4 == 0:
            self._tell()

    def _tell(self) -> None:
        """Tell what is held and what was done, if that is news: an event for each request would cost more than it."""
        news = (len(self.connections), self.in_flight, self.buffered_bytes, self.answered)
        if news == self._told:
            return
        connections, in_flight, buffered_bytes, answered = news
        telemetry.event(
            "server.observed",
            connections=connections,
            in_flight=in_flight,
            buffered_bytes=buffered_bytes,
            answered=answered - self._told[-1],
        )
        self._told = news

    def _stop_accepting(self) -> None:
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener.stop()

    def _owes_nothing(self) -> bool:
        # A request runs to its end also if its caller has left.
        return not self.in_flight and not any(connection.owes for connection in self.connections)

    def _wait_until(self, done: Callable[[], bool], deadline: float) -> None:
        while not done() and (left_s := deadline - time.monotonic()) > 0:
            gevent.sleep(min(_LOOK_S, left_s))
