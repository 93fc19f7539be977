"""Held streams: a response that goes on for hours and needs no greenlet.

The application gives back ``environ["gateway.hold"](opened, closed, ...)`` as its body.  From then on the connection is
a socket and a watcher; whoever has something to send calls ``HeldStream.send`` from wherever it is.

    opened(stream)   once, when the head is written
    closed(reason)   once, when the stream is over, whoever ended it:
                     ``left``         the reader closed the connection (the watcher sees it at once)
                     ``spoke``        the reader sent something, which nobody can be meant to read
                     ``slow_reader``  more than ``server.stream_buffer_bytes_max`` waited for it
                     ``stalled``      it took nothing for ``server.write_timeout_s`` while something waited
                     ``ended``        the application ended it
                     ``age``          it was ``age_max_s`` old
                     ``draining``     the process stops
                     ``absent``       there was never a stream: the request was HEAD

Neither may wait: they are called in the hub.  What must wait spawns a greenlet.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.server.connection import Connection

__all__ = ["HeldBody", "HeldStream"]


class HeldBody:
    """What the application returns in the place of a body."""

    __slots__ = ("_closed", "age_max_s", "beat", "beat_s", "last", "opened")

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
        self.opened = opened
        self._closed: Callable[[str], None] | None = closed
        #: Sent when nothing else was for ``beat_s`` seconds, so that both sides and whatever is between them know
        #: that the stream is alive.
        self.beat = beat
        self.beat_s = beat_s
        self.age_max_s = age_max_s
        #: Sent before the server ends the stream by itself.
        self.last = last

    def __iter__(self) -> Iterator[bytes]:
        raise TypeError("a held stream is given back as it is, not wrapped or iterated over")

    def over(self, reason: str) -> None:
        """Tell the application, once."""
        closed, self._closed = self._closed, None
        if closed is not None:
            closed(reason)


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
        "_waiting_bytes",
        "on_drained",
    )

    def __init__(self, connection: Connection, body: HeldBody, *, chunked: bool) -> None:
        self._connection: Connection | None = connection
        self._body = body
        self._chunked = chunked
        self._ends_at = time.monotonic() + body.age_max_s
        #: Why the stream ends as soon as nothing waits any more; empty while it goes on.
        self._ending = ""
        #: What the kernel did not take yet, oldest first.
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        #: When the reader last took something, while something waits.
        self._blocked_at = 0.0
        #: Called when all that waited has gone.
        self.on_drained: Callable[[], None] | None = None

    @property
    def buffered(self) -> int:
        """Bytes that wait in this process."""
        return self._waiting_bytes

    @property
    def open(self) -> bool:
        return self._connection is not None

    def send(self, data: bytes) -> bool:
        """Send *data*, or keep it until the reader takes it.  False if the stream is over."""
        if self._connection is None or self._ending:
            return False
        if data:
            self._put(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)
        return self._connection is not None

    def start(self) -> None:
        """Begin to beat."""
        self._rest(time.monotonic())

    def end(self, last: bytes = b"", reason: str = "ended") -> None:
        """End the stream behind *last* and whatever waits.  Safe twice."""
        if self._connection is None or self._ending:
            return
        self.send(last)
        self._ending = reason
        if self._chunked:
            self._put(b"0\r\n\r\n")
        if not self._waiting and self._connection is not None:
            self._connection.release(reason)

    def over(self, reason: str) -> None:
        """The connection has been closed, or goes on without the stream."""
        self._connection = None
        self._waiting, self._waiting_bytes, self.on_drained = [], 0, None
        self._body.over("left" if reason == "reset" else reason)

    def flush(self) -> None:
        """Give the kernel what waits; called when it takes something again."""
        connection = self._connection
        if connection is None:
            return
        data = self._waiting[0] if len(self._waiting) == 1 else b"".join(self._waiting)
        sent = connection.try_write(data)
        if sent < 0:
            return
        self._waiting = [data[sent:]] if sent < len(data) else []
        self._waiting_bytes -= sent
        if sent:
            self._blocked_at = time.monotonic()
            self._rest(self._blocked_at)
        if not self._waiting:
            connection.watch_writes(None)
            if self._ending:
                connection.release(self._ending)
            elif self.on_drained is not None:
                self.on_drained()

    def due(self, now: float) -> None:
        """Do what is due at *now*: a beat, the end of a stream that is too old, or of one that is not read."""
        connection = self._connection
        assert connection is not None
        if self._waiting:
            if now - self._blocked_at >= connection.limits.write_timeout_s:
                connection.close("stalled")
                return
        elif now >= self._ends_at:
            self.end(self._body.last, "age")
            return
        elif not self.send(self._body.beat):
            return
        self._rest(now)

    def finish(self) -> None:
        """The process stops."""
        self.end(self._body.last, "draining")

    def _put(self, data: bytes) -> None:
        connection = self._connection
        assert connection is not None
        sent = 0
        if not self._waiting:
            sent = connection.try_write(data)
            if sent < 0:
                return
            now = time.monotonic()
            if sent < len(data):
                self._blocked_at = now
                connection.watch_writes(self.flush)
            self._rest(now)
        if sent == len(data):
            return
        self._waiting.append(data[sent:])
        self._waiting_bytes += len(data) - sent
        if self._waiting_bytes > connection.limits.stream_buffer_bytes_max:
            connection.close("slow_reader")

    def _rest(self, now: float) -> None:
        """Say when to look again."""
        connection = self._connection
        assert connection is not None
        if self._waiting:
            connection.wake_at(self._blocked_at + connection.limits.write_timeout_s)
        else:
            connection.wake_at(min(now + self._body.beat_s, self._ends_at))
