"""RFC 9110, in its order: fields of answers, methods, expectations, upgrades, and what the server itself refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from gevent.event import Event

from tests.server.conftest import Serve
from tests.server.echo import NEXT, echo, refused, understood
from tests.server.raw import Answer, Caller, answers

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
HEAD = GET.replace(b"GET", b"HEAD")
EXPECTS = b"POST /%b HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n%b\r\n"


@pytest.fixture
def port(serve: Serve) -> int:
    return serve(echo)


def saying(status: str, *headers: tuple[str, str], body: Iterable[bytes] = ()) -> Callable[..., Any]:
    def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        start_response(status, list(headers))
        return body

    return application


def asked(port: int, request: bytes = GET, method: str = "GET") -> Answer:
    """Return the answer to *request*; its connection goes on, so it was neither longer nor shorter than it said."""
    with Caller(port) as caller:
        answer = caller.send(request).answer(method)
        assert not answer.closes
        assert caller.is_silent()
        assert caller.send(NEXT.replace(b"GET", method.encode())).answer(method).closes
    return answer


# 6.6.1 Date, 8.6 Content-Length


def test_6_6_1_date(serve: Serve) -> None:
    date = asked(serve(saying("200 OK"))).headers["date"]
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", date)
    assert parsedate_to_datetime(date).tzinfo is not None
    own = "Thu, 01 Jan 1970 00:00:00 GMT"
    assert asked(serve(saying("200 OK", ("date", own)))).headers["date"] == own


@pytest.mark.parametrize(
    ("body", "length"), [([], "0"), ([b""], "0"), ([b"abc"], "3"), ((b"abc",), "3"), ([b"a", b"b"], None)]
)
def test_8_6_the_length_of_a_body_that_is_at_hand(
    serve: Serve, body: Iterable[bytes], length: str | None
) -> None:
    answer = asked(serve(saying("200 OK", body=body)))
    assert (answer.headers.get("content-length"), answer.body) == (length, b"".join(body))


@pytest.mark.parametrize("body", [[], [b""], [b"abc"], [b"a", b"b"]])
@pytest.mark.parametrize("headers", [(), (("Content-Length", "3"),)])
@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_15_answers_without_content(
    serve: Serve, status: str, headers: tuple[tuple[str, str], ...], body: list[bytes]
) -> None:
    """With 204 no length either (8.6); with 304 it may be what a 200 would have had."""
    answer = asked(serve(saying(status, *headers, body=body)))
    assert "transfer-encoding" not in answer.headers
    assert answer.headers.get("content-length") == ("3" if headers and status.startswith("304") else None)


# 7.6.1 Connection and hop-by-hop fields


@pytest.mark.parametrize("value", ["close", "Close"])
def test_7_6_1_an_application_may_end_the_connection(serve: Serve, value: str) -> None:
    port = serve(saying("200 OK", ("Connection", value), body=[b"abc"]))
    with Caller(port) as caller:
        answer = caller.send(GET).answer()
        assert (answer.body, answer.closes) == (b"abc", True)
        assert caller.ends()


# 7.8 Upgrade


@pytest.mark.parametrize("upgrade", [b"websocket", b"h2c", b"TLS/1.0"])
@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
def test_7_8_an_upgrade_is_not_taken(port: int, upgrade: bytes, version: bytes) -> None:
    """Answered as if it had not been asked for, and nothing of another protocol is read as HTTP."""
    request = b"GET / HTTP/%b\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: %b\r\n\r\n" % (version, upgrade)
    assert understood(port, request, closes=True)["HTTP_UPGRADE"] == upgrade.decode()


def test_7_8_an_upgrade_without_connection_is_a_field_like_others(port: int) -> None:
    understood(port, b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n")


@pytest.mark.parametrize(
    "body",
    [b"Content-Length: 3\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"],
)
def test_7_8_an_upgrade_with_a_body(port: int, body: bytes) -> None:
    """llhttp takes the body for the other protocol's; it would be lost, or be read as a request."""
    head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n"
    refused(port, head + body, 400, "upgrade_with_body")
    understood(port, head + b"Content-Length: 0\r\n\r\n", closes=True)


# 9.3.2 HEAD


@pytest.mark.parametrize(
    ("headers", "body", "length"),
    [
        ((), [b"abc"], "3"),
        ((), [b"a", b"b"], None),
        ((), [], None),
        ((("Content-Length", "7"),), [], "7"),
        ((("Content-Length", "7"),), [b"1234567"], "7"),
    ],
)
def test_9_3_2_head_is_get_without_content(
    serve: Serve, headers: tuple[tuple[str, str], ...], body: list[bytes], length: str | None
) -> None:
    answer = asked(serve(saying("200 OK", *headers, body=body)), HEAD, "HEAD")
    assert "transfer-encoding" not in answer.headers
    if length is not None:
        assert answer.headers["content-length"] == length


def test_9_3_2_a_generator_is_not_run_further_for_head(serve: Serve) -> None:
    ran = []

    def pieces() -> Iterable[bytes]:
        for number in range(5):
            ran.append(number)
            yield b"abc"

    asked(serve(saying("200 OK", body=pieces())), HEAD, "HEAD")
    assert ran == [0]


def test_9_3_2_a_refusal_of_head_on_a_connection_that_goes_on(serve: Serve) -> None:
    """Its body would be read as the next answer."""
    go_on, begun = Event(), Event()

    def waits(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        begun.set()
        go_on.wait()
        return echo(environ, start_response)

    port = serve(waits, in_flight_max=1)
    with Caller(port) as first, Caller(port) as second:
        first.send(GET)
        begun.wait()
        answer = second.send(HEAD).answer("HEAD")
        assert (answer.status, int(answer.headers["content-length"]) > 10) == (503, True)
        assert second.is_silent()
        go_on.set()
        assert first.answer().status == 200
        assert second.send(NEXT).answer().json["PATH_INFO"] == "/next"


def test_9_3_7_options(port: int) -> None:
    assert understood(port, b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")["RAW_URI"] == "*"


# 10.1.1 Expect


def test_10_1_1_a_caller_that_waits_is_told_to_go_on(port: int) -> None:
    with Caller(port) as caller:
        caller.send(EXPECTS % (b"", b"Content-Length: 3\r\n"))
        interim = caller.answer()
        assert (interim.status, interim.headers) == (100, {})
        assert caller.is_silent()
        assert caller.send(b"abc").answer().json["body"] == "abc"
        assert caller.is_silent()


def test_10_1_1_byte_by_byte_it_is_told_once(port: int) -> None:
    with Caller(port) as caller:
        caller.byte_by_byte(EXPECTS % (b"", b"Transfer-Encoding: chunked\r\n") + b"3\r\nabc\r\n0\r\n\r\n")
        assert [caller.answer().status for _ in range(2)] == [100, 200]
        assert caller.is_silent()


@pytest.mark.parametrize("value", [b"100-Continue", b"100-CONTINUE"])
def test_10_1_1_in_any_case(port: int, value: bytes) -> None:
    head = (EXPECTS % (b"", b"Content-Length: 3\r\n")).replace(b"100-continue", value)
    with Caller(port) as caller:
        assert caller.send(head).answer().status == 100


@pytest.mark.parametrize("body", [b"abc", b"a"])
def test_10_1_1_not_when_the_body_is_coming_already(port: int, body: bytes) -> None:
    with Caller(port) as caller:
        caller.trickle([EXPECTS % (b"", b"Content-Length: 3\r\n") + body, b"abc"[len(body) :]])
        assert caller.answer().json["body"] == "abc"


def test_10_1_1_not_without_a_body(port: int) -> None:
    with Caller(port) as caller:
        assert caller.send(EXPECTS % (b"", b"")).answer().status == 200


def test_10_1_1_not_with_http_1_0(port: int) -> None:
    with Caller(port) as caller:
        caller.send((EXPECTS % (b"", b"Content-Length: 3\r\n")).replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert caller.is_silent()
        assert caller.send(b"abc").answer().json["body"] == "abc"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (b"Content-Length: 2000\r\n", 413),
        (b"Content-Length: 3\r\nA: %b\r\n" % (b"b" * 2_000), 431),
        (b"Content-Length: 3\r\n" + b"A: b\r\n" * 20, 431),
        (b"Content-Length: 3\r\nHost: b\r\n", 400),
    ],
)
def test_10_1_1_only_when_the_head_passes(serve: Serve, fields: bytes, status: int) -> None:
    port = serve(echo, body_bytes_max=1_000, header_bytes_max=1_000, headers_max=10)
    with Caller(port) as caller:
        [only] = answers(caller.send(EXPECTS % (b"", fields)).rest())
    assert only.status == status


def test_10_1_1_behind_the_answers_before_it(serve: Serve) -> None:
    go_on = Event()

    def waits(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        go_on.wait()
        return echo(environ, start_response)

    with Caller(serve(waits)) as caller:
        caller.send(GET + EXPECTS % (b"second", b"Content-Length: 3\r\n"))
        assert caller.is_silent()
        go_on.set()
        assert [caller.answer().status for _ in range(2)] == [200, 100]
        assert caller.send(b"abc").answer().json["PATH_INFO"] == "/second"


def test_10_1_1_not_to_a_caller_that_has_begun_while_others_were_answered(serve: Serve) -> None:
    go_on = Event()

    def waits(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        go_on.wait()
        return echo(environ, start_response)

    with Caller(serve(waits)) as caller:
        caller.trickle([GET + EXPECTS % (b"second", b"Transfer-Encoding: chunked\r\n"), b"3\r\n"])
        go_on.set()
        assert caller.answer().status == 200
        assert caller.is_silent()
        assert caller.send(b"abc\r\n0\r\n\r\n").answer().json["body"] == "abc"


@pytest.mark.parametrize("value", [b"200-ok", b"100-continue, x", b"", b"100-continue;a=b"])
def test_10_1_1_other_expectations(port: int, value: bytes) -> None:
    request = (EXPECTS % (b"", b"Content-Length: 3\r\n")).replace(b"100-continue", value) + b"abc"
    refused(port, request, 417, "expect")


# 15 Statuses that the server itself gives

REFUSALS = {
    400: b"nonsense\r\n\r\n",
    413: b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n",
    414: b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"a" * 600),
    417: b"GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n",
    431: b"GET / HTTP/1.1\r\nHost: a\r\nA: %b\r\n\r\n" % (b"b" * 2_000),
    501: b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    505: b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
}


@pytest.mark.parametrize("status", REFUSALS)
def test_15_refusals_are_json_like_all_others_of_ours(serve: Serve, status: int) -> None:
    port = serve(echo, body_bytes_max=1_000, header_bytes_max=1_000, request_line_bytes_max=500)
    with Caller(port) as caller:
        [only] = answers(caller.send(REFUSALS[status] + NEXT).rest())
    assert (only.status, only.closes, only.framing) == (status, True, "length")
    assert set(only.headers) == {"date", "content-type", "content-length", "connection"}
    assert set(json.loads(only.body)) == {"error", "message"}


def test_15_a_request_that_is_too_slow(serve: Serve) -> None:
    port = serve(echo, header_timeout_s=0.3, body_timeout_s=0.3)
    for half, reason in (
        (b"GET / HT", "head_too_slow"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na", "body_too_slow"),
    ):
        with Caller(port) as caller:
            [only] = answers(caller.send(half).rest())
        assert (only.status, only.json["error"]) == (408, reason)


def test_15_503_says_when_to_come_back(serve: Serve) -> None:
    port = serve(echo, connections_max=1)
    with Caller(port) as first:
        assert first.send(GET).answer().status == 200
        with Caller(port) as second:
            [only] = answers(second.rest())
    assert (only.status, only.json["error"], only.headers["retry-after"]) == (503, "connections_max", "1")
