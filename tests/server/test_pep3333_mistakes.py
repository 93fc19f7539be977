"""What applications do wrong by PEP 3333: always one answer, a 500 of ours, and never a response that splits."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tests.server.conftest import Serve
from tests.server.pep3333 import PLAIN, Closing, Environ, is_500
from tests.server.telling import told


@pytest.mark.parametrize("pieces", [[], [b""], [b"", b""]])
def test_what_fails_before_the_first_byte_is_a_500(serve: Serve, pieces: list[bytes]) -> None:
    """The head waits for the first byte of the body."""

    def application(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", PLAIN)
        return Closing(pieces, fails=True)

    is_500(serve(application))


def no_start(environ: Environ, start_response: Callable[..., Any]) -> Any:
    return [b"abc"]


def no_start_and_nothing(environ: Environ, start_response: Callable[..., Any]) -> Any:
    return []


def twice(environ: Environ, start_response: Callable[..., Any]) -> Any:
    start_response("200 OK", PLAIN)
    start_response("200 OK", PLAIN)
    return [b"abc"]


def raises(environ: Environ, start_response: Callable[..., Any]) -> Any:
    raise ZeroDivisionError


def exits(environ: Environ, start_response: Callable[..., Any]) -> Any:
    start_response("200 OK", PLAIN)
    raise SystemExit(3)


def no_body(environ: Environ, start_response: Callable[..., Any]) -> Any:
    start_response("200 OK", PLAIN)


def text(environ: Environ, start_response: Callable[..., Any]) -> Any:
    start_response("200 OK", PLAIN)
    return "abc"


def texts(environ: Environ, start_response: Callable[..., Any]) -> Any:
    start_response("200 OK", PLAIN)
    return ["abc"]


def mutable(environ: Environ, start_response: Callable[..., Any]) -> Any:
    start_response("200 OK", PLAIN)
    return [bytearray(b"abc")]


def bare_bytes(environ: Environ, start_response: Callable[..., Any]) -> Any:
    start_response("200 OK", PLAIN)
    return b"abc"


def no_args(start_response: Callable[..., Any]) -> Any:
    return []


@pytest.mark.parametrize(
    "wrong",
    [
        no_start,
        no_start_and_nothing,
        twice,
        raises,
        exits,
        no_body,
        text,
        texts,
        mutable,
        bare_bytes,
        no_args,
    ],
)
def test_a_wrong_application_is_a_500(serve: Serve, wrong: Any) -> None:
    is_500(serve(wrong))


def test_what_is_wrong_is_told_and_what_an_application_raises_is_not_quoted(serve: Serve) -> None:
    """The text of an application's error may hold what a user wrote."""

    def quotes(environ: Environ, start_response: Callable[..., Any]) -> Any:
        raise ValueError("what a user wrote")

    with told("request.crashed") as crashed:
        is_500(serve(no_start))
        is_500(serve(quotes))
    ours, theirs = (event["detail"] for event in crashed.events)
    assert ours.startswith("the application did not call start_response; BadResponse in ")
    assert theirs.startswith("ValueError in ")
    assert "what a user wrote" not in theirs


@pytest.mark.parametrize(
    "status",
    [
        "",
        "200",
        "20 OK",
        "2000 OK",
        "100 Continue",
        "101 Switching Protocols",
        "600 Beyond",
        "abc OK",
        "200 OK\r\nA: b",
        "200 OK\n",
        "200 OK\x00",
        "200 \u20ac",
        "²00 OK",
        "200OK",
        b"200 OK",
        200,
        None,
    ],
)
def test_a_status_that_http_cannot_carry_is_a_500(serve: Serve, status: Any) -> None:
    def application(environ: Environ, start_response: Callable[..., Any]) -> Any:
        start_response(status, PLAIN)
        return [b"abc"]

    is_500(serve(application))


SPLITTING: list[Any] = [
    ("A", "b\r\nSet-Cookie: evil"),
    ("A", "b\nc"),
    ("A", "b\rc"),
    ("A", "b\x00"),
    ("A", "b\n"),
    ("A", "\u20ac"),
    ("A\r\nB", "c"),
    ("A:", "b"),
    ("A ", "b"),
    ("", "b"),
    ("\xe4", "b"),
    ("A", b"b"),
    (b"A", "b"),
    ("A", 1),
    ("A", None),
    ("A", "b", "c"),
    ("A",),
    ["A", "b"],
    None,
    ("Transfer-Encoding", "chunked"),
    ("transfer-encoding", "gzip"),
    ("Connection", "keep-alive"),
    ("Connection", "close, Upgrade"),
    ("Keep-Alive", "timeout=5"),
    ("Upgrade", "websocket"),
    ("TE", "trailers"),
    ("Trailer", "A"),
    ("Content-Length", "-1"),
    ("Content-Length", "+1"),
    ("Content-Length", ""),
    ("Content-Length", "1, 1"),
    ("Content-Length", "\u0663"),
    ("Content-Length", "0x1"),
]


@pytest.mark.parametrize("header", SPLITTING)
def test_a_header_that_http_cannot_carry_is_a_500(serve: Serve, header: Any) -> None:
    """It never splits a response.  The same twice: what is right is remembered, what is wrong must not be."""

    def application(environ: Environ, start_response: Callable[..., Any]) -> Any:
        start_response("200 OK", [*PLAIN, header])
        return [b"abc"]

    port = serve(application)
    for _ in range(2):
        assert b"evil" not in is_500(port).body


def test_two_lengths_are_a_500(serve: Serve) -> None:
    def application(environ: Environ, start_response: Callable[..., Any]) -> Any:
        start_response("200 OK", [("Content-Length", "3"), ("content-length", "3")])
        return [b"abc"]

    is_500(serve(application))
