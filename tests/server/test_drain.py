"""The end of a server: what is asked is answered, who is about to ask learns it, and what is cut off is told."""

from __future__ import annotations

import _socket
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event

from gateway import telemetry
from gateway.server.connection import LAME_DUCK_S
from gateway.server.server import Server
from gateway.telemetry.catalogue import Event as Declared
from tests.server.conftest import Start
from tests.server.raw import Answer, Caller
from tests.support.waiting import GUARD_S, until

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"


class Site:
    """An application that answers with the request's body, ``/slow`` when it is told to."""

    def __init__(self) -> None:
        self.reached = Event()
        self.go_on = Event()
        self.answered: list[str] = []
        self.streams = 0

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/stream":
            return self._stream(start_response)
        if path == "/endless":
            return self._endless(start_response)
        if path == "/slow":
            self.reached.set()
            self.go_on.wait(GUARD_S)
        self.answered.append(path)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"you said: " + environ["wsgi.input"].read()]

    def _stream(self, start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"first, "
        self.streams += 1
        self.go_on.wait(GUARD_S)
        yield b"last"


    def _endless(self, start_response: Callable[..., Any]) -> Iterator[bytes]:
        """Have much to do when nobody reads any more."""
        start_response("200 OK", [("Content-Type", "text/plain")])
        try:
            while True:
                yield bytes(100_000)
        finally:
            self.reached.set()
            self.go_on.wait(GUARD_S)
            self.answered.append("/endless")


def in_time() -> float:
    return time.monotonic() + GUARD_S


def draining(server: Server, deadline: float | None = None) -> gevent.Greenlet[..., None]:
    """Begin a drain and return once nothing new is accepted."""
    drain = gevent.spawn(server.drain, in_time() if deadline is None else deadline)
    until("the drain", lambda: server.draining)
    return drain


class CutOff:
    """Collects what is told of requests that were cut off."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def writer(self, event: Declared) -> Callable[[dict[str, Any]], None] | None:
        return self.told.append if event.name == "server.cut_off" else None


@pytest.fixture
def cut_off() -> Iterator[CutOff]:
    sink = CutOff()
    telemetry.attach(sink)
    yield sink
    telemetry.detach(sink)


def said(answer: Answer) -> tuple[bytes, bool]:
    """Return which words the application got, and whether the answer is the connection's last."""
    assert answer.status == 200
    return answer.body.removeprefix(b"you said: "), answer.closes


def asks(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()


def test_callers_in_the_kernels_queue_are_served(start: Start) -> None:
    """More of them than one turn accepts: they have connected, and the server has not seen them yet."""
    server, port = start(Site())
    waiting = []
    for _ in range(200):
        # Below gevent: the loop does not run, so nothing is accepted.
        sock = _socket.socket()
        sock.connect(("127.0.0.1", port))
        sock.send(GET)
        waiting.append(sock)
    assert not server.connections
    drain = draining(server)
    drain.get(timeout=GUARD_S)
    for sock in waiting:
        answer = sock.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"\r\nConnection: close\r\n" in answer
        sock.close()


def test_an_idle_connection_is_answered_once_more_and_told(start: Start) -> None:
    server, port = start(Site())
    with Caller(port) as caller:
        assert not caller.send(GET).answer().closes
        drain = draining(server)
        drain.join(0.5)
        assert said(caller.send(POST + b"more").answer()) == (b"more", True)
        assert caller.ends()
        drain.get(timeout=GUARD_S)


def test_an_idle_connection_does_not_hold_up_the_end(start: Start) -> None:
    """It is closed after its moment, in order, although its caller does not close."""
    server, port = start(Site())
    with Caller(port) as caller, Caller(port) as mute:
        caller.send(GET).answer()
        began = time.monotonic()
        draining(server).get(timeout=GUARD_S)
        assert LAME_DUCK_S <= time.monotonic() - began < GUARD_S / 2
        assert caller.ends()
        assert mute.ends()


def test_without_connections_the_end_comes_at_once(start: Start) -> None:
    server, _ = start(Site())
    began = time.monotonic()
    server.drain(in_time())
    assert time.monotonic() - began < LAME_DUCK_S / 2


def test_what_has_come_at_the_moment_of_an_idle_close_is_answered(start: Start) -> None:
    """The deadline and the request meet: the request is in the kernel, and the loop has not looked yet."""
    server, port = start(Site())
    with Caller(port) as caller:
        caller.send(GET).answer()
        [connection] = server.connections
        caller.sock.sendall(POST + b"just")
        server.loop.run_callback(connection.due, time.monotonic())
        assert said(caller.answer()) == (b"just", False)


def test_a_running_request_ends_and_its_caller_is_told(start: Start) -> None:
    site = Site()
    server, port = start(site)
    with Caller(port) as caller:
        caller.send(asks("/slow"))
        assert site.reached.wait(GUARD_S)
        drain = draining(server)
        gevent.idle()
        assert not drain.dead
        site.go_on.set()
        assert caller.answer().closes
        drain.get(timeout=GUARD_S)


@pytest.mark.parametrize("path", ["/slow", "/endless"])
def test_a_request_whose_caller_has_left_is_not_cut_off(start: Start, path: str) -> None:
    site = Site()
    server, port = start(site)
    with Caller(port).send(asks(path)) as caller:
        if path == "/slow":
            assert site.reached.wait(GUARD_S)
        caller.reset()
    assert site.reached.wait(GUARD_S)
    drain = draining(server)
    drain.join(1.5 * LAME_DUCK_S)
    assert not drain.dead, "longer than idle connections are waited for"
    site.go_on.set()
    drain.get(timeout=GUARD_S)
    assert site.answered == [path]


def test_all_that_was_pipelined_is_answered_and_the_last_answer_closes(start: Start) -> None:
    """A third request comes while the first one runs; the server has read it, but not looked at it."""
    site = Site()
    server, port = start(site)
    with Caller(port) as caller:
        caller.send(asks("/slow") + asks("/second"))
        assert site.reached.wait(GUARD_S)
        caller.send(asks("/third"))
        gevent.idle()
        drain = draining(server)
        site.go_on.set()
        assert [caller.answer().closes for _ in range(3)] == [False, False, True]
        assert caller.ends()
        drain.get(timeout=GUARD_S)
        assert site.answered == ["/slow", "/second", "/third"]


def test_a_request_that_arrives_slowly_has_the_whole_time(start: Start) -> None:
    server, port = start(Site())
    with Caller(port) as caller:
        caller.trickle([POST, b"ab"])
        drain = draining(server)
        drain.join(1.5 * LAME_DUCK_S)
        assert not drain.dead
        assert said(caller.send(b"cd").answer()) == (b"abcd", True)
        drain.get(timeout=GUARD_S)


def test_a_promise_to_keep_the_connection_is_kept(start: Start) -> None:
    """The head was written before anybody thought of stopping: what its caller asks next is answered, and one that asks
    nothing does not hold up the end."""
    site = Site()
    server, port = start(site)
    with Caller(port) as caller, Caller(port) as mute:
        for each in (caller, mute):
            each.send(asks("/stream"))
        until("both", lambda: site.streams == 2)
        drain = draining(server)
        drain.join(1.5 * LAME_DUCK_S)
        site.go_on.set()
        for each in (caller, mute):
            answer = each.answer()
            assert (answer.chunks, answer.closes) == ((b"first, ", b"last"), False)
        drain.join(0.5)
        assert said(caller.send(POST + b"next").answer()) == (b"next", True)
        drain.get(timeout=GUARD_S / 2)
        assert mute.ends()


def test_what_outlives_the_deadline_is_cut_off_and_told_once(start: Start, cut_off: CutOff) -> None:
    site = Site()
    server, port = start(site)
    with Caller(port) as running, Caller(port) as arriving:
        arriving.trickle([POST])
        running.send(asks("/slow"))
        assert site.reached.wait(GUARD_S)
        server.drain(time.monotonic())
        server.stop()
        server.stop()
        refused = arriving.answer()
        assert (refused.status, refused.json["error"], refused.closes) == (503, "stopping", True)
        assert "retry-after" in refused.headers
        assert running.ends()
        site.go_on.set()
        assert cut_off.told == [{"answering": 1, "arriving": 1}]


def test_an_answer_that_its_caller_has_not_taken_is_cut_off_and_told(start: Start, cut_off: CutOff) -> None:
    """Its request has ended, and does not count as one that runs."""

    def large(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [bytes(8_000_000)]

    server, port = start(large)
    with Caller(port) as caller:
        caller.send(GET)
        until("it waits for its caller", lambda: server.buffered_bytes)
        assert not server.in_flight
        server.drain(time.monotonic())
        server.stop()
        assert cut_off.told == [{"answering": 1, "arriving": 0}]


def test_nothing_is_told_when_nothing_was_cut_off(start: Start, cut_off: CutOff) -> None:
    server, port = start(Site())
    with Caller(port) as caller:
        caller.send(GET).answer()
        server.drain(time.monotonic())
        server.stop()
        assert caller.ends()
        assert cut_off.told == []


def test_a_second_drain_may_be_shorter(start: Start) -> None:
    site = Site()
    server, port = start(site)
    with Caller(port) as caller:
        caller.send(asks("/slow"))
        assert site.reached.wait(GUARD_S)
        first = draining(server)
        began = time.monotonic()
        server.drain(began)
        assert time.monotonic() - began < LAME_DUCK_S / 2
        assert not first.dead
        site.go_on.set()
        first.get(timeout=GUARD_S)


def test_streams_are_ended_by_the_server_if_the_application_does_not(start: Start) -> None:
    over: list[str] = []

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return environ["gateway.hold"](lambda _: None, over.append, last=b"retry: 1000\n\n")

    server, port = start(application)
    with Caller(port) as caller:
        caller.send(GET)
        until("the stream", lambda: any(b.owes for b in server.connections) and not server.in_flight)
        draining(server).get(timeout=GUARD_S)
        assert caller.answer().body == b"retry: 1000\n\n"
        assert over == ["draining"]


def test_nobody_is_accepted_any_more(start: Start) -> None:
    server, port = start(Site())
    server.drain(in_time())
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        pass
