"""RFC 9112, section 5: header fields, and what becomes of those that come twice."""

from __future__ import annotations

import pytest

from tests.server.conftest import Serve
from tests.server.echo import echo, refused, understood
from tests.server.raw import Caller

HOST = b"Host: localhost\r\n"


@pytest.fixture
def port(serve: Serve) -> int:
    return serve(echo)


def get(fields: bytes) -> bytes:
    return b"GET / HTTP/1.1\r\n%b\r\n" % fields


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        (b"b", "b"),
        (b" b", "b"),
        (b"\t b \t ", "b"),
        (b"", ""),
        (b" \t", ""),
        (b"b c\td", "b c\td"),
        (b"caf\xe9 \xff", "caf\xe9 \xff"),
        (b"\xe2\x82\xac", "\xe2\x82\xac"),
        (b'a: b; c="d", e', 'a: b; c="d", e'),
    ],
)
def test_5_white_space_around_a_value_is_not_of_it(port: int, value: bytes, seen: str) -> None:
    assert understood(port, get(HOST + b"A:%b\r\n" % value))["HTTP_A"] == seen


@pytest.mark.parametrize("character", [b"\x00", b"\x01", b"\x08", b"\x0b", b"\x0c", b"\x1b", b"\x7f"])
def test_5_no_control_characters_in_values(port: int, character: bytes) -> None:
    refused(port, get(HOST + b"A: b%bc\r\n" % character), 400, "malformed")


@pytest.mark.parametrize(
    "name", [b"A ", b"A\t", b" A", b"A B", b"", b"A\x00", b"A(", b"\xe9", b'"A"', b"A/B", b"A@", b"[A]"]
)
def test_5_1_names_are_tokens_and_nothing_stands_before_their_colon(port: int, name: bytes) -> None:
    refused(port, get(HOST + b"%b: b\r\n" % name), 400, "malformed")


@pytest.mark.parametrize("line", [b"A\r\n", b"A b\r\n"])
def test_5_a_field_has_a_colon(port: int, line: bytes) -> None:
    refused(port, get(HOST + line), 400, "malformed")


def test_5_names_are_tokens(port: int) -> None:
    assert understood(port, get(HOST + b"!#$%&'*+.^`|~09-aZ: b\r\n"))["HTTP_!#$%&'*+.^`|~09_AZ"] == "b"


@pytest.mark.parametrize("space", [b" ", b"\t", b"  \t"])
def test_5_2_no_folded_lines(port: int, space: bytes) -> None:
    refused(port, get(HOST + b"A: b\r\n" + space + b"c\r\n"), 400, "malformed")


def test_5_3_fields_that_come_twice_are_one_list(port: int) -> None:
    """RFC 9110, section 5.3; and RFC 6265, section 5.4, for cookies, whose values may hold commas."""
    fields = HOST + b"A: b\r\nCookie: c=d\r\na: \r\nA: e, f\r\nCookie: g=h\r\n"
    seen = understood(port, get(fields))
    assert (seen["HTTP_A"], seen["HTTP_COOKIE"]) == ("b, , e, f", "c=d; g=h")


@pytest.mark.parametrize(
    "name",
    [
        b"Authorization",
        b"Content-Type",
        b"Expect",
        b"Max-Forwards",
        b"Origin",
        b"Transfer-Encoding",
        b"Upgrade",
    ],
)
def test_5_3_fields_that_may_come_once(port: int, name: bytes) -> None:
    fields = HOST + b"%b: chunked\r\n%b: chunked\r\n" % (name, name.lower())
    with Caller(port) as caller:
        answer = caller.send(get(fields)).answer()
        assert (answer.status, answer.closes) == (400, True)
        assert caller.ends()


def test_a_name_with_an_underscore_is_dropped(port: int) -> None:
    """It would become the same variable as one with a hyphen, and could be taken for it."""
    fields = (
        HOST
        + b"X_Forwarded_For: evil\r\nX-A: b\r\nX_A: evil\r\nX_A: twice\r\nContent_Length: 7\r\nTransfer_Encoding: x\r\n"
    )
    seen = understood(port, get(fields))
    assert seen["HTTP_X_A"] == "b"
    assert "evil" not in str(seen)
    assert not {"HTTP_X_FORWARDED_FOR", "CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING", ""} & set(seen)


@pytest.mark.parametrize("name", [b"Proxy", b"proxy", b"PROXY"])
def test_a_proxy_field_does_not_become_the_variable_that_names_a_proxy(port: int, name: bytes) -> None:
    """CVE-2016-5385: programs take HTTP_PROXY for the proxy of their own requests."""
    assert "HTTP_PROXY" not in understood(port, get(HOST + b"%b: http://evil.example\r\n" % name))
