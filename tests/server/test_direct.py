"""The direct way past WSGI: an answer that is a plain value is the same answer, in every case that HTTP knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import gevent
import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from gateway.domain.http import WITHOUT_CONTENT, Response, status_line
from gateway.server.response import BadResponse, encode_head, encode_response
from tests.server.conftest import Serve, Start
from tests.server.echo import NEXT
from tests.server.raw import Caller
from tests.server.telling import told
from tests.support.waiting import GUARD_S, until

Environ = dict[str, Any]
GET = b"GET /direct HTTP/1.1\r\nHost: a\r\n\r\n"


class Answering:
    """An application that answers ``/direct...`` with what *answer* returns, and everything else as WSGI wants it."""

    def __init__(self, answer: Callable[[Environ], Response]) -> None:
        self._answer = answer

    def direct(self, environ: Environ) -> Response | None:
        return self._answer(environ) if environ["PATH_INFO"].startswith("/direct") else None

    def __call__(self, environ: Environ, start_response: Callable[..., object]) -> Iterable[bytes]:
        response = self._answer(environ)
        own = () if response.status in WITHOUT_CONTENT else (("Content-Type", response.content_type),)
        start_response(status_line(response.status), [*own, *response.headers])
        return (response.body,)


RESPONSES = [
    Response(200, b"body", "application/json"),
    Response(200, b""),
    Response(201, b"made", headers=(("Location", "/there"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"))),
    Response(200, b"last", headers=(("Connection", "close"),)),
    Response(200, b"old", headers=(("Date", "Thu, 01 Jan 1970 00:00:00 GMT"),)),
    Response(200, b"counted", headers=(("Content-Length", "7"),)),
    Response(204),
    Response(204, b"no content may have one", headers=(("X-Own", "yes"),)),
    Response(304, headers=(("ETag", '"1"'),)),
    Response(404, b"\xff\x00", "application/octet-stream"),
    Response(413, b"too large"),
    Response(503, b"later", headers=(("Retry-After", "1"),)),
    Response(599, b"of nobody's"),
    Response(200, b"x" * 1_000_000),
]


@pytest.mark.parametrize("http_1_1", [True, False])
@pytest.mark.parametrize("fields", [b"", b"Connection: close\r\n", b"Connection: keep-alive\r\n"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("response", RESPONSES, ids=lambda response: str(response.status))
def test_it_is_the_answer_that_wsgi_would_be(
    serve: Serve, response: Response, method: str, fields: bytes, http_1_1: bool
) -> None:
    port = serve(Answering(lambda _: response))

    def ask(path: bytes) -> tuple[object, bool]:
        version = b"HTTP/1.1" if http_1_1 else b"HTTP/1.0"
        with Caller(port) as caller:
            caller.send(b"%b %b %b\r\nHost: a\r\n%b\r\n" % (method.encode(), path, version, fields))
            answer = caller.answer(method)
            goes_on = not answer.closes
            assert goes_on == (not caller.ends() if not goes_on else caller.is_silent())
        answer.headers["date"] = answer.headers["date"][:16]
        return (answer.status, answer.headers, answer.body), goes_on

    assert ask(b"/direct") == ask(b"/wsgi")


@example(304, "\x1f", b"")
@given(
    status=some.integers(0, 999),
    content_type=some.text(max_size=8) | some.sampled_from(["text/plain", "a\r\nb: c", "é"]),
    body=some.binary(max_size=20),
)
def test_the_short_way_of_writing_a_head_writes_the_same(status: int, content_type: str, body: bytes) -> None:
    """Twice each: the second time it is remembered."""
    response = Response(status, body, content_type)
    own = [] if status in WITHOUT_CONTENT else [("Content-Type", content_type)]
    line: dict[str, Any] = {
        "date_line": b"Date: now\r\n", "is_head": False, "http_1_1": True, "keep_alive": True
    }  # fmt: skip
    try:
        head = encode_head(status_line(status), own, body_length=len(body), **line)[0]
    except BadResponse:
        for _ in range(2):
            with pytest.raises(BadResponse):
                encode_response(response, **line)
        return
    for _ in range(2):
        assert encode_response(response, **line) == (head + (body if own else b""), True)


def test_it_is_given_what_the_request_says_and_nothing_else(serve: Serve) -> None:
    """No environ is made for it; what a stranger says of another caller is not there either."""
    seen: list[Environ] = []

    def answer(environ: Environ) -> Response:
        seen.append(environ)
        return Response(200)

    port = serve(Answering(answer))
    with Caller(port) as caller:
        caller.send(
            b"PUT /direct/%C3%A9?a=%20 HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\nX-Real-IP: 192.0.2.1\r\n"
            b"Content-Length: 2\r\nContent-Type: text/x\r\nX-Own: yes\r\n\r\nhi"
        ).answer("PUT")
        own_port = caller.sock.getsockname()[1]
    assert seen == [
        {
            "REQUEST_METHOD": "PUT",
            "PATH_INFO": "/direct/Ã©",
            "QUERY_STRING": "a=%20",
            # The peer itself, because it has said something of others; else there is no need to know.
            "REMOTE_ADDR": "127.0.0.1",
            "REMOTE_PORT": str(own_port),
            "HTTP_HOST": "a",
            "HTTP_X_OWN": "yes",
            "CONTENT_LENGTH": "2",
            "CONTENT_TYPE": "text/x",
            "gateway.body": b"hi",
        }
    ]


def test_who_guards_an_application_is_not_passed_by(serve: Serve) -> None:
    """Also if it passes the application's attributes on."""

    class Guard:
        def __init__(self, inner: object) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> object:
            return getattr(self._inner, name)

        def __call__(self, environ: Environ, start_response: Callable[..., object]) -> Iterable[bytes]:
            start_response("403 Forbidden", [])
            return [b""]

    with Caller(serve(Guard(Answering(lambda _: Response(200))))) as caller:
        assert caller.send(GET).answer().status == 403


def test_what_has_not_begun_when_the_server_stops_is_not_done(start: Start) -> None:
    """Both have come in one turn of the loop, and one of them stops the server."""
    ran: list[str] = []

    def answer(environ: Environ) -> Response:
        ran.append(environ["QUERY_STRING"])
        server.stop()
        return Response(200)

    server, port = start(Answering(answer))
    with Caller(port) as one, Caller(port) as other:
        until("both are connected", lambda: len(server.connections) == 2)
        one.send(GET.replace(b"direct", b"direct?stop"))
        other.send(GET.replace(b"direct", b"direct?stop"))
        assert one.ends()
        assert other.ends()
    assert ran == ["stop"]
    assert server.in_flight == 0


def test_a_trusted_peer_is_believed(serve: Serve) -> None:
    port = serve(Answering(lambda environ: Response(200, environ["REMOTE_ADDR"].encode())), trusted="127.0.0.1")
    with Caller(port) as caller:
        assert caller.send(GET.replace(b"a\r\n", b"a\r\nX-Forwarded-For: 192.0.2.1\r\n")).answer().body == b"192.0.2.1"


def _raise(error: BaseException) -> Response:
    raise error


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: _raise(ZeroDivisionError()),
        lambda _: _raise(gevent.Timeout()),
        lambda _: _raise(gevent.GreenletExit()),
        lambda _: Response(200, b"", headers=(("X-Split", "a\r\nb: c"),)),
        lambda _: Response(200, b"", "text/plain\r\n\r\n"),
        lambda _: Response(200, b"", headers=(("Transfer-Encoding", "chunked"),)),
        lambda _: Response(100),
        lambda _: Response(200, b"abcHTTP/1.1 200 EVIL", headers=(("Content-Length", "3"),)),
        lambda _: Response(200, b"abc", headers=(("Content-Length", "30"),)),
        lambda _: Response(200, "text"),
        lambda _: "no response at all",
    ],
)
def test_what_cannot_be_an_answer_is_one_500_and_the_end(serve: Serve, answer: Callable[..., Any]) -> None:
    port = serve(Answering(answer))
    with told("request.crashed") as crashed, Caller(port) as caller:
        answered = caller.send(GET + NEXT).answer()
        assert (answered.status, answered.closes, answered.json["error"]) == (500, True, "crashed")
        assert caller.ends()
    assert len(crashed.events) == 1


def test_whole_answers_and_refused_ones_are_told(serve: Serve) -> None:
    """Once each, and behind the last byte."""
    outcomes: list[bool] = []

    def answer(environ: Environ) -> Response:
        bad = (("X-Bad", "\n"),) if environ["QUERY_STRING"] else ()
        return Response(200, b"body", "text/plain", bad, outcomes.append)

    port = serve(Answering(answer))
    with Caller(port) as caller:
        assert caller.send(GET).answer().body == b"body"
        until("told", lambda: outcomes)
        assert caller.send(GET).answer().body == b"body"
        until("told", lambda: len(outcomes) == 2)
        assert caller.send(GET.replace(b"direct", b"direct?bad")).answer().status == 500
    until("told", lambda: len(outcomes) == 3)
    assert outcomes == [True, True, False]


def test_an_answer_that_nobody_takes_is_told(start: Start) -> None:
    outcomes: list[bool] = []

    def answer(_: Environ) -> Response:
        return Response(200, b"x" * 50_000_000, written=outcomes.append)

    server, port = start(Answering(answer))
    caller = Caller(port, receive_buffer_bytes=4_096)
    caller.send(GET)
    until("it is written", lambda: any(each.writer.blocked for each in server.connections))
    caller.reset()
    until("told", lambda: outcomes)
    assert outcomes == [False]


def test_it_may_wait_while_others_are_answered(serve: Serve) -> None:
    go = gevent.event.Event()

    def answer(environ: Environ) -> Response:
        if environ["QUERY_STRING"]:
            assert go.wait(GUARD_S)
        return Response(200, environ["QUERY_STRING"].encode())

    port = serve(Answering(answer))
    with Caller(port) as waiting, Caller(port) as other:
        waiting.send(GET.replace(b"direct", b"direct?wait"))
        assert other.send(GET).answer().body == b""
        assert waiting.is_silent()
        go.set()
        assert waiting.answer().body == b"wait"


def test_a_process_that_stops_says_so_with_the_last_answer(start: Start) -> None:
    go, began = gevent.event.Event(), gevent.event.Event()

    def answer(_: Environ) -> Response:
        began.set()
        assert go.wait(GUARD_S)
        return Response(200, b"last")

    server, port = start(Answering(answer))
    with Caller(port) as caller:
        caller.send(GET)
        assert began.wait(GUARD_S)
        draining = gevent.spawn(server.drain, float("inf"))
        until("it drains", lambda: server.draining)
        go.set()
        answered = caller.answer()
        assert (answered.body, answered.closes) == (b"last", True)
        assert caller.ends()
    draining.join(GUARD_S)


def test_the_access_log_has_it(serve: Serve) -> None:
    port = serve(Answering(lambda _: Response(404, b"none")), access_log_ratio=1.0)
    with told("http.answered") as answered, Caller(port) as caller:
        caller.send(GET).answer()
    assert [(one["method"], one["path"], one["outcome"]) for one in answered.events] == [("GET", "/direct", "404")]
