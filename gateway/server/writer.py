"""Writing a connection's answers: among those of the same turn of the loop, at once, or as their caller takes them.

Whole answers are handed to :mod:`gateway.server.phases` and written from the hub; no greenlet waits for a caller that
takes them slowly.  What comes in pieces is written by its request's greenlet, which waits: that is the back-pressure.
Either way a caller has ``write_timeout_s``, and more for more bytes.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gevent.exceptions import ConcurrentObjectUseError
from gevent.hub import Waiter

from gateway.server.transport import ReaderGone, Transport

if TYPE_CHECKING:
    from gateway.server.connection import Connection
    from gateway.server.server import Server

__all__ = ["Writer"]


class Writer:
    """Writes for one connection."""

    __slots__ = ("_connection", "_server", "_transport", "_unsent", "_waiter", "charged")

    def __init__(self, server: Server, connection: Connection, transport: Transport) -> None:
        self._server = server
        #: None once it is closed: it knows us, and neither is to live on until the collector comes by.
        self._connection: Connection | None = connection
        self._transport = transport
        #: A whole answer, or its rest, that is to be written.
        self._unsent: bytes | memoryview = b""
        #: The greenlet that waits until all of it is written, if one does.
        self._waiter: Waiter[None] | None = None
        #: Bytes of an answer that count against ``buffered_bytes_max`` while its caller takes them slowly.
        self.charged = 0

    @property
    def writes_alone(self) -> bool:
        """Whether a whole answer is to be written whose request has ended."""
        return bool(self._unsent) and self._waiter is None

    @property
    def blocked(self) -> bool:
        """Whether a whole answer waits for its caller to take it."""
        return bool(self._unsent) and self._transport.watches_writes

    def queue(self, data: bytes) -> None:
        """Write a whole answer among the others of this turn; ``Connection.answered`` is called behind it."""
        self._unsent = data
        self._server.phases.answered(self)

    def write_with_others(self, data: bytes) -> None:
        """Do the same and wait until it is written, instead of the call.  In a greenlet only.

        :raises ReaderGone: there is no reader any more, or it is too slow.
        """
        if self._connection is None:
            raise ReaderGone
        waiter: Waiter[None] = Waiter(self._server.hub)
        self._waiter = waiter
        self.queue(data)
        try:
            waiter.get()
        except BaseException:
            # Killed, perhaps: half an answer is none, and the connection ends by it.
            self._unsent = b""
            self._transport.watch_writes(None)
            raise
        finally:
            self._waiter = None

    def write(self, data: bytes) -> None:
        """Write all of *data*, waiting for the reader where needed.  In a greenlet only.

        :raises ReaderGone: there is no reader any more, or it is too slow.
        :raises ConcurrentObjectUseError: another greenlet of the application's writes already.
        """
        if self._connection is None:
            raise ReaderGone
        if self._transport.waits:
            # In the middle of its piece.  And of two watchers one would outlive the socket, which ends the process.
            raise ConcurrentObjectUseError("another greenlet writes this answer")
        sent = self._transport.try_write(data)
        if sent == len(data):
            return
        if sent < 0:
            self.close("reset")
            raise ReaderGone
        rest = memoryview(data)[sent:]
        try:
            self._transport.write_rest(rest, self._patience_s(len(rest)))
        except TimeoutError:
            self.close("write_timeout")
            raise ReaderGone from None

    def write_answer(self) -> None:
        """Write a whole answer, or as much of it as the caller takes now.  In the hub only."""
        data, transport, connection = self._unsent, self._transport, self._connection
        if connection is None or not data:
            # Closed meanwhile, or nobody wants it written any more.
            return
        sent = transport.try_write(data)
        if sent == len(data):
            self._unsent = b""
            if transport.watches_writes:
                transport.watch_writes(None)
                self._server.discharge(self)
            if self._waiter is None:
                connection.answered()
            else:
                self._waiter.switch(None)
        elif sent < 0:
            connection.close("reset")
        else:
            # Not a copy of the rest each time: a large answer goes in hundreds of steps.
            self._unsent = memoryview(data)[sent:]
            if not transport.watches_writes:
                self._await_reader(connection)

    def _await_reader(self, connection: Connection) -> None:
        if not self._server.reserve(self, len(self._unsent)):
            connection.close("slow_reader")
            return
        connection.wake_at(time.monotonic() + self._patience_s(len(self._unsent)))
        self._transport.watch_writes(self.write_answer)

    def _patience_s(self, size: int) -> float:
        limits = self._server.limits
        return limits.write_timeout_s + size / limits.transfer_rate_min_bytes_s

    def close(self, reason: str) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close(reason)

    def drop(self) -> None:
        """Forget what is not written: the connection is closed."""
        self._connection = None
        self._unsent = b""
        if self.charged:
            self._server.discharge(self)
        if self._waiter is not None:
            self._server.loop.run_callback(self._waiter.throw, ReaderGone())
