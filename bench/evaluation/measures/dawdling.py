"""``python -m bench.evaluation.measures.dawdling KIND PORT``: clients that are slow, until stdin ends.

``senders`` send an echo's request a byte at a time; ``readers`` ask for a large echo and take a kilobyte of the answer
now and then, with a small window, so that the rest of it waits in the server.  Whoever is cut off comes again.  It
prints a line when all have connected, and at the end what came of them (:class:`Dawdled`).
"""

from __future__ import annotations

import contextlib
import errno
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Literal

import msgspec

from bench.evaluation.arrivals.sending import requests

__all__ = ["CONNECTED", "COUNTS", "LARGE_BYTES", "Dawdled", "Slow", "large"]

Slow = Literal["senders", "readers"]
#: How many there are, and the seconds between two doings of each.
COUNTS: dict[Slow, tuple[int, float]] = {"senders": (200, 0.1), "readers": (64, 0.05)}
#: What a reader asks to be echoed, and takes at a time.
LARGE_BYTES, TAKEN_BYTES = 262_144, 1_024
#: The least that the kernel gives: it doubles it.
_WINDOW_BYTES = 2_048
#: An Ethernet's.  With loopback's of 64 KB the server's kernel would take more than two megabytes from it at once, and
#: no answer would ever wait; with these it takes about a hundred kilobytes.
_SEGMENT_BYTES = 1_448
#: Said when all are there.
CONNECTED = b"connected\n"
#: They take turns, so that the generator on the same core never waits for all of them.
_TICK_S = 0.01


class Dawdled(msgspec.Struct, frozen=True, kw_only=True):
    """What came of them."""

    #: Connections that the server closed or reset, or that could not be opened.
    cut: int
    #: Bytes that readers have taken.
    taken_bytes: int


class Dawdler:
    """One slow client."""

    def __init__(self, port: int, request: bytes, slow: Slow) -> None:
        self._port = port
        self._request = request
        #: Bytes sent and read in one doing.
        self._send_bytes, self._read_bytes = (1, 1) if slow == "senders" else (LARGE_BYTES, TAKEN_BYTES)
        self.cut = self.taken_bytes = 0
        self._connect()

    def act(self) -> None:
        """Send a little, or read a little."""
        try:
            with contextlib.suppress(BlockingIOError):
                if self._sent < len(self._request):
                    self._sent += self._socket.send(self._request[self._sent : self._sent + self._send_bytes])
            with contextlib.suppress(BlockingIOError):
                data = self._socket.recv(self._read_bytes)
                if not data:
                    raise ConnectionError
                self.taken_bytes += len(data)
        except OSError:
            self.cut += 1
            self.close()
            self._connect()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _connect(self) -> None:
        self._sent = 0
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _WINDOW_BYTES)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _SEGMENT_BYTES)
        # Each byte is to be a segment of its own.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        # Who cannot be reached is found out by the first byte.
        assert self._socket.connect_ex(("127.0.0.1", self._port)) in (0, errno.EINPROGRESS, errno.ECONNREFUSED)


def large() -> bytes:
    """Return the request for a large answer."""
    body = msgspec.json.encode(["x" * 253] * (LARGE_BYTES // 256))
    return (
        b"POST /bench/echo HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body) + body
    )


def dawdle(slow: Slow, port: int, ended: Callable[[float], bool]) -> Dawdled:
    """Have them all be slow until *ended*, which waits for so many seconds, says so."""
    count, period_s = COUNTS[slow]
    request = large() if slow == "readers" else requests("echo", 1)[0]
    everybody = [Dawdler(port, request, slow) for _ in range(count)]
    for each in everybody:
        each.act()
    print(CONNECTED.decode(), end="", flush=True)
    groups = round(period_s / _TICK_S)
    due_at, tick = time.monotonic(), 0
    while not ended(max(0.0, due_at - time.monotonic())):
        for each in everybody[tick % groups :: groups]:
            each.act()
        tick += 1
        # Never hurried: a tick that was missed is missed.
        due_at = max(due_at + _TICK_S, time.monotonic())
    for each in everybody:
        each.close()
    return Dawdled(
        cut=sum(each.cut for each in everybody), taken_bytes=sum(each.taken_bytes for each in everybody)
    )


def main() -> None:
    """Be slow."""
    # Ctrl-C is for who has started this, and closes stdin.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    slow, port = sys.argv[1:]

    def ended(wait_s: float) -> bool:
        # Nothing is ever written to it.
        return bool(select.select([sys.stdin], (), (), wait_s)[0])

    print(msgspec.json.encode(dawdle(msgspec.convert(slow, Slow), int(port), ended)).decode(), flush=True)


if __name__ == "__main__":
    main()
