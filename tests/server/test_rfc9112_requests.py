"""RFC 9112, sections 2 and 3, in their order: how a request begins, and for whom it is meant."""

from __future__ import annotations

import pytest

from tests.server.conftest import Serve
from tests.server.echo import NEXT, echo, refused, understood
from tests.server.raw import Caller

HOST = b"Host: localhost\r\n"


@pytest.fixture
def port(serve: Serve) -> int:
    return serve(echo)


def get(
    target: bytes = b"/", fields: bytes = HOST, *, method: bytes = b"GET", version: bytes = b"HTTP/1.1"
) -> bytes:
    return b"%b %b %b\r\n%b\r\n" % (method, target, version, fields)


# 2.2 Message parsing


@pytest.mark.parametrize("before", [b"\r\n", b"\r\n\r\n\r\n"])
def test_2_2_empty_lines_before_a_request_are_nothing(port: int, before: bytes) -> None:
    assert understood(port, before + get(b"/a"))["PATH_INFO"] == "/a"


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\nHost: localhost\n\n",
        b"GET / HTTP/1.1\r\nHost: localhost\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nA: b\n\r\n",
        b"GET / HTTP/1.1\rHost: localhost\r\r",
        b"GET / HTTP/1.1\r\nHost: local\rhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nA: b\rC: d\r\n\r\n",
        b"GET / HTTP/1.1\r\r\nHost: localhost\r\n\r\n",
    ],
)
def test_2_2_a_line_ends_with_both_of_its_characters(port: int, head: bytes) -> None:
    refused(port, head, 400, "malformed")


@pytest.mark.parametrize("space", [b" ", b"\t"])
def test_2_2_white_space_before_the_first_field(port: int, space: bytes) -> None:
    refused(port, b"GET / HTTP/1.1\r\n" + space + b"A: b\r\nHost: localhost\r\n\r\n", 400, "malformed")


# 2.3 HTTP version


@pytest.mark.parametrize("version", [b"HTTP/2.0", b"HTTP/0.9", b"RTSP/1.0"])
def test_2_3_versions_that_llhttp_reads_and_we_do_not_speak(port: int, version: bytes) -> None:
    refused(port, get(version=version), 505, "protocol")


@pytest.mark.parametrize(
    "version",
    [b"HTTP/1.2", b"HTTP/3.0", b"HTTP/11", b"HTTP/1.10", b"HTTP/1", b"http/1.1", b"HTTP 1.1", b"HTTP/1.1 "],
)
def test_2_3_versions_that_do_not_exist(port: int, version: bytes) -> None:
    refused(port, get(version=version), 400, "malformed")


def test_2_3_icecast(port: int) -> None:
    refused(port, get(method=b"SOURCE", version=b"ICE/1.0"), 505, "protocol")


def test_2_3_the_preface_of_http_2(port: int) -> None:
    refused(port, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "malformed")


def test_2_3_a_version_is_that_of_its_own_request(port: int) -> None:
    """Behind another one in the same read, with the same method and target."""
    with Caller(port) as caller:
        caller.send(get() + get(version=b"HTTP/1.0", fields=b"Connection: keep-alive\r\n") + NEXT)
        seen = [caller.answer() for _ in range(3)]
    assert [one.json["SERVER_PROTOCOL"] for one in seen] == ["HTTP/1.1", "HTTP/1.0", "HTTP/1.1"]


@pytest.mark.parametrize("cut", [0, 1, 4, 20])
def test_2_3_a_version_said_elsewhere_is_not_that_of_a_request(port: int, cut: int) -> None:
    """In the body before it, which may come in the same read."""
    decoy = b"GET / HTTP/1.1\r\n"
    first = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (len(decoy), decoy)
    whole = first + b"GET / HTTP/1.0\r\n\r\n"
    at = len(whole) - cut
    with Caller(port) as caller:
        caller.trickle([whole[:at], whole[at:]])
        assert caller.answer().json["body"] == decoy.decode()
        assert caller.answer().json["SERVER_PROTOCOL"] == "HTTP/1.0"
    for wrong in (b"GET / RTSP/1.0", b"GET  / HTTP/1.1"):
        with Caller(port) as caller:
            caller.send(wrong + b"\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.0\r\n\r\n")
            assert (caller.answer().status, caller.ends()) == (505, True)


# 3 Request line


@pytest.mark.parametrize(
    "line",
    [
        b"GET  / HTTP/1.1",
        b"GET /  HTTP/1.1",
        b"GET\t/ HTTP/1.1",
        b"GET /\tHTTP/1.1",
        b"GET / HTTP/1.1\t",
        b" GET / HTTP/1.1",
    ],
)
def test_3_single_spaces(port: int, line: bytes) -> None:
    with Caller(port) as caller:
        answer = caller.send(line + b"\r\n" + HOST + b"\r\n").answer()
        assert (answer.status, answer.closes) in {(400, True), (505, True)}
        assert caller.ends()


def test_3_a_line_without_a_version(port: int) -> None:
    """HTTP/0.9."""
    refused(port, b"GET /\r\n\r\n", 505, "protocol")


@pytest.mark.parametrize("method", [b"get", b"Get", b"BREW", b"G@T", b"GE T", b"\x80\x80", b"G"])
def test_3_1_methods_are_those_that_are_known_as_they_are_written(port: int, method: bytes) -> None:
    refused(port, get(method=method), 400, "malformed")


@pytest.mark.parametrize(
    "method", [b"GET", b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"TRACE", b"PROPFIND", b"QUERY"]
)
def test_3_1_methods(port: int, method: bytes) -> None:
    assert understood(port, get(method=method))["REQUEST_METHOD"] == method.decode()


# 3.2 Request target


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/", "/", ""),
        (b"/a/b?c=d&e", "/a/b", "c=d&e"),
        (b"/?", "/", ""),
        (b"/a?b?c", "/a", "b?c"),
        (b"//a//b", "//a//b", ""),
        (b"/a/../b/./c", "/a/../b/./c", ""),
        (b"/a%2Fb%20c", "/a/b c", ""),
        (b"/%E2%82%AC", "/\xe2\x82\xac", ""),
        (b"/%ff%00", "/\xff\x00", ""),
        (b"/100%", "/100%", ""),
        (b"/%zz%4", "/%zz%4", ""),
        (b"/a+b", "/a+b", ""),
        (b"/a?b=%20+", "/a", "b=%20+"),
        (b"/a;b=c,d:e@f", "/a;b=c,d:e@f", ""),
        (b"/'\"<>[]{}|\\^`", "/'\"<>[]{}|\\^`", ""),
    ],
)
def test_3_2_1_origin_form(port: int, target: bytes, path: str, query: str) -> None:
    seen = understood(port, get(target))
    assert (seen["PATH_INFO"], seen["QUERY_STRING"], seen["RAW_URI"]) == (path, query, target.decode())
    assert seen["SCRIPT_NAME"] == ""


@pytest.mark.parametrize(
    ("target", "host", "path", "query"),
    [
        (b"http://other/a?b", "other", "/a", "b"),
        (b"http://other:81", "other:81", "/", ""),
        (b"http://other?b", "other", "/", "b"),
        (b"HTTP://other/", "other", "/", ""),
        (b"https://other/a", "other", "/a", ""),
        (b"http://[::1]:81/a", "[::1]:81", "/a", ""),
    ],
)
def test_3_2_2_absolute_form(port: int, target: bytes, host: str, path: str, query: str) -> None:
    """Its authority stands for Host, which must be there all the same."""
    seen = understood(port, get(target))
    assert (seen["HTTP_HOST"], seen["PATH_INFO"], seen["QUERY_STRING"]) == (host, path, query)
    assert (seen["RAW_URI"], seen["wsgi.url_scheme"]) == (target.decode(), "http")
    refused(port, get(target, b""), 400, "host")


@pytest.mark.parametrize(
    "target",
    [
        b"http:///a",
        b"http://user@other/a",
        b"http://user:word@other/a",
        b"ftp://other/a",
        b"http://",
        b"http://a b/",
        b"/a b",
    ],
)
def test_3_2_2_absolute_forms_that_are_none(port: int, target: bytes) -> None:
    with Caller(port) as caller:
        answer = caller.send(get(target)).answer()
        assert (answer.status, answer.closes) == (400, True)
        assert caller.ends()


def test_3_2_3_connect(port: int) -> None:
    for target in (b"localhost:80", b"http://localhost/", b"/", b"*"):
        with Caller(port) as caller:
            answer = caller.send(get(target, method=b"CONNECT") + b"tunnelled").answer()
            assert (answer.status, answer.closes) == (400, True)
            assert caller.ends()
    refused(port, get(b"localhost:80", method=b"CONNECT"), 400, "target")


def test_3_2_4_asterisk_form(port: int) -> None:
    assert understood(port, get(b"*", method=b"OPTIONS"))["PATH_INFO"] == "*"
    refused(port, get(b"*"), 400, "target")


@pytest.mark.parametrize("target", [b"a", b"?a", b"localhost", b"localhost:80"])
def test_3_2_other_targets(port: int, target: bytes) -> None:
    with Caller(port) as caller:
        answer = caller.send(get(target)).answer()
        assert (answer.status, answer.closes) == (400, True)
        assert caller.ends()


@pytest.mark.parametrize("target", [b"/a#b", b"/#", b"http://other/#b", b"/a?b#c"])
def test_3_2_no_fragment(port: int, target: bytes) -> None:
    refused(port, get(target), 400, "target")


@pytest.mark.parametrize("character", [b"\x00", b"\x01", b"\x0b", b"\x7f", b"\x80", b"\xc3\xa9", b"\xff"])
def test_3_2_no_characters_that_a_uri_does_not_have(port: int, character: bytes) -> None:
    with Caller(port) as caller:
        answer = caller.send(get(b"/a" + character)).answer()
        assert (answer.status, answer.closes) == (400, True)
        assert caller.ends()
    with Caller(port) as caller:
        assert caller.byte_by_byte(get(b"/a" + character)).answer().status == 400


# 3.2 and RFC 9110, 7.2: Host


@pytest.mark.parametrize(
    "host", [b"localhost", b"localhost:8080", b"127.0.0.1", b"[::1]:80", b"a_b.example", b"", b"localhost:"]
)
def test_3_2_host(port: int, host: bytes) -> None:
    assert understood(port, get(fields=b"Host: %b\r\n" % host))["HTTP_HOST"] == host.decode()


@pytest.mark.parametrize(
    "host",
    [
        b"a b",
        b"a,b",
        b"a/b",
        b"user@a",
        b"a:b",
        b"a:1:2",
        b"::1",
        b"[::1",
        b"a\tb",
        b"a:123456",
        b'a"b',
        b"a\xe9",
        b"a?b",
        b"a#b",
        b"a\\b",
    ],
)
def test_3_2_hosts_that_two_could_read_differently(port: int, host: bytes) -> None:
    if host == b"a,b":
        # RFC 3986 allows a comma within a name.
        assert understood(port, get(fields=b"Host: a,b\r\n"))["HTTP_HOST"] == "a,b"
        return
    refused(port, get(fields=b"Host: %b\r\n" % host), 400, "host")


def test_3_2_no_host(port: int) -> None:
    refused(port, get(fields=b""), 400, "host")
    assert "HTTP_HOST" not in understood(port, get(fields=b"", version=b"HTTP/1.0"), closes=True)


@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.0"])
@pytest.mark.parametrize("second", [b"Host: other\r\n", b"host: localhost\r\n", b"A: b\r\nHOST:\r\n"])
def test_3_2_two_hosts(port: int, version: bytes, second: bytes) -> None:
    refused(port, get(fields=HOST + second, version=version), 400, "repeated_field")
