"""Load over HTTP/1.1: requests that were made beforehand, closed loop or at a fixed rate, every answer checked.

Latency at a fixed rate counts from the instant at which the request was meant to leave, so a server that stands still
for a second is charged for everybody who would have come in that second (no coordinated omission).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

__all__ = ["Answer", "Answered", "Check", "closed_loop", "each_once", "fixed_rate", "uncollected"]

#: Returns what is wrong with an answer's status line and body, or an empty text.
Check = Callable[[bytes, bytes], str]
#: Seconds in which :func:`each_once` must have all of its answers.
EACH_ONCE_MAX_S = 60.0
#: When each answer came and how long it took, in seconds.
Answered = list[tuple[float, float]]


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Keep the collector of cycles out of a generator that measures: its pauses would be the server's latencies.

    With a task for each request of 8 s alive, one collection took 25 to 50 ms, of which 1,250 requests a second had
    their p99.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


class Answer(NamedTuple):
    """One answer, and how long it took."""

    status: int
    body: bytes
    took_s: float


class _Caller(asyncio.Protocol):
    """One connection: sends a request, hands back the whole answer."""

    def __init__(self) -> None:
        self._received = b""
        self._answer: asyncio.Future[tuple[bytes, bytes]] | None = None
        self._transport: asyncio.Transport | None = None
        #: The server ends this connection with this answer.
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._received[:end]
        at = head.lower().find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._received) >= end + 4 + length:
            body, self._received = self._received[end + 4 : end + 4 + length], b""
            self.ended = b"\r\nconnection: close" in head.lower()
            answer, self._answer = self._answer, None
            assert answer is not None, "an answer that nobody asked for"
            answer.set_result((head.split(b"\r\n", 1)[0], body))

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("the server closed the connection"))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    async def ask(self, request: bytes) -> tuple[bytes, bytes]:
        assert self._transport is not None
        if self._transport.is_closing():
            raise ConnectionError("the server closed the connection")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer


async def _connect(host: str, port: int, callers_n: int) -> list[_Caller]:
    loop = asyncio.get_running_loop()
    return [(await loop.create_connection(_Caller, host, port))[1] for _ in range(callers_n)]


def closed_loop(
    host: str, port: int, requests: Sequence[Iterator[bytes]], check: Check, *, seconds: float
) -> Answered:
    """Let one caller per iterator of *requests* ask, wait, and ask again, for *seconds*."""

    async def run() -> Answered:
        answered: Answered = []
        callers = await _connect(host, port, len(requests))
        end = time.perf_counter() + seconds

        async def call(caller: _Caller, mine: Iterator[bytes]) -> None:
            while (began := time.perf_counter()) < end:
                _checked(check, *await caller.ask(next(mine)))
                now = time.perf_counter()
                answered.append((now, now - began))

        await asyncio.gather(*map(call, callers, requests))
        return answered

    with uncollected():
        return asyncio.run(run())


def fixed_rate(
    host: str, port: int, requests: Sequence[Iterator[bytes]], check: Check, *, seconds: float, rate: float
) -> Answered:
    """Send *rate* requests a second, each over a caller that is free; latency from the intended start."""

    async def run() -> Answered:
        answered: Answered = []
        callers = await _connect(host, port, len(requests))
        free: asyncio.Queue[tuple[_Caller, Iterator[bytes]]] = asyncio.Queue()
        for pair in zip(callers, requests, strict=True):
            free.put_nowait(pair)
        began = time.perf_counter()

        async def call(meant: float) -> None:
            caller, mine = await free.get()
            _checked(check, *await caller.ask(next(mine)))
            now = time.perf_counter()
            answered.append((now, now - meant))
            free.put_nowait((caller, mine))

        tasks = []
        for number in range(int(rate * seconds)):
            meant = began + number / rate
            if (wait := meant - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            tasks.append(asyncio.create_task(call(meant)))
        await asyncio.gather(*tasks)
        return answered

    with uncollected():
        return asyncio.run(run())


def each_once(host: str, port: int, requests: Sequence[bytes], *, callers_n: int) -> list[Answer]:
    """Send each request once, *callers_n* at a time, and return all answers in order.

    A server may end a connection with an answer, if it says so.
    """

    async def run() -> list[Answer]:
        answers: dict[int, Answer] = {}
        left = iter(enumerate(requests))

        async def call(place: int) -> None:
            for number, request in left:
                if callers[place].ended:
                    callers[place].close()
                    callers[place] = (await _connect(host, port, 1))[0]
                began = time.perf_counter()
                status, body = await callers[place].ask(request)
                answers[number] = Answer(int(status.split(b" ", 2)[1]), body, time.perf_counter() - began)

        callers = await _connect(host, port, callers_n)
        try:
            async with asyncio.timeout(EACH_ONCE_MAX_S):
                await asyncio.gather(*map(call, range(callers_n)))
        finally:
            for caller in callers:
                caller.close()
        return [answers[number] for number in range(len(requests))]

    return asyncio.run(run())


def _checked(check: Check, status: bytes, body: bytes) -> None:
    wrong = check(status, body)
    if wrong:
        raise SystemExit(f"a wrong answer: {wrong} ({status!r}, {len(body)} bytes)")
