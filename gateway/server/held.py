"""Held streams: a response that goes on for hours and needs no greenlet.

The application gives back ``environ["gateway.hold"](opened, closed, ...)`` as its body.  From then on the connection is
a socket and a watcher; whoever has something to send calls ``HeldStream.send`` from wherever it is.

    opened(stream)   once, when the head is written
    closed(reason)   once, when the stream is over, whoever ended it:
                     ``left``         the reader closed the connection, or its side of it (the watcher sees it at once)
                     ``spoke``        the reader sent something, which nobody can be meant to read
                     ``slow_reader``  more than ``server.stream_buffer_bytes_max`` would have waited for it
                     ``stalled``      it took nothing for ``server.write_timeout_s`` while something waited
                     ``ended``        the application ended it, and gave no other reason
                     ``age``          it was ``age_max_s`` old
                     ``draining``     the process stops
                     ``stopped``      the process has stopped, and could not wait for the reader any longer
                     ``crashed``      the application's ``opened`` or ``on_drained`` raised
                     ``absent``       there was never a stream: the request was HEAD, its reader had left before the
                                      head was written, or something on the body's way here read it

They are called in the hub, and in whichever greenlet sends and so finds out: neither may wait.  What must wait spawns a
greenlet.  Both may send and end, this stream or others.  What they raise is told and goes no further.

One piece is sent whole or not at all, unless the reader leaves in the middle of it.  A piece that nothing waits before
is taken whatever its size: it is the application's to bound, and to send no more while ``buffered`` is not 0.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from gateway import telemetry

if TYPE_CHECKING:
    from gateway.server.connection import Connection

__all__ = ["HeldBody", "HeldStream"]


class HeldBody:
    """What the application returns in the place of a body."""

    __slots__ = ("_closed", "_opened", "age_max_s", "beat", "beat_s", "last")

    def __init__(
        self,
        opened: Callable[[HeldStream], None],
        closed: Callable[[str], None],
        *,
        beat: bytes = b"",
        beat_s: float = math.inf,
        age_max_s: float = math.inf,
        last: bytes = b"",
    ) -> None:
        #: None from the moment at which the stream is open.
        self._opened: Callable[[HeldStream], None] | None = opened
        self._closed: Callable[[str], None] | None = closed
        #: Sent when nothing else was for ``beat_s`` seconds, so that both sides and whatever is between them know
        #: that the stream is alive.
        self.beat = beat
        self.beat_s = beat_s
        self.age_max_s = age_max_s
        #: Sent before the server ends the stream by itself.
        self.last = last

    def __iter__(self) -> Iterator[bytes]:
        self.close()
        raise TypeError("a held stream is given back as it is, not wrapped or iterated over")

    def close(self) -> None:
        """Called by the server in any case (PEP 3333); a stream that is open does not end by it."""
        if self._opened is not None:
            self.over("absent")

    def begin(self, stream: HeldStream) -> bool:
        """Tell the application that *stream* is open; False if it could not take it."""
        opened, self._opened = self._opened, None
        assert opened is not None
        return _told(opened, stream)

    def over(self, reason: str) -> None:
        """Tell the application, once."""
        closed, self._closed, self._opened = self._closed, None, None
        if closed is not None:
            _told(closed, reason)


class HeldStream:
    """An open stream.  Its methods never wait, and may be called from any greenlet and in the hub."""

    __slots__ = (
        "_blocked_at",
        "_body",
        "_chunked",
        "_connection",
        "_ending",
        "_ends_at",
        "_waiting",
        "buffered",
        "on_drained",
    )

    def __init__(self, connection: Connection, body: HeldBody, *, chunked: bool) -> None:
        self._connection: Connection | None = connection
        self._body = body
        self._chunked = chunked
        self._ends_at = math.inf if body.age_max_s == math.inf else time.monotonic() + body.age_max_s
        #: Why the stream ends as soon as nothing waits any more; empty while it goes on.
        self._ending = ""
        #: What the kernel did not take yet, oldest first; None, as nearly always, if that is nothing.
        self._waiting: list[bytes] | None = None
        #: When the reader last took something, while something waits.
        self._blocked_at = 0.0
        #: Bytes that wait in this process.
        self.buffered = 0
        #: Called when all that waited has gone.
        self.on_drained: Callable[[], None] | None = None

    def __repr__(self) -> str:
        return (
            f"<HeldStream {self._connection} {self.buffered} waiting{self._ending and ', ' + self._ending}>"
        )

    @property
    def open(self) -> bool:
        """Whether ``send`` would be true."""
        return self._connection is not None and not self._ending

    def send(self, data: bytes) -> bool:
        """Send *data*, or keep it until the reader takes it.  False if the stream is over."""
        if self._connection is None or self._ending:
            return False
        if data:
            self._put(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)
        return self._connection is not None

    def end(self, last: bytes = b"", reason: str = "ended") -> None:
        """End the stream behind whatever waits and *last*.  Safe twice."""
        connection = self._connection
        if connection is None or self._ending:
            return
        self._ending = reason
        if self._chunked:
            last = b"%x\r\n%b\r\n0\r\n\r\n" % (len(last), last) if last else b"0\r\n\r\n"
        if last:
            self._put(last)
        if self._waiting is None:
            connection.release(reason)

    # For the connection.

    def start(self) -> None:
        """Begin to beat, and hand the stream to the application."""
        self._look_again(time.monotonic())
        if not self._body.begin(self):
            self._crash()

    def over(self, reason: str) -> None:
        """The connection has been closed, or goes on without the stream."""
        self._connection = None
        self._waiting, self.buffered, self.on_drained = None, 0, None
        self._body.over("left" if reason == "reset" else reason)

    def flush(self) -> None:
        """Give the kernel what waits; called when it takes something again."""
        connection, waiting = self._connection, self._waiting
        if connection is None or waiting is None:
            return
        data = waiting[0] if len(waiting) == 1 else b"".join(waiting)
        sent = connection.try_write(data)
        if sent < 0:
            return
        self.buffered = len(data) - sent
        self._waiting = [data[sent:]] if self.buffered else None
        if sent:
            self._blocked_at = time.monotonic()
            self._look_again(self._blocked_at)
        if self._waiting is None:
            connection.watch_writes(None)
            if self._ending:
                connection.release(self._ending)
            elif self.on_drained is not None and not _told(self.on_drained):
                self._crash()

    def due(self, now: float) -> None:
        """Do what is due at *now*: a beat, the end of a stream that is too old, or of one that is not read."""
        connection = self._connection
        assert connection is not None
        if self._waiting is not None:
            patience_s = connection.limits.write_timeout_s
            # The second is for a reader that takes a byte now and then, and would stay for ever.
            if now >= min(self._blocked_at, self._ends_at) + patience_s:
                connection.close("stalled")
                return
        elif now >= self._ends_at:
            self.end(self._body.last, "age")
            return
        elif not self.send(self._body.beat):
            return
        self._look_again(now)

    def finish(self) -> None:
        """The process stops."""
        self.end(self._body.last, "draining")

    def _put(self, data: bytes) -> None:
        connection = self._connection
        assert connection is not None
        if self._waiting is not None:
            self.buffered += len(data)
            if self.buffered > connection.limits.stream_buffer_bytes_max and not self._ending:
                connection.close("slow_reader")
            else:
                self._waiting.append(data)
            return
        sent = connection.try_write(data)
        if sent < 0:
            return
        now = time.monotonic()
        if sent < len(data):
            self._waiting = [data[sent:]]
            self.buffered = len(data) - sent
            self._blocked_at = now
            connection.watch_writes(self.flush)
        self._look_again(now)

    def _look_again(self, now: float) -> None:
        """Say when ``due`` is to be called next, if nothing happens until then."""
        connection = self._connection
        assert connection is not None
        if self._waiting is None:
            connection.wake_at(min(now + self._body.beat_s, self._ends_at))
        else:
            connection.wake_at(min(self._blocked_at, self._ends_at) + connection.limits.write_timeout_s)

    def _crash(self) -> None:
        if self._connection is not None:
            self._connection.close("crashed")


def _told(tell: Callable[..., None], *what: object) -> bool:
    """Call back; False if that raised.  Whoever sends, or looks after many streams, must not suffer for one of them."""
    try:
        tell(*what)
    except Exception as error:
        telemetry.event(
            "request.crashed", route="stream", reason=type(error).__name__, detail=telemetry.trace(error)
        )
        return False
    return True
