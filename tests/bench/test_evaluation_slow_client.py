"""Slow clients: they are slow, whoever cannot bear them is found out, and fast ones are what is measured."""

from __future__ import annotations

import contextlib
import re
import socket
import time
from collections.abc import Iterator
from contextlib import closing

import gevent
import msgspec
import pytest
from gevent.event import Event
from gevent.lock import Semaphore
from gevent.server import StreamServer

from bench.answers import WrongAnswer
from bench.evaluation.measures.dawdling import COUNTS, LARGE_BYTES, large
from bench.evaluation.measures.slow_client import SlowClient, dawdlers
from bench.generator import ECHO_BODY, Expected
from tests.bench.served import REFUSED, RIGHT, Served, Standing, line
from tests.support.waiting import GUARD_S

ECHOED = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"
REQUEST = b"POST /bench/echo HTTP/1.1\r\nContent-Length: 1\r\n\r\n1"


class Whole:
    """A server that reads requests whole, echoes where it has no answer, and has one caller after the other if told."""

    def __init__(self, answer: bytes = b"", *, one_at_a_time: bool = False) -> None:
        self._answer = answer
        self._turn = Semaphore(1 if one_at_a_time else 10_000)
        self.written, self.asked = 0, Event()
        self.cpu_s = time.process_time
        self._server = StreamServer(("127.0.0.1", 0), self._serve, backlog=1_024)
        self._server.start()
        self.port = self._server.server_port

    def close(self) -> None:
        self._server.stop()

    def _serve(self, connection: socket.socket, _: object) -> None:
        # Whoever leaves may have left an answer unread.
        with self._turn, connection, contextlib.suppress(OSError):
            received = b""
            while data := connection.recv(65_536):
                received += data
                head, end, body = received.partition(b"\r\n\r\n")
                if end and len(body) == int(re.findall(rb"(?i)content-length: (\d+)", head)[0]):
                    received = b""
                    self.asked.set()
                    connection.sendall(self._answer or ECHOED % (len(body), body))
                    self.written += 1


def answered(port: int, within_s: float) -> bool:
    """Whether a fast client has its answer."""
    with socket.create_connection(("127.0.0.1", port)) as fast:
        fast.settimeout(within_s)
        fast.sendall(REQUEST)
        try:
            return fast.recv(1_000) == RIGHT
        except TimeoutError:
            return False


@pytest.fixture(params=[False, True], ids=["beside one another", "one after the other"])
def whole(request: pytest.FixtureRequest) -> Iterator[Whole]:
    """Both kinds of server."""
    with closing(Whole(RIGHT, one_at_a_time=request.param)) as serving:
        serving.bears_them = not request.param
        yield serving


def test_slow_senders_hold_who_serves_one_after_the_other(whole: Whole) -> None:
    """For as long as they are there; nobody else notices them."""
    with dawdlers("senders", whole.port) as dawdling:
        assert answered(whole.port, GUARD_S if whole.bears_them else 0.2) == whole.bears_them
    assert answered(whole.port, GUARD_S)
    assert dawdling.told.cut == 0


def test_what_slow_readers_leave_waits_in_the_server() -> None:
    """They ask for all of it, and take so little that it is not even written to the kernel."""
    answer = ECHOED % (LARGE_BYTES, b"x" * LARGE_BYTES)
    with closing(Whole(answer)) as serving:
        with dawdlers("readers", serving.port) as dawdling:
            assert serving.asked.wait(GUARD_S)
            gevent.sleep(0.1)  # a stretch of time, which is what they are slow in
        assert serving.written == 0
    assert 0 < dawdling.told.taken_bytes < COUNTS["readers"][0] * LARGE_BYTES / 10
    assert len(large()) > LARGE_BYTES


def test_who_cuts_them_off_is_told() -> None:
    """And they come again."""
    with closing(Served(lambda _: b"")) as served:
        with dawdlers("senders", served.port) as dawdling:
            gevent.sleep(0.15)
        assert dawdling.told.cut > 0
        assert served.connections > COUNTS["senders"][0]


def test_slow_ones_that_cannot_begin_end_the_benchmark() -> None:
    """It is their fault, and nothing was slow."""
    with pytest.raises(SystemExit, match="slow senders could not begin"), dawdlers("senders", 70_000):
        pass


@pytest.mark.usefixtures("wrk")
def test_fast_ones_are_measured_alone_and_beside_both() -> None:
    """What slow ones do to them, whichever does more."""
    with closing(Whole()) as serving:
        echo = msgspec.structs.replace(line(), check=lambda *_: Expected(200, len(ECHO_BODY)))
        measure = SlowClient(["served"], line=echo, settle_s=0.02, counted_s=0.06, rate=500.0, warm_s=0.06)
        values = measure.take("served", Standing(serving)).values
    assert values["p99_ms"] == max(values["senders_p99_ms"], values["readers_p99_ms"])
    assert values["times"] == values["p99_ms"] / values["before_p99_ms"]
    assert values["done_share"] > 0.9


def test_who_echoes_nothing_large_is_thrown_out() -> None:
    """Its readers would have nothing to be slow with."""
    for answering in (lambda _: RIGHT, lambda _: REFUSED, lambda _: b""):
        with closing(Served(answering)) as served, pytest.raises(WrongAnswer, match="echo of 256 KB"):
            SlowClient(["served"], line=line()).take("served", Standing(served))
