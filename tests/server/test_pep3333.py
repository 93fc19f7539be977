"""PEP 3333: what an application is given, and what becomes of whatever it does with it."""

from __future__ import annotations

import sys
import wsgiref.validate
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from tests.server.conftest import Serve
from tests.server.echo import NEXT
from tests.server.pep3333 import GET, PLAIN, POST, Closing, Environ, ask
from tests.server.raw import Caller
from tests.support.waiting import until


def test_the_environ(serve: Serve) -> None:
    seen: list[Environ] = []

    def application(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        seen.append(dict(environ))
        start_response("204 No Content", [])
        return []

    port = serve(application)
    with Caller(port) as caller:
        caller.send(GET).answer()
        own_port = caller.sock.getsockname()[1]
    [environ] = seen
    assert type(environ.pop("gateway.hold")) is type
    assert environ.pop("wsgi.input").read() == b""
    assert environ.pop("wsgi.errors") is sys.stderr
    assert environ == {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/path x",
        "QUERY_STRING": "a=b",
        "RAW_URI": "/path%20x?a=b",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": str(own_port),
        "HTTP_HOST": "localhost:8080",
        "HTTP_A_B": "c",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "gateway.body": b"",
    }


def test_the_environ_of_a_body(serve: Serve) -> None:
    def application(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", PLAIN)
        return [repr([environ[key] for key in ("CONTENT_TYPE", "CONTENT_LENGTH", "gateway.body")]).encode()]

    port = serve(application)
    assert ask(port).body == repr(["text/x", "14", b"one\ntwo\n\nthree"]).encode()
    chunked = POST.partition(b"Content-Length")[0] + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
    assert ask(port, chunked).body == repr(["text/x", "2", b"ab"]).encode()


def test_an_environ_is_the_requests_own(serve: Serve) -> None:
    """What an application puts into it, or takes out, is nothing to the next one."""
    sizes = []

    def application(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        assert type(environ) is dict
        sizes.append(len(environ))
        environ["own"] = environ.pop("wsgi.errors")
        environ["more"] = 1
        start_response("200 OK", PLAIN)
        return []

    with Caller(serve(application)) as caller:
        for _ in range(3):
            assert caller.send(GET).answer().status == 200
    assert len(set(sizes)) == 1


def read_all(body: Any) -> list[bytes]:
    return [body.read(), body.read(), body.readline(), *body.readlines(), *body]


def read_pieces(body: Any) -> list[bytes]:
    return [body.read(1), body.read(0), body.read(100), body.read(100)]


def read_lines(body: Any) -> list[bytes]:
    return [body.readline(), body.readline(2), body.readline(), *body.readlines()]


READS: list[tuple[Callable[[Any], list[bytes]], list[bytes]]] = [
    (read_all, [b"one\ntwo\n\nthree", b"", b""]),
    (read_pieces, [b"o", b"", b"ne\ntwo\n\nthree", b""]),
    (read_lines, [b"one\n", b"tw", b"o\n", b"\n", b"three"]),
    (list, [b"one\n", b"two\n", b"\n", b"three"]),
    (lambda body: body.readlines(5), [b"one\n", b"two\n"]),
]


@pytest.mark.parametrize(("read", "seen"), READS)
def test_the_input(serve: Serve, read: Callable[[Any], list[bytes]], seen: list[bytes]) -> None:
    def application(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", PLAIN)
        return [repr(read(environ["wsgi.input"])).encode()]

    assert ask(serve(application)).body == repr(seen).encode()


def test_the_input_need_not_be_read(serve: Serve) -> None:
    def application(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", PLAIN)
        return [environ["PATH_INFO"].encode()]

    with Caller(serve(application)) as caller:
        caller.send(POST + NEXT)
        assert [caller.answer().body for _ in range(2)] == [b"/", b"/next"]


@pytest.mark.filterwarnings("ignore:Unknown REQUEST_METHOD")
@pytest.mark.parametrize("request_", [GET, POST, GET.replace(b"GET", b"HEAD"), GET.replace(b"1.1", b"1.0")])
@pytest.mark.parametrize("with_write", [False, True])
def test_wsgiref_finds_nothing_wrong(serve: Serve, request_: bytes, with_write: bool) -> None:
    """The validator stands between both sides; it asserts, which would be a 500."""

    def application(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"]
        first = [body.read(1), body.readline(), body.read(2), *body.readlines(), *body]
        environ["wsgi.errors"].flush()
        try:
            start_response("404 Not Found", [*PLAIN, ("A", "b")])
            raise KeyError("replaced before a byte of it was sent")
        except KeyError:
            write = start_response("200 OK", [*PLAIN, ("A", "c")], sys.exc_info())
        if with_write:
            write(b"written ")
            write(b"")
        return iter([b"", b"yielded ", b"", b"".join(first)])

    port = serve(wsgiref.validate.validator(application))
    method = request_.partition(b" ")[0].decode()
    with Caller(port) as caller:
        answer = caller.send(request_).answer(method)
    assert (answer.status, answer.headers["a"]) == (200, "c")
    body = b"one\ntwo\n\nthree" if request_ is POST else b""
    whole = (b"written " if with_write else b"") + b"yielded " + body
    assert answer.body == (b"" if method == "HEAD" else whole)


def test_write_comes_before_what_is_returned(serve: Serve) -> None:
    def application(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        write = start_response("200 OK", PLAIN)
        write(b"a")
        write(b"b")
        return [b"c"]

    answer = ask(serve(application))
    assert (answer.body, answer.framing) == (b"abc", "chunked")


@pytest.mark.parametrize("pieces", [[], [b""], [b"abc"], [b"a", b"b"]])
@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "nonsense"])
def test_close_is_called_once_whatever_happens(
    serve: Serve, pieces: list[bytes], fails: bool, status: str
) -> None:
    bodies: list[Closing] = []

    def application(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response(status, PLAIN)
        bodies.append(Closing(pieces, fails=fails))
        return bodies[-1]

    with Caller(serve(application)) as caller:
        caller.send(POST + NEXT).rest()
    assert bodies
    assert [body.closed for body in bodies] == [1] * len(bodies)


def test_close_is_called_when_the_reader_has_gone(serve: Serve) -> None:
    bodies: list[Closing] = []

    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 65_536

    def application(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", PLAIN)
        bodies.append(Closing(endless()))
        return bodies[-1]

    caller = Caller(serve(application)).send(POST)
    assert caller.sock.recv(1)
    caller.reset()
    until("the body is closed", lambda: bodies[0].closed)


def test_a_generator_may_begin_its_response_late(serve: Serve) -> None:
    def application(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        yield b""
        start_response("200 OK", PLAIN)
        yield b"abc"

    assert ask(serve(application)).body == b"abc"


def test_an_error_behind_the_head_ends_the_answer_where_it_is(serve: Serve) -> None:
    """start_response raises it again, and the caller sees that the rest is missing."""
    raised: list[BaseException] = []

    def application(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", PLAIN)
        yield b"abc"
        try:
            raise KeyError("late")
        except KeyError as error:
            try:
                start_response("500 Internal Server Error", PLAIN, sys.exc_info())
            except KeyError as again:
                raised.extend((error, again))
                raise

    with Caller(serve(application)) as caller:
        assert caller.send(POST + NEXT).rest().endswith(b"\r\n\r\n3\r\nabc\r\n")
    assert len(raised) == 2
    assert raised[0] is raised[1]


def test_the_headers_of_a_replaced_response_are_gone(serve: Serve) -> None:
    def application(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "100"), ("Set-Cookie", "a=b")])
        try:
            raise KeyError
        except KeyError:
            start_response("400 Bad Request", PLAIN, sys.exc_info())
        return [b"sorry"]

    answer = ask(serve(application))
    assert (answer.status, answer.headers["content-length"], "set-cookie" in answer.headers) == (
        400,
        "5",
        False,
    )


def test_headers_that_come_twice(serve: Serve) -> None:
    def application(environ: Environ, start_response: Callable[..., Any]) -> Any:
        start_response("200 OK", [("Set-Cookie", "a=b"), ("Set-Cookie", "c=d"), ("X", "caf\xe9 \t")])
        return [b"abc"]

    with Caller(serve(application)) as caller:
        head = caller.send(NEXT).rest().partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert head[2:5] == [b"Set-Cookie: a=b", b"Set-Cookie: c=d", b"X: caf\xe9 \t"]


def test_a_write_that_is_kept_reaches_no_other_answer(serve: Serve) -> None:
    kept: list[Callable[[bytes], None]] = []

    def application(environ: Environ, start_response: Callable[..., Any]) -> Any:
        kept.append(start_response("200 OK", PLAIN))
        for write in kept[:-1]:
            write(b"evil")
        return [b"abc"]

    with Caller(serve(application)) as caller:
        for _ in range(3):
            assert caller.send(GET).answer().body == b"abc"
        assert caller.is_silent()
