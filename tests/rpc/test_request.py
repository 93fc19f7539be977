"""The laws of writing a request: injection is refused whole, framing belongs to the client."""

from __future__ import annotations

from typing import Any

import httptools
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.deadline import Deadline
from gateway.rpc import request
from gateway.rpc.address import parse_base_url
from gateway.rpc.call import Call, Service
from gateway.rpc.errors import InvalidCall
from gateway.rpc.request import BEGINNINGS_MAX, GOOD_NAMES_MAX, OWN_HEADERS, RequestWriter, finish


def written(base_url: str = "http://host:81", **changes: Any) -> bytes:
    values = {"service": Service("peer", (base_url,)), "method": "GET", "deadline": Deadline(0.0)}
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
        b"User-Agent: switchboard\r\nAccept-Encoding: gzip\r\n"
        b"X-A: b\r\nContent-Length: 2\r\n\r\n{}"
    )


def test_a_get_without_a_body_announces_none_and_an_empty_post_does() -> None:
    assert b"Content-Length" not in written()
    assert b"Content-Length: 0\r\n\r\n" in written(method="POST")


def test_a_call_may_want_its_answer_uncompressed() -> None:
    writer = RequestWriter(parse_base_url("http://host:81"))
    call = Call(service=Service("peer", ("http://host:81",)), method="GET", deadline=Deadline(0.0))

    for gzip, coding in ((True, b"gzip"), (False, b"identity"), (True, b"gzip")):
        data = writer.write(msgspec.structs.replace(call, gzip=gzip))
        assert [value for name, value in Parsed(data).headers if name == b"Accept-Encoding"] == [coding]


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


@pytest.mark.parametrize("code", [*range(0x20), 0x7F])
def test_no_control_character_passes_but_tab(code: int) -> None:
    """Also not once the header's name is known, when less of it is looked at."""
    for value in ("fine", chr(code), f"a{chr(code)}b"):
        if value == "fine" or chr(code) == "\t":
            assert value.encode() in written(headers={"X-A": value})
            continue
        with pytest.raises(InvalidCall):
            written(headers={"X-A": value})
        with pytest.raises(InvalidCall):
            written(headers={"X-A": "fine", "X-B": value, "X-C": "fine"})


@pytest.mark.parametrize("value", ["ü", "\xa0", "\xad", "\x80", "a\tb", " ", ""])
def test_what_is_rare_but_allowed_passes(value: str) -> None:
    assert f"X-A: {value}\r\n".encode("latin-1") in written(headers={"X-A": value})


@pytest.mark.parametrize("value", ["\u20ac", "\u2028", "\ud800"])
def test_what_latin_1_cannot_say_is_refused(value: str) -> None:
    with pytest.raises(InvalidCall, match="latin-1"):
        written(headers={"X-A": value})


def test_a_bad_header_is_refused_each_time() -> None:
    """What is remembered of names is remembered of good ones only."""
    for _ in range(2):
        for name in ("host", "x y"):
            with pytest.raises(InvalidCall):
                written(headers={name: "v"})
        with pytest.raises(InvalidCall):
            written(headers={"X-New": "a\n"})


def test_more_names_and_paths_than_are_remembered_are_written_all_the_same() -> None:
    writer = RequestWriter(parse_base_url("http://host:81"))
    call = Call(service=Service("peer", ("http://host:81",)), method="GET", deadline=Deadline(0.0))

    for number in range(max(GOOD_NAMES_MAX, BEGINNINGS_MAX) + 2):
        changed = msgspec.structs.replace(call, path=f"/{number}", headers={f"X-{number}": "v"})
        for _ in range(2):
            parsed = Parsed(writer.write(changed))
            assert parsed.url == b"/%d" % number
            assert (b"X-%d" % number, b"v") in parsed.headers
    writer.write(msgspec.structs.replace(call, path="/" + 10_000 * "a"))

    assert len(request._good_names) <= GOOD_NAMES_MAX
    assert len(writer._beginnings) <= BEGINNINGS_MAX
    assert max(map(len, writer._beginnings.values())) < 500


def test_methods_and_paths_are_never_taken_for_each_other() -> None:
    writer = RequestWriter(parse_base_url("http://host:81/api"))
    call = Call(service=Service("peer", ("http://host:81",)), method="GET", deadline=Deadline(0.0))
    lines = {
        (method, path): b"%b /api%b HTTP/1.1" % (method.encode(), path.encode() or b"")
        for method in ("GET", "PUT")
        for path in ("", "/", "/a", "/a?b", "/" + 300 * "a")
    }
    for _ in range(2):
        for (method, path), line in lines.items():
            data = writer.write(msgspec.structs.replace(call, method=method, path=path))
            assert data.split(b"\r\n")[0] == line


@pytest.mark.parametrize("body", [b"", b"{}", b"\r\n\r\n"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_time_left_is_written_into_each_attempt(method: str, body: bytes) -> None:
    changes = {"method": method, "body": body, "headers": {"X-A": "b"}}
    call = Call(
        service=Service("peer", ("http://host:81",)), deadline=Deadline(0.0), deadline_header="X-Left-Ms", **changes
    )
    data = RequestWriter(parse_base_url("http://host:81")).write(call)
    assert data == written(**changes), "nothing of it is in what attempts share"

    for left_ms in (30_000, 7):
        plain, timed = Parsed(data), Parsed(finish(call, data, left_ms))
        assert timed.headers == [*plain.headers, (b"X-Left-Ms", b"%d" % left_ms)]
        assert (timed.messages, timed.url, timed.body, timed.method) == (1, plain.url, body, plain.method)


@pytest.mark.parametrize("name", [*INJECTIONS, "host", "Content-Length", "X-A", "x-a"])
def test_a_deadline_header_is_a_header_that_nobody_else_writes(name: str) -> None:
    with pytest.raises(InvalidCall):
        written(deadline_header=name, headers={"X-A": "b"})


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
