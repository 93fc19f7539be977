"""Readers that do not read, or read too slowly: an answer does not wait for them for ever, nor does its application."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event

from tests.server.conftest import Serve, Start
from tests.server.raw import Caller
from tests.server.telling import told
from tests.server.test_slow_callers import DROP_S, GET, LONG, SHORT_S
from tests.support.waiting import GUARD_S, until

#: More than the kernel takes of an answer that nobody reads.
_LARGE = 8_000_000
_HUGE = 40_000_000
_PIECE = bytes(100_000)


class Large:
    """An application with a large answer, whole or in pieces, and what became of it."""

    def __init__(self, whole: bool) -> None:
        self.whole = whole
        self.closed = Event()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        length = _HUGE if environ["PATH_INFO"] == "/huge" else _LARGE
        start_response("200 OK", [("Content-Length", str(length))])
        return [bytes(length)] if self.whole else self._pieces(length)

    def _pieces(self, length: int) -> Iterator[bytes]:
        try:
            for _ in range(length // len(_PIECE)):
                yield _PIECE
        finally:
            self.closed.set()


@pytest.mark.parametrize("takes", ["nothing", "a byte at a time"])
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "in pieces"])
def test_a_reader_that_does_not_read_is_left(start: Start, whole: bool, takes: str) -> None:
    large = Large(whole)
    server, port = start(large, **LONG | {"write_timeout_s": SHORT_S})
    with Caller(port, receive_buffer_bytes=4_096) as caller, told("connection.dropped") as dropped:
        caller.send(GET)
        reading = gevent.spawn(takes_byte_by_byte, caller.sock) if takes != "nothing" else None
        until("the connection was dropped", lambda: dropped.reasons)
        assert dropped.reasons == ["write_timeout"]
        if reading is not None:
            reading.kill()
    until("nothing is left", lambda: not server.connections and not server.in_flight)
    if not whole:
        # PEP 3333: whatever happens, the iterable is closed.
        assert large.closed.wait(GUARD_S)


def takes_byte_by_byte(sock: socket.socket) -> None:
    try:
        while sock.recv(1):
            gevent.sleep(DROP_S)
    except OSError:
        pass


def test_a_reader_of_a_large_answer_has_more_time(serve: Serve) -> None:
    """8 MB at 10 MB/s are given a second and 40 MB are given four, before which the reader begins."""
    port = serve(Large(whole=True), **LONG | {"write_timeout_s": SHORT_S, "transfer_rate_min_bytes_s": 10_000_000})
    with Caller(port) as caller, Caller(port) as witness, told("connection.dropped") as dropped:
        caller.send(GET.replace(b"/", b"/huge", 1))
        witness.send(GET)
        until("the witness was dropped", lambda: dropped.reasons == ["write_timeout"])
        taken = 0
        while taken < _HUGE and (piece := caller.sock.recv(1_000_000)):
            taken += len(piece)
        assert taken >= _HUGE


@pytest.mark.parametrize("in_hub", [False, True])
def test_a_write_that_waits_ends_with_its_connection(start: Start, in_hub: bool) -> None:
    """A descriptor that is closed while a greenlet waits for it would end the whole process."""
    large = Large(whole=False)
    server, port = start(large, **LONG)
    with Caller(port, receive_buffer_bytes=4_096) as caller:
        caller.send(GET)
        until("it is being answered", lambda: server.in_flight)
        gevent.idle()
        if in_hub:
            server.loop.run_callback(server.stop)
        else:
            server.stop()
        assert large.closed.wait(GUARD_S)
        until("the request has ended", lambda: not server.in_flight)
        assert not server.connections
