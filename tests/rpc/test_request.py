"""The laws of writing a request: injection is refused whole, framing belongs to the client."""

from __future__ import annotations

from typing import Any

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.deadline import Deadline
from gateway.rpc.address import parse_base_url
from gateway.rpc.call import Call, Endpoint
from gateway.rpc.errors import InvalidCall
from gateway.rpc.request import OWN_HEADERS, RequestWriter


def written(base_url: str = "http://host:81", **changes: Any) -> bytes:
    values = {"endpoint": Endpoint("peer", base_url), "method": "GET", "deadline": Deadline(0.0)}
    return RequestWriter(parse_base_url(base_url)).write(Call(**(values | changes)))


class Parsed:
    """What a server's parser makes of the bytes."""

    def __init__(self, data: bytes) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.messages = 0
        self._parser = httptools.HttpRequestParser(self)
        self._parser.feed_data(data)
        self.method = self._parser.get_method()

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.messages += 1


def test_a_post_is_one_head_and_one_body() -> None:
    data = written("http://host:81/api", method="POST", path="/x?y=1", headers={"X-A": "b"}, body=b"{}")

    assert data == (
        b"POST /api/x?y=1 HTTP/1.1\r\nHost: host:81\r\n"
        b"User-Agent: switchboard\r\nAccept-Encoding: identity\r\n"
        b"X-A: b\r\nContent-Length: 2\r\n\r\n{}"
    )


def test_a_get_without_a_body_announces_none_and_an_empty_post_does() -> None:
    assert b"Content-Length" not in written()
    assert b"Content-Length: 0\r\n\r\n" in written(method="POST")


@pytest.mark.parametrize(
    ("base_url", "path", "target"),
    [
        ("http://h", "", b"/"), ("http://h/", "", b"/"), ("http://h/a", "", b"/a"),
        ("http://h/a/", "/b", b"/a/b"), ("http://h", "//x", b"//x"),
    ],
)  # fmt: skip
def test_the_target_is_prefix_and_path(base_url: str, path: str, target: bytes) -> None:
    assert Parsed(written(base_url, path=path)).url == target


INJECTIONS = ["\r\nX: y", "\n", "\r", "\0", "\x7f", "\x1b[0m", "a\r\n\r\nGET / HTTP/1.1"]


@pytest.mark.parametrize("text", INJECTIONS)
def test_a_header_value_cannot_begin_another_line(text: str) -> None:
    with pytest.raises(InvalidCall):
        written(headers={"X-A": text})


@pytest.mark.parametrize("text", [*INJECTIONS, "", "a b", "a:", "ä", "a\t"])
def test_a_header_name_is_a_token(text: str) -> None:
    with pytest.raises(InvalidCall):
        written(headers={text: "v"})


@pytest.mark.parametrize("text", [*INJECTIONS, " ", "#frag", "ä", "\t"])
def test_a_path_is_visible_ascii(text: str) -> None:
    with pytest.raises(InvalidCall):
        written(path="/" + text)


@pytest.mark.parametrize("method", ["", "get", "GET /x", "G\r\n", "CONNECT", "Ä"])
def test_a_method_is_an_upper_case_token(method: str) -> None:
    with pytest.raises(InvalidCall):
        written(method=method)


def test_a_path_begins_with_a_slash() -> None:
    """``http://host`` and ``.evil.example`` must not become another host."""
    with pytest.raises(InvalidCall):
        written(path=".evil.example/")


@pytest.mark.parametrize("name", sorted(OWN_HEADERS))
def test_framing_and_host_belong_to_the_client(name: str) -> None:
    for spelling in (name, name.upper(), name.title()):
        with pytest.raises(InvalidCall):
            written(headers={spelling: "1"})


def test_an_invalid_call_is_a_value_error_that_was_never_sent() -> None:
    with pytest.raises(ValueError, match="control character") as caught:
        written(headers={"X-Secret": "pass\nword"})

    assert isinstance(caught.value, InvalidCall)
    assert (caught.value.sent, caught.value.reason) == ("never", "invalid_call")
    assert "word" not in str(caught.value), "a value may be a secret"


SOME_TEXT = st.text(max_size=20)


@given(name=SOME_TEXT, value=SOME_TEXT, path=SOME_TEXT, body=st.binary(max_size=40))
def test_whatever_is_written_is_exactly_one_request(name: str, value: str, path: str, body: bytes) -> None:
    """For any text: refused, or a server reads one request with just this header, target and body."""
    try:
        data = written(method="POST", path=path, headers={name: value}, body=body)
    except InvalidCall:
        return
    parsed = Parsed(data)

    assert (parsed.messages, parsed.url, parsed.body) == (1, (path or "/").encode(), body)
    assert len(parsed.headers) == 5
    assert (name.encode(), value.strip(" \t").encode("latin-1")) in parsed.headers
