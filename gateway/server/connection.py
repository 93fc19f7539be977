"""The life of one connection: read, answer, again.

    waiting ──(a request is complete)──▶ answering ──▶ waiting          in the hub, then in a greenlet, then nothing
                                             └───────▶ held             a stream without a greenlet
    waiting ──(what came is refused)───▶ lingering ──▶ closed

While it waits it is a socket, a watcher and this object; a reader joins it while a request arrives.  One request is
answered at a time.  Of what comes meanwhile one read is taken and kept (``_early``), then the watcher rests, and the
kernel's window tells the caller to wait.

A connection that we end while its caller still sends lingers: closed at once, the kernel would answer the rest with a
reset, and the caller might never see our answer (RFC 9112, section 9.6).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gateway import telemetry
from gateway.domain.errors import BadRequest, SwitchboardError
from gateway.server.exchange import Exchange
from gateway.server.forwarded import apply_forwarded
from gateway.server.held import HeldBody, HeldStream
from gateway.server.reader import Reader, Request
from gateway.server.refusals import STOPPING, overloaded, refusal_of, too_slow
from gateway.server.transport import Socket, Transport
from gateway.server.wheel import UNWATCHED
from gateway.server.writer import Writer
from gateway.settings.server import ServerSettings

if TYPE_CHECKING:
    from gateway.server.listener import Listener
    from gateway.server.server import Server

__all__ = ["LAME_DUCK_S", "Connection"]

#: Bytes of one read: between requests, and in the middle of a body.
_READ_BYTES = 16_384
_BODY_READ_BYTES = 65_536
#: How long, and for how many bytes, a caller that is refused is listened to.
_LINGER_S = 2.0
_LINGER_BYTES_MAX = 16_777_216
#: Seconds that a connection without a request is left open while the process stops.
LAME_DUCK_S = 1.0
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_WAITING, _ANSWERING, _HELD, _LINGERING, _CLOSED = "waiting", "answering", "held", "lingering", "closed"


class Connection:
    """One caller's connection."""

    __slots__ = (
        "_body_at",
        "_early",
        "_ended",
        "_host",
        "_keep_alive",
        "_lingered_bytes",
        "_listener",
        "_port",
        "_queue",
        "_reader",
        "_refusal",
        "_request",
        "_server",
        "_state",
        "_stream",
        "deadline",
        "due_tick",
        "limits",
        "transport",
        "writer",
    )

    def __init__(self, server: Server, listener: Listener, sock: Socket, address: object) -> None:
        self._server = server
        self._listener = listener
        self.limits: ServerSettings = server.limits
        self.transport = transport = Transport(server.hub, sock)
        self.writer = Writer(server, self, transport)
        #: A unix socket's peer has no address.
        self._host: str = address[0] if isinstance(address, tuple) else ""
        self._port: str = str(address[1]) if isinstance(address, tuple) else ""
        self._state = _WAITING
        self._reader: Reader | None = None
        #: Requests that are complete and wait for those before them.
        self._queue: deque[Request] | None = None
        self._request: Request | None = None
        #: What is to be answered behind the queue, and then the connection closed.
        self._refusal: SwitchboardError | None = None
        self._early = b""
        #: Whether the connection goes on behind the answer.
        self._keep_alive = True
        #: The caller has closed its side.
        self._ended = False
        #: When the body that arrives began to; 0 while none does.
        self._body_at = 0.0
        self._lingered_bytes = 0
        self._stream: HeldStream | None = None
        self.deadline = time.monotonic() + server.limits.header_timeout_s
        self.due_tick = UNWATCHED
        server.wheel.watch(self)
        self.transport.watch_reads(self._on_readable)

    def __repr__(self) -> str:
        return f"<Connection {self._host}:{self._port} {self._state}>"

    @property
    def idle(self) -> bool:
        """Whether nothing of a request has arrived and no answer is owed."""
        return self._state is _WAITING and self._reader is None

    @property
    def asked_more(self) -> bool:
        """Whether something of another request has arrived behind the one that is answered."""
        return self._reader is not None or bool(self._queue or self._early)

    @property
    def owes(self) -> bool:
        """Whether an answer is owed here, or may be as far as its caller knows."""
        return self._state is not _LINGERING and self._state is not _CLOSED

    # In the hub: reading.

    def _on_readable(self) -> None:
        data = self.transport.read(_READ_BYTES if self._reader is None else _BODY_READ_BYTES)
        if data is not None:
            self._server.phases.arrived(self, data)

    def take(self, data: bytes) -> None:
        """Take what was read; nothing is the end of what the caller sends."""
        state = self._state
        if state is _WAITING:
            if data:
                self._feed(data)
            else:
                self.close("left")
        elif state is _ANSWERING:
            # One read is kept; what is behind it waits in the kernel.
            self.transport.rest()
            self._early += data
            self._ended = not data
        elif state is _HELD:
            self.close("spoke" if data else "left")
        elif state is _LINGERING:
            self._lingered_bytes += len(data)
            if not data or self._lingered_bytes > _LINGER_BYTES_MAX:
                self.close("lingered")

    def _feed(self, data: bytes) -> None:
        reader = self._reader
        if reader is None:
            reader = self._server.readers.take()
        reader.feed(data)
        done = reader.done
        if reader.idle:
            self._reader = None
            self._server.readers.give_back(reader)
            if len(done) == 1:
                # Nearly always: one read, one request.
                self._start(done.pop())
                return
        else:
            if self._reader is None:
                # A request begins: from now on its head has its time, however little of the idle time was left.
                self.deadline = time.monotonic() + self.limits.header_timeout_s
            self._reader = reader
            self._refusal = reader.refusal
        if done:
            queue = deque(done)
            done.clear()
            first = queue.popleft()
            self._queue = queue or None
            self._start(first)
        elif self._refusal is not None:
            self._refuse(self._refusal)
        elif self._reader is not None:
            self._await_rest(reader)

    def _await_rest(self, reader: Reader) -> None:
        """A request has begun and is not complete: give it its time, and its share of memory."""
        limits, now = self.limits, time.monotonic()
        if not reader.in_body:
            self.wake_at(self.deadline)
            return
        if not self._body_at:
            self._body_at = now
            if reader.expects_continue and self.try_write(_CONTINUE) != len(_CONTINUE):
                # Half of it would garble what follows.
                self.close("reset")
                return
        if not self._server.charge(reader):
            self._refuse(overloaded("buffered_bytes_max", limits.buffered_bytes_max))
            return
        allowed_s = limits.body_timeout_s + reader.body_bytes / limits.transfer_rate_min_bytes_s
        self.wake_at(self._body_at + allowed_s)

    def _start(self, request: Request) -> None:
        """Answer *request* in a greenlet.  In the hub only."""
        server = self._server
        self._state = _ANSWERING
        self._body_at = 0.0
        if server.in_flight >= self.limits.in_flight_max:
            # Those before it in this turn have not begun, and may not take long.
            server.phases.answer()
            if self._state is not _ANSWERING:
                # One of them has stopped the server.
                server.discharge(request)
                return
            if server.in_flight >= self.limits.in_flight_max:
                self._turn_away(request)
                return
        if request.forwarded:
            self._add_peer(request)
            try:
                apply_forwarded(request.environ, server.trusted)
            except BadRequest as error:
                server.discharge(request)
                self._refuse(error)
                return
        server.in_flight += 1
        self._request = request
        server.phases.asked(self._answer)

    def _add_peer(self, request: Request) -> None:
        request.environ["REMOTE_ADDR"] = self._host
        request.environ["REMOTE_PORT"] = self._port

    # In the request's greenlet.

    def environ_of(self, request: Request) -> dict[str, Any]:
        """Return the whole environ of *request*, for an application that is WSGI's."""
        if not request.forwarded:
            self._add_peer(request)
        return self._listener.environ_of(request)

    def _answer(self) -> None:
        request, self._request = self._request, None
        assert request is not None
        server = self._server
        if self._state is _CLOSED:
            # The server has stopped in between: what it has told of, as cut off, must not be done behind its back.
            server.in_flight -= 1
            server.discharge(request)
            return
        exchange = Exchange(server, self, request)
        if server.samples and server.sampled():
            exchange.run_and_tell()
        else:
            exchange.run()
        server.in_flight -= 1
        server.answered += 1
        if request.charged:
            server.discharge(request)
        if self._state is not _ANSWERING:
            # Held, or closed under the application's hands.
            return
        self._keep_alive = exchange.keep_alive
        if exchange.whole:
            self.writer.queue(exchange.whole)
        elif exchange.broken_off or self.transport.waits:
            # Not in order, as which it would look whole.  Or a greenlet that the application has left behind still
            # writes, and would go on in the next answer.
            self.close("crashed")
        else:
            self.answered()

    def answered(self) -> None:
        """The last byte of an answer is with the kernel."""
        if not self._keep_alive:
            self._linger()
        elif self._queue or self._early or self._ended or self._reader is not None:
            self._server.loop.run_callback(self._go_on)
        else:
            self._wait()

    def _wait(self) -> None:
        self._state = _WAITING
        self.deadline = time.monotonic() + self.limits.idle_timeout_s
        if not UNWATCHED < self.due_tick <= self._server.idle_tick:
            # Not watched, or not so soon: a large body may have had more time than idle connections have.
            self._server.wheel.watch(self)
        if self._server.draining:
            # The answer's head was written before.
            self.end_soon(time.monotonic() + LAME_DUCK_S)

    # Anywhere.

    def try_write(self, data: bytes | memoryview) -> int:
        """Write what can be written now; return how much, or -1 if there is no reader any more."""
        sent = self.transport.try_write(data)
        if sent < 0:
            self.close("reset")
        return sent

    def watch_writes(self, call: Callable[[], None] | None) -> None:
        """Call whenever the kernel takes bytes, or no more."""
        self.transport.watch_writes(call)

    def wake_at(self, at: float) -> None:
        """Have ``due`` called at *at* (monotonic seconds), and not before."""
        self.deadline = at
        self._server.wheel.watch(self)

    def hold(self, body: HeldBody, *, chunked: bool) -> None:
        """Turn into a held stream; the head has been written."""
        if self._state is _CLOSED:
            body.over("left")
            return
        self._state = _HELD
        self._stream = stream = HeldStream(self, body, chunked=chunked)
        if self._ended:
            self.close("left")
        elif self._early or self._queue or self._reader is not None or self._refusal is not None:
            # Behind a stream nothing is answered any more.
            self.close("spoke")
        else:
            stream.start()

    def release(self, reason: str) -> None:
        """The held stream has come to its proper end."""
        stream, self._stream = self._stream, None
        if stream is not None:
            self._linger()
            stream.over(reason)

    # In the hub again.

    def _go_on(self) -> None:
        """Take up what has come while a request was answered."""
        if self._state is not _ANSWERING:
            return
        if self._queue:
            request = self._queue.popleft()
            # An empty one would stay, and is larger than all the rest of an idle connection.
            self._queue = self._queue or None
            self._start(request)
        elif self._refusal is not None:
            self._refuse(self._refusal)
        elif self._ended:
            self.close("left")
        else:
            self._wait()
            if self._reader is not None:
                self.deadline = time.monotonic() + self.limits.header_timeout_s
            early, self._early = self._early, b""
            if early:
                self.transport.watch_reads(self._on_readable)
                self._feed(early)
            elif self._reader is not None:
                self._await_rest(self._reader)

    def _turn_away(self, request: Request) -> None:
        """Too many requests run: say so at once, and keep the connection for the next try."""
        self._server.discharge(request)
        error = overloaded("in_flight_max", self.limits.in_flight_max)
        if not request.keep_alive or self._server.draining:
            self._refuse(error)
        elif self._say(error, close=False, is_head=request.environ["REQUEST_METHOD"] == "HEAD"):
            # Not at once: hundreds may be queued, and each would stand on the stack of the one before.
            self._server.loop.run_callback(self._go_on)

    def _refuse(self, error: SwitchboardError) -> None:
        """Answer with *error* and close."""
        if self._say(error, close=True):
            self._linger()

    def _say(self, error: SwitchboardError, *, close: bool, is_head: bool = False) -> bool:
        telemetry.event("http.refused", reason=error.reason, outcome=error.status)
        data = refusal_of(error, self._server.date_line, close=close, is_head=is_head)
        # A caller whose window is shut with so little under way will not read this either.
        if self.try_write(data) == len(data):
            return True
        self.close("reset")
        return False

    def _linger(self) -> None:
        """Close, but not under the hands of a caller that still sends or reads."""
        if self._ended or self._state is _CLOSED:
            self.close("left")
            return
        self._state = _LINGERING
        self._forget_requests()
        if not self.transport.end():
            self.close("reset")
            return
        self._early = b""
        self.transport.watch_reads(self._on_readable)
        self.wake_at(time.monotonic() + _LINGER_S)

    def due(self, now: float) -> None:
        """The deadline has come."""
        if self._state is _HELD:
            assert self._stream is not None
            self._stream.due(now)
        elif self._state is _WAITING:
            if self._reader is None:
                # What has come in this very moment is a request like any other.
                self._on_readable()
                self._server.phases.take_up()
                if self.idle and self.deadline <= now:
                    self.close("idle")
            else:
                self._refuse(too_slow(in_body=self._reader.in_body))
        elif self._state is _LINGERING:
            self.close("lingered")
        elif self.writer.blocked:
            self.close("write_timeout")

    # The process stops.

    def end_soon(self, at: float) -> None:
        """Close at *at* unless something is asked until then."""
        if self.idle:
            self.wake_at(min(self.deadline, at))

    def end_stream(self) -> None:
        """End the held stream, if it is one."""
        if self._stream is not None:
            self._stream.finish()

    def refuse_late(self) -> bool:
        """Refuse a request that is still arriving; return whether there is one."""
        if self._state is not _WAITING or self._reader is None:
            return False
        self._refuse(STOPPING)
        return True

    def close(self, reason: str) -> None:
        """Close at once.  Safe twice."""
        if self._state is _CLOSED:
            return
        self._state = _CLOSED
        self.writer.drop()
        self._forget_requests()
        self.transport.close(orderly=reason in {"idle", "left"})
        self._server.closed(self, reason)
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.over(reason)

    def _forget_requests(self) -> None:
        reader, self._reader = self._reader, None
        queue, self._queue = self._queue, None
        if reader is not None:
            self._server.discharge(reader)
            reader.close()
        for request in queue or ():
            self._server.discharge(request)
