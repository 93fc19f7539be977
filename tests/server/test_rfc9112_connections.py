"""RFC 9112, section 9: which connections go on, in which order answers come, and how a connection ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import gevent
import pytest
from gevent.event import Event

from tests.server.conftest import Serve, Start
from tests.server.echo import NEXT, echo, understood
from tests.server.raw import Caller, answers

HEAD = b"Host: localhost\r\n"


@pytest.fixture
def port(serve: Serve) -> int:
    return serve(echo)


def get(path: str = "/", fields: bytes = b"", version: bytes = b"HTTP/1.1") -> bytes:
    return b"GET %b %b\r\n%b%b\r\n" % (path.encode(), version, HEAD, fields)


@pytest.mark.parametrize(
    ("version", "fields", "closes", "says"),
    [
        (b"HTTP/1.1", b"", False, None),
        (b"HTTP/1.1", b"Connection: keep-alive\r\n", False, None),
        (b"HTTP/1.1", b"Connection: close\r\n", True, "close"),
        (b"HTTP/1.1", b"Connection: CLOSE\r\n", True, "close"),
        (b"HTTP/1.1", b"Connection: A, close\r\n", True, "close"),
        (b"HTTP/1.1", b"Connection: A\r\nConnection: close\r\n", True, "close"),
        (b"HTTP/1.1", b"Connection: closed\r\n", False, None),
        (b"HTTP/1.0", b"", True, "close"),
        (b"HTTP/1.0", b"Connection: keep-alive\r\n", False, "keep-alive"),
        (b"HTTP/1.0", b"Connection: close\r\n", True, "close"),
    ],
)
def test_9_3_persistence(port: int, version: bytes, fields: bytes, closes: bool, says: str | None) -> None:
    understood(port, get(fields=fields, version=version), closes=closes)
    with Caller(port) as caller:
        assert caller.send(get(fields=fields, version=version)).answer().headers.get("connection") == says


def test_9_3_many_requests_of_one_connection(port: int) -> None:
    with Caller(port) as caller:
        for number in range(200):
            assert caller.send(get(f"/{number}")).answer().json["PATH_INFO"] == f"/{number}"


def test_9_3_2_answers_come_in_the_order_of_their_requests(serve: Serve) -> None:
    """Though later ones would be ready sooner; one is answered at a time."""
    running: list[str] = []

    def slow_first(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        running.append(path)
        assert len(running) == 1
        gevent.sleep(0.02 if path == "/0" else 0)
        running.remove(path)
        return echo(environ, start_response)

    with Caller(serve(slow_first)) as caller:
        caller.send(b"".join(get(f"/{number}") for number in range(20)))
        assert [caller.answer().json["PATH_INFO"] for _ in range(20)] == [
            f"/{number}" for number in range(20)
        ]


@pytest.mark.parametrize("piece_bytes", [1, 7, 100, 1_000])
def test_9_3_2_pipelined_in_any_pieces(port: int, piece_bytes: int) -> None:
    requests = b"".join(
        b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\r\n\r\n" % number for number in range(10)
    )
    pieces = [requests[at : at + piece_bytes] for at in range(0, len(requests), piece_bytes)]
    with Caller(port) as caller:
        caller.trickle(pieces)
        seen = [caller.answer().json for _ in range(10)]
    assert [(one["PATH_INFO"], one["body"]) for one in seen] == [(f"/{at}", "\r\n\r\n") for at in range(10)]


def test_9_3_2_one_read_with_2_000_pipelined_requests(serve: Serve) -> None:
    """llhttp delivers them all at once.  So many are answered, then the connection is closed, and its caller knows."""
    port = serve(echo, pipelined_max=10)
    smallest = b"GET / HTTP/1.1\r\nHost:\r\n\r\n"
    with Caller(port) as caller:
        found = answers(caller.send(smallest * 2_000).rest())
    assert [one.status for one in found] == [200] * 10
    assert [one.closes for one in found] == [False] * 9 + [True]


def test_9_3_2_what_is_refused_is_answered_behind_those_before_it(port: int) -> None:
    with Caller(port) as caller:
        found = answers(caller.send(get("/a") + get("/b") + b"GET / HTTP/1.1\r\n\r\n" + NEXT).rest())
    assert [one.status for one in found] == [200, 200, 400]
    assert [one.closes for one in found] == [False, False, True]


def test_9_3_2_nothing_is_read_behind_a_last_request(port: int) -> None:
    last = get("/last", b"Connection: close\r\n")
    for behind in (NEXT, b"\x00garbage", b"\r\n", b"GET"):
        for pieces in ([last + behind], [last, behind], [last[:-1], last[-1:] + behind]):
            with Caller(port) as caller:
                [only] = answers(caller.trickle(pieces).rest())
            assert only.json["PATH_INFO"] == "/last"


def test_9_3_2_half_a_request_behind_a_running_one(serve: Serve) -> None:
    go_on = Event()

    def waits(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        go_on.wait()
        return echo(environ, start_response)

    with Caller(serve(waits)) as caller:
        second = get("/second")
        caller.trickle([get("/first"), second[:5]])
        go_on.set()
        assert caller.answer().json["PATH_INFO"] == "/first"
        assert caller.is_silent()
        caller.send(second[5:])
        assert caller.answer().json["PATH_INFO"] == "/second"


def test_9_5_a_caller_that_closes_its_side_gets_its_answers(port: int) -> None:
    with Caller(port) as caller:
        found = answers(caller.send(get("/a") + get("/b")).half_close().rest())
    assert [one.json["PATH_INFO"] for one in found] == ["/a", "/b"]


def test_9_6_a_caller_that_is_refused_early_sees_why(serve: Serve) -> None:
    """Closed at once, the kernel would answer the rest of the body with a reset, which may destroy the answer."""
    port = serve(echo, body_bytes_max=1_000)
    body = b"x" * 4_000_000
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
    with Caller(port) as caller:
        caller.send(head + body)
        answer = caller.answer()
        assert (answer.status, answer.closes, answer.json["error"]) == (413, True, "body_too_large")
        assert caller.ends()


def test_9_6_a_caller_that_is_answered_before_it_is_read_sees_the_answer(port: int) -> None:
    with Caller(port) as caller:
        caller.send(get(fields=b"Connection: close\r\n") + b"x" * 4_000_000)
        assert caller.answer().status == 200
        assert caller.ends()


def test_9_6_no_request_is_taken_while_a_connection_lingers(start: Start) -> None:
    server, port = start(echo)
    with Caller(port) as caller:
        caller.trickle([b"nonsense\r\n\r\n", NEXT, NEXT])
        assert [one.status for one in answers(caller.rest())] == [400]
    assert server.answered == 0


def test_9_8_a_server_that_stops_says_so(start: Start) -> None:
    server, port = start(echo)
    with Caller(port) as caller:
        caller.send(get())
        assert not caller.answer().closes
        server.draining = True
        assert caller.send(get()).answer().closes
        assert caller.ends()


# Responses (6 and 7 from the other side)


def answering(
    *pieces: bytes, headers: tuple[tuple[str, str], ...] = (), status: str = "200 OK"
) -> Callable[..., Any]:
    def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        start_response(status, list(headers))
        yield from pieces

    return application


@pytest.mark.parametrize(
    ("version", "framing", "closes"), [(b"HTTP/1.1", "chunked", False), (b"HTTP/1.0", "close", True)]
)
def test_6_3_a_body_of_unknown_length(serve: Serve, version: bytes, framing: str, closes: bool) -> None:
    """In chunks where they are understood, else to the end of the connection, whatever its caller wished for."""
    with Caller(serve(answering(b"abc", b"", b"de"))) as caller:
        answer = caller.send(get(fields=b"Connection: keep-alive\r\n", version=version)).answer()
        assert (answer.body, answer.framing, answer.closes) == (b"abcde", framing, closes)
        assert answer.chunks == ((b"abc", b"de") if framing == "chunked" else ())
        assert caller.ends() if closes else caller.is_silent()


def test_6_2_a_body_of_known_length(serve: Serve) -> None:
    app = answering(b"abc", b"de", headers=(("Content-Length", "5"),))
    with Caller(serve(app)) as caller:
        for version, says in ((b"HTTP/1.1", None), (b"HTTP/1.0", "keep-alive")):
            answer = caller.send(get(fields=b"Connection: keep-alive\r\n", version=version)).answer()
            assert (answer.body, answer.framing, answer.headers.get("connection")) == (
                b"abcde",
                "length",
                says,
            )


def test_6_2_more_than_its_length_is_not_sent(serve: Serve) -> None:
    """It would be read as another answer."""
    app = answering(b"abc", b"HTTP/1.1 200 OK\r\n\r\n", headers=(("Content-Length", "5"),))
    with Caller(serve(app)) as caller:
        assert [caller.send(get()).answer().body for _ in range(3)] == [b"abcHT"] * 3
        assert caller.is_silent()


def test_6_2_less_than_its_length_ends_the_connection(serve: Serve) -> None:
    with Caller(serve(answering(b"abc", headers=(("Content-Length", "5"),)))) as caller:
        assert caller.send(get() + get()).rest().endswith(b"\r\n\r\nabc")


def test_8_a_body_that_breaks_off_is_not_ended(serve: Serve) -> None:
    def breaks(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        start_response("200 OK", [])
        yield b"abc"
        raise RuntimeError

    with Caller(serve(breaks)) as caller:
        assert caller.send(get() + get()).rest().endswith(b"\r\n\r\n3\r\nabc\r\n")


def test_a_server_is_of_use_again_behind_every_refusal(port: int) -> None:
    for wrong in (b"\x00", b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/2.0\r\n\r\n", b"GET /" + b"a" * 9_000):
        with Caller(port) as caller:
            assert caller.send(wrong + b"\r\n\r\n").answer().status >= 400
    with Caller(port) as caller:
        assert json.loads(caller.send(NEXT).answer().body)["PATH_INFO"] == "/next"
