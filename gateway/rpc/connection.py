"""One connection: a wire, a reader of answers, and the age of both.

``ask`` writes a request and reads until the answer's head is complete; ``read`` reads on.  This is the border
where the operating system's errors become ours.  A connection that raised anything, a killed greenlet's
exception included, is in an unknown state: its owner closes it.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.domain.errors import Reached
from gateway.rpc.errors import BadAnswer, ConnectionLost
from gateway.rpc.response import ResponseReader
from gateway.rpc.timeouts import Budget
from gateway.rpc.watch import NEVER
from gateway.rpc.wire import Wire

__all__ = ["Connection"]

#: Seconds without a read above which it was the reader who let the time run out, and not a server that trickles.
READER_LATE_S = 0.1


class Connection:
    """Belongs to one greenlet at a time."""

    __slots__ = (
        "_closed", "_recv_bytes", "_send_broke", "calls", "expires_at", "generation", "idle_since", "idle_turn",
        "read_at", "reader", "taken_at", "wire",
    )  # fmt: skip

    def __init__(
        self, wire: Wire, *, header_bytes_max: int, recv_bytes: int, now: float, expires_at: float, generation: int
    ) -> None:
        self.wire = wire
        self.reader = ResponseReader(header_bytes_max)
        self._recv_bytes = recv_bytes
        #: The loop's turn in which it was given back; kept by the pool.
        self.idle_turn = -1.0
        #: When its answer was read last, in monotonic seconds; for the head kept by the exchange.
        self.read_at = now
        self._send_broke = False
        self._closed = False
        #: Monotonic seconds after which it serves no further call.
        self.expires_at = expires_at
        #: Monotonic seconds since which it lies idle, and since which it was taken to serve a call; kept by the pool.
        self.idle_since = now
        self.taken_at = now
        #: Which of the endpoint's sets of addresses it was made under.
        self.generation = generation
        #: Calls that were begun on it.
        self.calls = 0

    @property
    def reusable(self) -> bool:
        """Whether it may serve another call."""
        return self.reader.reusable and self.reader.done and not self._send_broke

    def ask(
        self,
        request: bytes,
        budget: Budget,
        slow_at: float,
        on_slow: Callable[[], None],
        bodiless: bool,
        body_bytes_max: int,
    ) -> None:
        """Write *request* and read until the head of its answer is complete.

        *on_slow* is called once if that is not so at *slow_at* (monotonic seconds): waiting goes on.
        """
        self.calls += 1
        reader, wire = self.reader, self.wire
        reader.begin(bodiless, body_bytes_max)
        try:
            waited = wire.write(request, budget.ends_at, budget.timeouts.idle_s)
        except OSError as error:
            self._not_written(error, budget)
            waited = True
        # Interim answers and a head that trickles in do not extend this wait.
        until = (budget.clock() if waited else self.taken_at) + budget.timeouts.first_byte_s
        # Here and below: ``min`` costs five times as much, for each call.
        if until > budget.ends_at:  # noqa: PLR1730
            until = budget.ends_at
        while True:
            try:
                data = wire.read(self._recv_bytes, slow_at if slow_at < until else until)  # noqa: FURB136
            except TimeoutError:
                if slow_at >= until:
                    raise budget.timed_out("first_byte", "maybe") from None
                on_slow()
                slow_at = NEVER
                continue
            except OSError as error:
                raise self._lost(error) from None
            if data:
                reader.feed(data)
            else:
                reader.end()
            if reader.status:
                return
            if budget.clock() >= until:
                raise budget.timed_out("first_byte", "maybe")

    def read(self, budget: Budget) -> None:
        """Read the next piece of the answer's body."""
        now = budget.clock()
        # Asked here too: a lively server has always something to be read.
        if now >= budget.ends_at:
            error = budget.timed_out("idle", "answered")
            error.by_reader = now - self.read_at >= READER_LATE_S
            raise error
        try:
            data = self.wire.read(self._recv_bytes, budget.until(budget.timeouts.idle_s))
        except TimeoutError:
            raise budget.timed_out("idle", "answered") from None
        except OSError as error:
            raise self._lost(error) from None
        self.read_at = budget.clock()
        if data:
            self.reader.feed(data)
        else:
            self.reader.end()

    def close(self) -> None:
        """Close the socket.  Safe to call twice."""
        if not self._closed:
            self._closed = True
            self.wire.close()
            self.reader.retire()

    def _not_written(self, error: OSError, budget: Budget) -> None:
        sent: Reached = "maybe" if self.wire.written else "never"
        if isinstance(error, TimeoutError):
            raise budget.timed_out("idle", sent) from None
        if sent == "never":
            text = f"the connection broke before the request: {error.strerror}"
            raise ConnectionLost(text, reason="reset", sent="never") from None
        # A server may refuse a large body before it has read it (413) and close: its answer is already here.
        self._send_broke = True

    def _lost(self, error: OSError) -> BadAnswer | ConnectionLost:
        what = error.strerror or type(error).__name__
        if self.reader.begun:
            sent: Reached = "answered" if self.reader.status else "maybe"
            return BadAnswer(f"the connection broke inside the answer: {what}", reason="reset", sent=sent)
        return ConnectionLost(f"the connection broke before an answer: {what}", reason="reset", sent="maybe")
