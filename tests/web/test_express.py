"""Express and Flask are one application: whatever is asked, through the table and past it the answer is the same."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from wsgiref.types import WSGIApplication, WSGIEnvironment
from wsgiref.validate import validator

import flask
import gevent
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some
from werkzeug.test import EnvironBuilder, run_wsgi_app

from gateway.domain.errors import Overloaded, Unauthentic
from gateway.domain.http import Request, Response, json_response, text_response
from gateway.web.express import Express, Route

BODY_BYTES_MAX = 1_000
BODY_TIMEOUT_S = 0.1


def echo(request: Request, *values: str) -> Response:
    """Answer with all that a handler can see."""
    seen = {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "values": values,
        "headers": {name: request.headers[name] for name in sorted(request.headers)},
        "missing": request.header("x-not-there"),
        "body": request.body,
    }
    return json_response(seen, 202, (("X-Own", "yes"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")))


def refuse(request: Request) -> Response:
    raise Unauthentic("not you", reason="no_secret")


def postpone(request: Request) -> Response:
    raise Overloaded("not now", reason="lane_full", retry_after_s=1.7)


def crash(request: Request) -> Response:
    raise ZeroDivisionError


def answering(status: int) -> Callable[[Request], Response]:
    return lambda _: Response(status, b"" if status in {204, 304} else b"body", "text/plain")


ROUTES = [
    Route(("GET",), "/healthz", lambda _: text_response("ok\n"), name="healthz"),
    Route(("GET", "POST"), "/hooks/<channel>/<account>", echo, name="hooks"),
    Route(("POST",), "/deep/er/<one>", echo, name="deep"),
    Route(("PUT", "DELETE"), "/things", echo, name="things"),
    Route(("GET",), "/refuse", refuse, name="refuse"),
    Route(("GET",), "/postpone", postpone, name="postpone"),
    Route(("GET",), "/crash", crash, name="crash"),
    *(
        Route(("GET",), f"/{status}", answering(status), name=f"s{status}")
        for status in (200, 204, 304, 404, 599)
    ),
]
METHODS = ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "BREW", "get")
PATHS = (
    "/", "", "/healthz", "/healthz/", "//healthz", "/HEALTHZ", "/healthz.", "/healthz%00", "/healthz;a=b",
    "/hooks", "/hooks/", "/hooks/slack", "/hooks/slack/", "/hooks/slack/shop", "/hooks/slack/shop/",
    "/hooks//shop", "//hooks/slack/shop", "/hooks/slack//shop", "/hooks/slack/shop//", "/hooks/slack/shop/more",
    "/hooks/../healthz", "/hooks/./shop", "/hooks/../shop", "/./healthz", "/hooks/sl%61ck/shop", "/hooks/slack/sh%2Fop",
    "/hooks/slack/%2e%2e", "/hooks/slack/%E2%82%AC", "/hooks/slack/%ff", "/hooks/slack/a b", "/hooks/slack/a%20b",
    "/hooks/slack/shop?x=1&y=%20", "/hooks/slack/shop?", "/hooks/slack/" + "a" * 5_000, "/hooks/släck/shop",
    "/hooks/slack/shop~1_2.3-4", "/hooks/slack/a+b", "/hooks/slack/a@b", "/hooks/slack/<account>",
    "/hooks/slack/shop\n",
    "/deep/er/one", "/deep/er", "/deep/xx/one", "/things", "/things/", "/refuse", "/postpone", "/crash",
    "/200", "/204", "/304", "/404", "/599", "/static/x", "/favicon.ico", "/nothing", "/%",
)  # fmt: skip


def _express(app: flask.Flask, routes: Iterable[Route]) -> Express:
    return Express(app, routes, body_bytes_max=BODY_BYTES_MAX, body_timeout_s=BODY_TIMEOUT_S)


def built(*routes: Route) -> tuple[WSGIApplication, WSGIApplication]:
    """Return the application with its table, and Flask alone behind it."""
    app = flask.Flask(__name__)
    return _express(app, routes), app.wsgi_app


EXPRESS, FLASK = built(*ROUTES)


def environ(method: str, path: str, body: bytes = b"") -> WSGIEnvironment:
    return EnvironBuilder(
        path, method=method, data=body, headers={"X-Given": "1, 2", "Cookie": "c=d"}
    ).get_environ()


def answer(app: WSGIApplication, request: WSGIEnvironment) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return status (its phrase is nobody's, RFC 9112, section 4), headers in an order of their own, and body."""
    pieces, status, headers = run_wsgi_app(app, request)
    return int(status[:3]), sorted((name.title(), value) for name, value in headers), b"".join(pieces)


def assert_same(make: Callable[[], WSGIEnvironment]) -> tuple[int, list[tuple[str, str]], bytes]:
    through_table = answer(EXPRESS, make())
    assert through_table == answer(FLASK, make())
    return through_table


@pytest.mark.parametrize("path", PATHS)
def test_same_answer(path: str) -> None:
    """Every method on every path: same status, headers and body."""
    for method in METHODS:
        assert_same(lambda method=method: environ(method, path, b"abc" if method == "POST" else b""))


@given(
    method=some.sampled_from(METHODS),
    path=some.lists(
        some.sampled_from(
            ["hooks", "slack", "deep", "er", "healthz", "", ".", "..", "%2F", "é", "a b", "\x00", ";"]
        )
        | some.text(max_size=3),
        max_size=6,
    ).map("/".join),
)
def test_same_answer_to_anything(method: str, path: str) -> None:
    """The same for paths that nobody thought of, as a server hands them over: decoded, whatever is in them."""

    def make() -> WSGIEnvironment:
        made = environ(method, "/")
        made["PATH_INFO"] = "/" + path.encode("utf-8", "surrogatepass").decode("latin-1")
        return made

    assert_same(make)


HEADERS = (
    {},
    {"HTTP_HOST": "example.org:8080"},
    {"HTTP_HOST": ""},
    {"HTTP_HOST": "a b<>"},
    {"HTTP_HOST": "[::1"},
    {"CONTENT_TYPE": "application/json; charset=utf-8"},
    {"CONTENT_TYPE": "\xff\x80"},
    {"HTTP_X_ODD": "\xe9\x80"},
    {"HTTP_CONTENT_TYPE": "text/evil"},
    {"HTTP_X_HTTP_METHOD_OVERRIDE": "DELETE"},
    {"SCRIPT_NAME": "/below"},
    {"HTTP_CONNECTION": "Upgrade", "HTTP_UPGRADE": "websocket"},
    {"HTTP_EXPECT": "100-continue"},
)


@pytest.mark.parametrize("given_", HEADERS)
def test_same_answer_to_odd_headers(given_: dict[str, str]) -> None:
    """What a header says changes nothing about who answers."""
    for method, path in itertools.product(("GET", "POST"), ("/hooks/slack/shop", "/healthz", "/nothing")):
        assert_same(lambda method=method, path=path: {**environ(method, path, b"x"), **given_})


@pytest.mark.parametrize("size", [0, 1, BODY_BYTES_MAX, BODY_BYTES_MAX + 1, 10 * BODY_BYTES_MAX])
@pytest.mark.parametrize("announced", [True, False])
def test_bodies_are_bounded(size: int, announced: bool) -> None:
    """As many bytes as are allowed, and not one more, whether their number is announced or they come in chunks."""

    def make() -> WSGIEnvironment:
        made = environ("POST", "/hooks/slack/shop", b"x" * size)
        if not announced:
            made.pop("CONTENT_LENGTH", None)
            made.update({"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True})
        return made

    status, _, body = assert_same(make)
    if size <= BODY_BYTES_MAX:
        assert status == 202
        assert len(msgspec.json.decode(body, type=Echoed).body) == size
    else:
        assert status == 413
        assert msgspec.json.decode(body)["error"] == "body_too_large"


class Echoed(msgspec.Struct):
    body: bytes


def test_a_body_that_nobody_announced_is_not_waited_for() -> None:
    """Without Content-Length and without chunks there is no body (RFC 9112, section 6.3)."""

    def make() -> WSGIEnvironment:
        made = environ("POST", "/hooks/slack/shop")
        made.pop("CONTENT_LENGTH", None)
        made["wsgi.input"] = _Unreadable()
        return made

    assert assert_same(make)[0] == 202


@pytest.mark.parametrize("size", [0, 1, BODY_BYTES_MAX, BODY_BYTES_MAX + 1])
def test_a_body_that_the_server_has_read_is_taken_as_it_is(size: int) -> None:
    """Our own server hands it over as bytes: the stream is not touched, and the bound is the same."""

    def make() -> WSGIEnvironment:
        made = environ("POST", "/hooks/slack/shop", b"y" * size)
        made.update({"gateway.body": b"x" * size, "wsgi.input": _Unreadable()})
        return made

    status, _, body = assert_same(make)
    if size <= BODY_BYTES_MAX:
        assert (status, msgspec.json.decode(body, type=Echoed).body) == (202, b"x" * size)
    else:
        assert (status, msgspec.json.decode(body)["error"]) == (413, "body_too_large")


class _Unreadable:
    def read(self, size: int = -1) -> bytes:
        raise AssertionError("would block for ever on a kept-alive connection")


@pytest.mark.parametrize(
    "path", ["/healthz", "/hooks/slack/shop", "/nothing", "/refuse", "/postpone", "/crash"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "PATCH"])
def test_it_keeps_to_pep_3333(method: str, path: str) -> None:
    """wsgiref's validator watches both sides of the interface; a warning is an error here."""
    made = environ(method, path, b"abc" if method == "POST" else b"")
    result = validator(EXPRESS)(_plain(made), _start)
    try:
        for _ in result:
            pass
    finally:
        result.close()  # type: ignore[attr-defined]


def _plain(made: WSGIEnvironment) -> WSGIEnvironment:
    # The test client's own keys are not those of a server.
    return {
        name: value for name, value in made.items() if not name.startswith("werkzeug.") and value is not None
    }


def _start(
    status: str, headers: Iterable[tuple[str, str]], exc_info: object = None
) -> Callable[[bytes], object]:
    return lambda _: None


class Never:
    """A body of which the rest does not come."""

    def read(self, size: int = -1) -> bytes:
        gevent.get_hub().switch()
        raise AssertionError("woken by nobody")


@pytest.mark.parametrize("framing", [{"CONTENT_LENGTH": "10"}, {"HTTP_TRANSFER_ENCODING": "chunked"}])
@pytest.mark.parametrize("past_the_table", [False, True])
def test_a_body_that_does_not_come_is_given_up(framing: dict[str, str], past_the_table: bool) -> None:
    """The caller is told what to change, and whoever trickles bytes does not hold a greenlet for ever."""
    request = {**environ("POST", "/hooks/slack/shop"), "wsgi.input": Never(), **framing}
    status, _, body = answer(built(*ROUTES)[past_the_table], request)
    assert status == 408
    assert msgspec.json.decode(body) == {
        "error": "body_too_slow",
        "message": "expected the whole body within 0.1 s (server.body_timeout_s)",
    }


@pytest.mark.parametrize("past_the_table", [False, True])
@pytest.mark.parametrize("whole", [True, False])
def test_who_wants_to_know_is_told_once_whether_it_was_written(whole: bool, past_the_table: bool) -> None:
    """True after the server has asked for more than the body, False when it closed before; never both."""
    told: list[bool] = []

    def handler(_: Request) -> Response:
        return Response(200, b"body", written=told.append)

    app = built(Route(("GET",), "/told", handler, name="told"))[past_the_table]
    result = app(environ("GET", "/told"), _start)
    pieces = iter(result)
    assert next(pieces) == b"body"
    assert told == []
    if whole:
        assert list(pieces) == []
    result.close()  # type: ignore[attr-defined]
    result.close()  # type: ignore[attr-defined]
    assert told == [whole]


@pytest.mark.parametrize("path", ["/n/<int:id>", "/n/<key2>", "/n/<key", "/n/key>", "/n/<>"])
def test_a_placeholder_that_would_not_be_one_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="expected placeholders like <name>"):
        Route(("GET",), path, echo, name="n")


def test_errors_carry_their_remedy() -> None:
    """Refusals are JSON with their reason; "try later" says when; a crash says nothing of its cause."""
    status, headers, body = answer(EXPRESS, environ("GET", "/postpone"))
    assert (status, dict(headers)["Retry-After"]) == (503, "2")
    assert msgspec.json.decode(body) == {"error": "lane_full", "message": "not now"}
    assert answer(EXPRESS, environ("GET", "/refuse"))[0] == 401
    status, _, body = answer(EXPRESS, environ("GET", "/crash"))
    assert (status, body) == (500, b"Internal Server Error\n")


def test_the_table_is_used() -> None:
    """A hot route never enters Flask: otherwise all of the above would compare Flask with itself."""

    def entered(_: object, __: object) -> list[bytes]:
        raise AssertionError("Flask was asked")

    app = flask.Flask(__name__)
    app.wsgi_app = entered  # type: ignore[method-assign,assignment]
    express = _express(app, ROUTES)
    assert answer(express, environ("POST", "/hooks/slack/shop"))[0] == 202
    assert answer(express, environ("GET", "/healthz"))[0] == 200
    with pytest.raises(AssertionError, match="Flask was asked"):
        answer(express, environ("GET", "/nothing"))
