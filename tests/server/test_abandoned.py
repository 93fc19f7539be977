"""Connections that are opened and abandoned, in every state and in every way, leave nothing behind.

The server has a process of its own, which is asked what it holds: greenlets, descriptors, its own objects and counts.
"""

from __future__ import annotations

import contextlib
import json
import math
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.raw import Caller
from tests.server.tls_material import Certificate
from tests.support.waiting import GUARD_S, until

#: What is sent, and the application's route on which it is then known to have begun.
STATES: dict[str, tuple[bytes, str]] = {
    "connected": (b"", ""),
    "half a head": (b"GET / HTTP/1.1\r\nHost: a\r\nX: ", ""),
    "half a body": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello", ""),
    "idle": (b"GET /idle HTTP/1.1\r\nHost: a\r\n\r\n", "/idle"),
    "answering": (b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n", "/wait"),
    "pipelined": (b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n" * 5 + b"GET / HT", "/wait"),
    "writing a whole answer": (b"GET /whole HTTP/1.1\r\nHost: a\r\n\r\n", "/whole"),
    "writing pieces": (b"GET /pieces HTTP/1.1\r\nHost: a\r\n\r\n", "/pieces"),
    "held": (b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n", "/held"),
    "held and full": (b"GET /full HTTP/1.1\r\nHost: a\r\n\r\n", "/full"),
    "lingering": (b"nonsense\r\n\r\n" + b"x" * 1_000, ""),
    "half a handshake": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", ""),
}

RESET = struct.pack("ii", 1, 0)


class Site:
    """The server's process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.port = int(process.stdout.readline())
        self.tls_port = int(process.stdout.readline())
        self._control = Caller(self.port)

    def close(self) -> None:
        self._control.close()

    def ask(self, path: str) -> Any:
        body = self._control.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()).answer().body
        return json.loads(body) if path == "/holds" else body

    def holds(self) -> dict[str, Any]:
        held: dict[str, Any] = self.ask("/holds")
        return held

    def open(self, state: str, source: str) -> socket.socket:
        sock = socket.socket()
        sock.settimeout(GUARD_S)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        # Ports are few; each address has its own.
        sock.bind((source, 0))
        sock.connect(("127.0.0.1", self.tls_port if "handshake" in state else self.port))
        sock.sendall(STATES[state][0])
        return sock


@pytest.fixture
def site(certificate: Certificate) -> Iterator[Site]:
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "gevent.monkey", "--module", "tests.server.abandoned_server"),
            *(certificate.certfile, certificate.keyfile),
        ],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        site = Site(process)
        with contextlib.closing(site):
            yield site
        assert process.poll() is None, "it did not outlive its callers"
    finally:
        with contextlib.suppress(BrokenPipeError):
            process.communicate(timeout=GUARD_S)
    assert process.returncode == 0


def leave(sock: socket.socket) -> None:
    sock.close()


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    sock.close()


def half_close(sock: socket.socket) -> None:
    """Say that nothing more comes, and read nothing."""
    # Some have been closed by the server already.
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)


WAYS: tuple[Callable[[socket.socket], None], ...] = (leave, reset, half_close)


def abandon(site: Site, each: int, source: str) -> None:
    """Open *each* connections in every state, abandon them in every way, and wait until the server is as before."""
    site.ask("/go")
    before = site.holds()["left"]
    routes = [route for _, route in STATES.values() if route]
    expected = {route: routes.count(route) * each for route in routes}

    def reached() -> bool:
        held = site.holds()
        at_work = {route: held["began"].get(route, 0) for route in expected}
        # And what the readers of whole answers have not taken yet, for as long as they are waited for.
        bodies = held["left"]["buffered_bytes"] >= 5 * each
        return at_work == expected and bodies and held["left"]["HeldStream"] == 2 * each

    def as_before() -> bool:
        # Pipelined ones wait again and again.
        site.ask("/go")
        left.update(site.holds()["left"])
        return all(left[what] <= count for what, count in before.items())

    left: dict[str, int] = {}
    with contextlib.ExitStack() as opened:
        sockets = [opened.enter_context(site.open(state, source)) for state in STATES for _ in range(each)]
        until("every state is reached", reached)
        for number, sock in enumerate(sockets):
            WAYS[number % len(WAYS)](sock)
        # Callers that have only half closed are still there: the server leaves them.
        try:
            until("nothing is left", as_before, guard_s=2 * GUARD_S)
        except AssertionError:
            pytest.fail(f"left {left}, and before {before}")


def test_hundreds_of_abandoned_connections_leave_nothing_behind(site: Site) -> None:
    abandon(site, each=30, source="127.0.0.1")


@pytest.mark.slow
def test_twenty_thousand_abandoned_connections_leave_nothing_behind(site: Site) -> None:
    each = 150
    # What pools and caches keep they have then, and the heap its holes.
    for batch in range(3):
        abandon(site, each=each, source=f"127.0.0.{2 + batch}")
    warm = site.holds()
    batches = math.ceil(20_000 / (each * len(STATES)))
    for batch in range(batches):
        abandon(site, each=each, source=f"127.0.0.{5 + batch}")
    now = site.holds()
    # Less than one of Python's pieces of memory for ten connections, and a tenth of what an idle one needs.
    assert now["blocks"] - warm["blocks"] < 2_000
    assert now["pss_kb"] - warm["pss_kb"] < 4_000
