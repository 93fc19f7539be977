"""An answer that is read while it is still being made: server-sent events, token streams.

Bytes are passed on as they come off the socket; nothing waits for a block to fill, and nothing is read ahead
of its reader, so a slow reader slows the sender and never fills our memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from gateway import telemetry
from gateway.domain.errors import SwitchboardError
from gateway.rpc.backend import Backend
from gateway.rpc.call import Call, RawHeaders, Service, find_header
from gateway.rpc.exchange import Exchange
from gateway.rpc.retries import Tries
from gateway.rpc.timeouts import Budget

__all__ = ["StreamedResponse"]


class StreamedResponse:
    """A context manager: the call is made on entering it, and given up on leaving it early.

    with client.stream(call) as response:
        if response.status == 200:
            for data in response:
                ...
    """

    __slots__ = ("_backend", "_budget", "_call", "_exchange", "_find", "_open", "raw_headers", "status")

    def __init__(self, find: Callable[[Service], Backend], call: Call) -> None:
        self._find = find
        self._call = call
        self._backend: Backend | None = None
        self._budget: Budget
        self._exchange: Exchange
        self._open = False
        self.status = 0
        self.raw_headers: RawHeaders = []

    def __enter__(self) -> Self:
        call = self._call
        try:
            backend = self._find(call.service)
            self._budget = backend.enter(call)
        except SwitchboardError as error:
            telemetry.event("rpc.refused", endpoint=call.service.name, reason=error.reason)
            raise
        try:
            self._exchange = backend.open(call, self._budget, Tries())
        except BaseException:
            backend.calls -= 1
            raise
        self._backend = backend
        self._open = True
        self.status = self._exchange.reader.status
        self.raw_headers = self._exchange.reader.headers
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        backend, self._backend = self._backend, None
        if backend is not None:
            backend.calls -= 1
        if not self._open:
            return
        self._open = False
        if self._exchange.reader.done:
            self._exchange.finish()
        elif error is None:
            self._exchange.leave()
        else:
            # The reader's own fault: the endpoint is not to blame, and the rest of its answer is still on the
            # wire.
            self._exchange.fail(error)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body's bytes as they arrive; at the end the connection has gone back to its pool."""
        exchange = self._exchange
        while self._open:
            data = exchange.reader.take()
            if data:
                yield data
            elif exchange.reader.done:
                self._open = False
                exchange.finish()
            else:
                self._read()

    def header(self, name: str) -> str | None:
        """Return the header *name* (any case), repetitions joined with a comma, or None."""
        return find_header(self.raw_headers, name)

    def _read(self) -> None:
        try:
            self._exchange.read()
        except BaseException as error:
            self._open = False
            self._exchange.fail(error)
            raise
