"""One connection: a wire, a reader of answers, and the age of both.

``ask`` writes a request and reads until the answer's head is complete; ``read`` reads on.  This is the border
where the operating system's errors become ours.  A connection that raised anything, a killed greenlet's
exception included, is in an unknown state: its owner closes it.
"""

from __future__ import annotations

from gateway.domain.errors import Reached
from gateway.rpc.errors import BadAnswer, ConnectionLost
from gateway.rpc.response import ResponseReader
from gateway.rpc.timeouts import Budget
from gateway.rpc.wire import Wire

__all__ = ["Connection"]


class Connection:
    """Belongs to one greenlet at a time."""

    __slots__ = (
        "_closed", "_recv_bytes", "_send_broke", "calls", "expires_at", "idle_until", "reader", "wire",
    )  # fmt: skip

    def __init__(self, wire: Wire, *, header_bytes_max: int, recv_bytes: int, expires_at: float) -> None:
        self.wire = wire
        self.reader = ResponseReader(header_bytes_max)
        self._recv_bytes = recv_bytes
        self._send_broke = False
        self._closed = False
        #: Monotonic seconds after which it serves no further call.
        self.expires_at = expires_at
        #: Monotonic seconds until which it may lie idle; kept by the pool.
        self.idle_until = 0.0
        #: Calls that were begun on it.
        self.calls = 0

    @property
    def reusable(self) -> bool:
        """Whether it may serve another call."""
        return self.reader.reusable and self.reader.done and not self._send_broke

    def ask(self, request: bytes, budget: Budget, *, bodiless: bool, body_bytes_max: int) -> None:
        """Write *request* and read until the head of its answer is complete."""
        self.calls += 1
        self.reader.begin(bodiless=bodiless, body_bytes_max=body_bytes_max)
        self._write(request, budget)
        reader = self.reader
        head_ends_at = budget.clock() + budget.timeouts.first_byte_s
        while not reader.status:
            # Interim answers and a head that trickles in do not extend this wait.
            wait_s = budget.wait_s("first_byte", head_ends_at, "maybe")
            try:
                data = self.wire.read(self._recv_bytes, wait_s)
            except TimeoutError:
                raise budget.timed_out("first_byte", "maybe") from None
            except OSError as error:
                raise self._lost(error) from None
            self._take(data)

    def read(self, budget: Budget) -> None:
        """Read the next piece of the answer's body."""
        try:
            data = self.wire.read(self._recv_bytes, budget.idle_s("answered"))
        except TimeoutError:
            raise budget.timed_out("idle", "answered") from None
        except OSError as error:
            raise self._lost(error) from None
        self._take(data)

    def is_quiet(self) -> bool:
        """Whether it is still as its last answer left it."""
        return self.wire.is_quiet()

    def close(self) -> None:
        """Close the socket.  Safe to call twice."""
        if not self._closed:
            self._closed = True
            self.wire.close()
            self.reader.retire()

    def _write(self, request: bytes, budget: Budget) -> None:
        wire = self.wire
        try:
            wire.write(request, lambda: budget.idle_s("maybe" if wire.written else "never"))
        except TimeoutError:
            raise budget.timed_out("idle", "maybe" if wire.written else "never") from None
        except OSError as error:
            if not wire.written:
                raise ConnectionLost(
                    f"the connection broke before the request: {error.strerror}", reason="reset", sent="never"
                ) from None
            # A server may refuse a large body before it has read it (413) and close: its answer is already
            # here.
            self._send_broke = True

    def _take(self, data: bytes) -> None:
        if data:
            self.reader.feed(data)
        else:
            self.reader.end()

    def _lost(self, error: OSError) -> BadAnswer | ConnectionLost:
        what = error.strerror or type(error).__name__
        if self.reader.begun:
            sent: Reached = "answered" if self.reader.status else "maybe"
            return BadAnswer(f"the connection broke inside the answer: {what}", reason="reset", sent=sent)
        return ConnectionLost(f"the connection broke before an answer: {what}", reason="reset", sent="maybe")
