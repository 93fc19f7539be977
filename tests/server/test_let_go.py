"""What a connection leaves behind is gone with it: not when the collector comes by, which may be after gigabytes."""

from __future__ import annotations

import contextlib
import gc
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event

from gateway.server.connection import Connection
from gateway.server.exchange import Exchange
from gateway.server.reader import Reader, Request
from gateway.server.writer import Writer
from gateway.settings.server import ServerSettings
from tests.server.conftest import Serve, Start
from tests.server.raw import Caller
from tests.support.waiting import GUARD_S, until

_KINDS = (Connection, Writer, Exchange, Request, Reader)
_POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"
_BODY = bytes(50_000)
_GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def done(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b"done"]


def left() -> Counter[str]:
    return Counter(type(thing).__name__ for thing in gc.get_objects() if isinstance(thing, _KINDS))


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize(
    "said",
    [
        pytest.param([], id="nothing"),
        pytest.param([b"GET / HTTP/1.1\r\nHo"], id="half a head"),
        pytest.param([_POST + _BODY[:1], _BODY], id="half a body"),
        pytest.param([_GET], id="a request"),
        pytest.param([b"GET / HTTP/1.0\r\n\r\n"], id="the last request"),
        pytest.param([b"GET / HTTP/1.1\r\n\r\n"], id="a bad request"),
        pytest.param([_POST.replace(b"100000", b"9" * 9)], id="a body that is too large"),
        pytest.param(
            [b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", b"fffff\r\n" + _BODY]
            + 20 * [_BODY],
            id="a chunked body that is too large",
        ),
    ],
)
def test_a_connection_that_has_ended_is_gone_at_once(start: Start, said: list[bytes]) -> None:
    server, port = start(done)
    before = left()
    for _ in range(3):
        with Caller(port) as caller:
            caller.trickle(said)
            until("it was accepted", lambda: server.connections)
        until("it has ended", lambda: not server.connections)
        gevent.idle()

    # One reader may be kept for the next request.
    assert left() - before - Counter(Reader=1) == Counter()


def test_small_chunks_take_no_more_memory_than_is_counted() -> None:
    """As objects of their own they would take thirty times as much: a way around ``buffered_bytes_max``."""
    reader = Reader(ServerSettings())
    reader.feed(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunks = b"2\r\nab\r\n" * 1_000
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(50):
            reader.feed(chunks)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert reader.body_bytes == 100_000
    assert after - before < 2 * reader.body_bytes
    reader.feed(b"0\r\n\r\n")
    assert reader.done[0].environ["gateway.body"] == b"ab" * 50_000


def test_an_answer_that_begins_behind_the_end_waits_for_nobody(start: Start) -> None:
    """The server has stopped while the application worked: what it says then is for nobody, and it is told."""
    began, go, closed = Event(), Event(), Event()

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            began.set()
            go.wait()
            yield b"done"

        def close(self) -> None:
            closed.set()

    def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "4")])
        return Body()

    server, port = start(application)
    with Caller(port) as caller:
        caller.send(_GET)
        assert began.wait(GUARD_S)
        server.stop()
        go.set()
        assert closed.wait(GUARD_S)
        until("it does not count any more", lambda: not server.in_flight)


def test_one_streams_fault_does_not_keep_others_from_their_deadlines(start: Start) -> None:
    """A beat that cannot be sent is the application's mistake, and that stream's end alone."""
    reasons: list[str] = []

    def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        start_response("200 OK", [])
        body: Iterable[bytes] = environ["gateway.hold"](
            lambda _: None, reasons.append, beat="text", beat_s=0.3
        )
        return body

    server, port = start(application)
    with Caller(port) as first, Caller(port) as second:
        first.send(_GET)
        second.send(_GET)
        until("both have ended", lambda: not server.connections)
    assert reasons == ["crashed", "crashed"]


def test_two_greenlets_cannot_write_one_answer(start: Start) -> None:
    """Else one would go on behind the other's back when the socket is closed, which ends the process."""
    failed: list[str] = []
    both = Event()

    def write_much(write: Callable[[bytes], object]) -> None:
        try:
            write(bytes(20_000_000))
        except Exception as error:
            failed.append(type(error).__name__)
        if len(failed) == 2:
            both.set()

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        write = start_response("200 OK", [])
        gevent.joinall([gevent.spawn(write_much, write) for _ in range(2)])
        return []

    server, port = start(application)
    caller = Caller(port)
    caller.send(_GET)
    until("the second has failed", lambda: failed)
    assert failed == ["ConcurrentObjectUseError"]
    caller.reset()
    until("the first has failed", lambda: len(failed) == 2)
    until("nothing is left", lambda: not server.connections and not server.in_flight)


def test_a_writer_that_is_left_behind_meets_no_other_answer(start: Start) -> None:
    """A greenlet of the application's that still writes when its request is over: the connection ends."""

    def write_much(write: Callable[[bytes], object]) -> None:
        with contextlib.suppress(ConnectionError):
            write(bytes(20_000_000))

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        write = start_response("200 OK", [])
        gevent.spawn(write_much, write)
        gevent.sleep(0)
        return []

    server, port = start(application)
    with Caller(port) as caller:
        caller.send(_GET)
        assert caller.rest().count(b"HTTP/1.1 200 ") == 1
    until("nothing is left", lambda: not server.connections and not server.in_flight)


def test_a_length_of_thousands_of_digits(serve: Serve) -> None:
    port = serve(done)
    with Caller(port) as caller:
        caller.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"0" * 5_000 + b"1\r\n\r\nx")
        answer = caller.answer()
        assert (answer.status, answer.json["error"]) == (400, "malformed")
        assert caller.ends()


def test_head_has_no_body_although_the_application_failed(serve: Serve) -> None:
    def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        raise LookupError

    port = serve(application)
    with Caller(port) as caller:
        caller.send(_GET.replace(b"GET", b"HEAD"))
        assert caller.answer("HEAD").status == 500
        assert caller.ends()
