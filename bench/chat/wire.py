"""HTTP/1.1 as far as bench.chat needs it, over asyncio's protocols, at a few microseconds a message.

What costs nothing cannot be the limit: no objects for requests, no header mapping, no tasks.  Bodies have lengths; a
message in chunks is refused, because nobody here sends one.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable
from typing import cast

__all__ = ["Answering", "Callers", "Serving", "whole"]

_LENGTH = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: *(\d+)")
_END = b"\r\n\r\n"

#: From a request's head and body to all bytes of its answer.
Answering = Callable[[bytes, bytes], bytes]
#: Told the status of an answer; 0 where the connection broke before it.
Told = Callable[[int], None]


class Serving(asyncio.Protocol):
    """One connection of a caller's, answered at once, or after as many seconds as *delay_s* says."""

    __slots__ = ("_answering", "_delay_s", "_rest", "_transport")

    def __init__(self, answering: Answering, delay_s: Callable[[], float]) -> None:
        self._answering = answering
        self._delay_s = delay_s
        self._rest = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is one without saying so.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        received = self._rest + data if self._rest else data
        while (message := whole(received)) is not None:
            head, body, received = message
            answer = self._answering(head, body)
            last = b"onnection: close" in head
            if delay_s := self._delay_s():
                asyncio.get_running_loop().call_later(delay_s, self._write, answer, last)
            else:
                self._write(answer, last)
        self._rest = received

    def _write(self, answer: bytes, last: bool) -> None:
        assert self._transport is not None
        self._transport.write(answer)
        if last:
            self._transport.close()


class Callers:
    """Connections to the contestant, kept alive; as many as requests were under way at once."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._idle: deque[_Caller] = deque()
        self._all: set[_Caller] = set()

    async def open(self, count: int) -> None:
        """Connect *count* beforehand."""
        for _ in range(count):
            self._idle.append(await self._connect())

    def send(self, request: bytes, told: Told) -> None:
        """Send over whichever is idle; where none is, one more is opened."""
        while self._idle:
            # The one used last: a server that closes idle connections closes the others first.
            caller = self._idle.pop()
            if not caller.closed:
                caller.send(request, told)
                return
        opening = asyncio.get_running_loop().create_task(self._connect())
        opening.add_done_callback(lambda done: _begin(done, request, told))

    def close(self) -> None:
        """Hang up."""
        for caller in list(self._all):
            caller.hang_up()

    async def _connect(self) -> _Caller:
        loop = asyncio.get_running_loop()
        _, caller = await loop.create_connection(lambda: _Caller(self._idle, self._all), self._host, self._port)
        return caller


class _Caller(asyncio.Protocol):
    __slots__ = ("_all", "_idle", "_rest", "_told", "_transport", "closed")

    def __init__(self, idle: deque[_Caller], everybody: set[_Caller]) -> None:
        self._idle, self._all = idle, everybody
        self._rest = b""
        self._told: Told | None = None
        self._transport: asyncio.Transport | None = None
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is one without saying so.
        self._transport = cast("asyncio.Transport", transport)
        self._all.add(self)

    def send(self, request: bytes, told: Told) -> None:
        assert self._transport is not None
        self._told = told
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        received = self._rest + data if self._rest else data
        message = whole(received)
        if message is None:
            self._rest = received
            return
        head, _, self._rest = message
        told, self._told = self._told, None
        self._idle.append(self)
        if told is not None:
            told(int(head[9:12]))

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        self._all.discard(self)
        told, self._told = self._told, None
        if told is not None:
            told(0)

    def hang_up(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _begin(opened: asyncio.Task[_Caller], request: bytes, told: Told) -> None:
    if opened.exception() is not None:
        told(0)
    else:
        opened.result().send(request, told)


def whole(received: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Return the head, the body and what follows of a whole message; None if it is not whole yet."""
    end = received.find(_END)
    if end < 0:
        return None
    head = received[: end + 2]
    length = _LENGTH.search(head)
    if length is None and b"chunked" in head:
        raise ValueError("a message in chunks")
    start = end + 4
    stop = start + (int(length[1]) if length else 0)
    if len(received) < stop:
        return None
    return head, received[start:stop], received[stop:]
