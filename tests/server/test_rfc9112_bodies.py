"""RFC 9112, sections 6 and 7, in their order: how long a request's body is, and what is refused for doubts about it."""

from __future__ import annotations

import pytest

from tests.server.conftest import Serve
from tests.server.echo import NEXT, echo, refused, understood
from tests.server.raw import Caller, answers


@pytest.fixture
def port(serve: Serve) -> int:
    return serve(echo)


def post(fields: bytes, body: bytes = b"", *, version: bytes = b"HTTP/1.1") -> bytes:
    return b"POST / %b\r\nHost: localhost\r\n%b\r\n%b" % (version, fields, body)


def chunked(body: bytes, trailers: bytes = b"") -> bytes:
    return post(b"Transfer-Encoding: chunked\r\n", body + trailers + b"\r\n")


# 6.1 Transfer-Encoding


@pytest.mark.parametrize("value", [b"chunked", b"Chunked", b"CHUNKED", b"  chunked "])
def test_6_1_chunked(port: int, value: bytes) -> None:
    """Decoded, it is a body of known length, and the field is gone (7.1.3)."""
    seen = understood(port, post(b"Transfer-Encoding:%b\r\n" % value, b"3\r\nabc\r\n0\r\n\r\n"))
    assert (seen["body"], seen["CONTENT_LENGTH"]) == ("abc", "3")
    assert "HTTP_TRANSFER_ENCODING" not in seen


@pytest.mark.parametrize("value", [b"x, chunked", b"gzip, chunked", b"identity,chunked"])
def test_6_1_codings_that_are_not_spoken(port: int, value: bytes) -> None:
    refused(port, post(b"Transfer-Encoding: %b\r\n" % value, b"0\r\n\r\n"), 501, "transfer_encoding")


@pytest.mark.parametrize(
    "value", [b"x", b"identity", b"gzip", b"chunked;q=1", b'"chunked"', b"xchunked", b"chunked x", b"gzip, x"]
)
def test_6_3_a_coding_that_does_not_say_where_it_ends(port: int, value: bytes) -> None:
    refused(port, post(b"Transfer-Encoding: %b\r\n" % value, b"0\r\n\r\n"), 400, "transfer_encoding")


@pytest.mark.parametrize("value", [b"", b"chunked, gzip", b"chunked, chunked", b"chunked\t", b"chunked,"])
def test_6_3_codings_that_llhttp_refuses(port: int, value: bytes) -> None:
    refused(port, post(b"Transfer-Encoding: %b\r\n" % value, b"0\r\n\r\n"), 400, "malformed")


@pytest.mark.parametrize(("first", "reason"), [(b"chunked", "malformed"), (b"x", "repeated_field")])
def test_6_1_two_transfer_encodings(port: int, first: bytes, reason: str) -> None:
    fields = b"Transfer-Encoding: %b\r\nTransfer-Encoding: chunked\r\n" % first
    refused(port, post(fields, b"0\r\n\r\n"), 400, reason)


def test_6_1_not_with_http_1_0(port: int) -> None:
    fields = b"Transfer-Encoding: chunked\r\n"
    refused(port, post(fields, b"0\r\n\r\n", version=b"HTTP/1.0"), 400, "transfer_encoding")


@pytest.mark.parametrize(
    "fields",
    [
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
    ],
)
def test_6_1_not_beside_a_length(port: int, fields: bytes) -> None:
    refused(port, post(fields, b"0\r\n\r\n"), 400, "malformed")


# 6.2 Content-Length


@pytest.mark.parametrize("value", [b"3", b"03", b"0" * 30 + b"3", b" 3\t"])
def test_6_2_a_length(port: int, value: bytes) -> None:
    seen = understood(port, post(b"Content-Length:%b\r\n" % value, b"abc"))
    assert (seen["body"], int(seen["CONTENT_LENGTH"])) == ("abc", 3)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"-1",
        b"+3",
        b"3.0",
        b"0x3",
        b"3 3",
        b"3,3",
        b"3, 3",
        b"1e1",
        b"3a",
        b"\xb3",
        b"3;",
        b"18446744073709551617",
    ],
)
def test_6_2_lengths_that_are_none(port: int, value: bytes) -> None:
    refused(port, post(b"Content-Length: %b\r\n" % value, b"abc"), 400, "malformed")


@pytest.mark.parametrize("second", [b"3", b"4"])
def test_6_3_two_lengths(port: int, second: bytes) -> None:
    refused(port, post(b"Content-Length: 3\r\nContent-Length: %b\r\n" % second, b"abc"), 400, "malformed")


def test_6_3_no_body_without_a_field(port: int) -> None:
    seen = understood(port, post(b""))
    assert (seen["body"], "CONTENT_LENGTH" in seen) == ("", False)


def test_6_3_any_method_may_have_a_body(port: int) -> None:
    request = b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc"
    assert understood(port, request)["body"] == "abc"


@pytest.mark.parametrize(
    "half",
    [
        b"POST",
        b"POST / HTTP/1.1\r\nHo",
        post(b"Content-Length: 3\r\n", b"ab"),
        post(b"Transfer-Encoding: chunked\r\n", b"3\r\nab"),
    ],
)
def test_8_a_request_that_ends_too_early_is_nobodys(port: int, half: bytes) -> None:
    with Caller(port) as caller:
        assert caller.send(half).half_close().ends()
    with Caller(port) as caller:
        found = answers(caller.send(NEXT.replace(b"Connection: close\r\n", b"") + half).half_close().rest())
    assert [one.status for one in found] == [200]


# 7.1 Chunked


@pytest.mark.parametrize(
    ("chunks", "body"),
    [
        (b"0\r\n", ""),
        (b"3\r\nabc\r\n0\r\n", "abc"),
        (b"1\r\na\r\n02\r\nbc\r\n000\r\n", "abc"),
        (b"A\r\n0123456789\r\n0\r\n", "0123456789"),
        (b"a\r\n\r\n0\r\n\r\n\r\nx\r\n0\r\n", "\r\n0\r\n\r\n\r\nx"),
    ],
)
def test_7_1_chunks(port: int, chunks: bytes, body: str) -> None:
    assert understood(port, chunked(chunks))["body"] == body


@pytest.mark.parametrize(
    "chunks",
    [
        b"\r\nabc\r\n0\r\n",
        b"x\r\nabc\r\n0\r\n",
        b"-3\r\nabc\r\n0\r\n",
        b"+3\r\nabc\r\n0\r\n",
        b"0x3\r\nabc\r\n0\r\n",
        b" 3\r\nabc\r\n0\r\n",
        b"3 \r\nabc\r\n0\r\n",
        b"3\nabc\r\n0\r\n",
        b"3\r\nabcd\r\n0\r\n",
        b"3\r\nabc\n0\r\n",
        b"3\r\nabc0\r\n",
        b"3\rabc\r\n0\r\n",
        b"3_0\r\nabc\r\n0\r\n",
        b"fffffffffffffffff\r\nabc\r\n0\r\n",
    ],
)
def test_7_1_chunks_that_two_could_read_differently(port: int, chunks: bytes) -> None:
    refused(port, chunked(chunks), 400, "malformed")


@pytest.mark.parametrize("extension", [b";a", b";a=b", b';a="b c"', b";a=b;c=d", b"; a=b"])
def test_7_1_1_extensions_mean_nothing(port: int, extension: bytes) -> None:
    with Caller(port) as caller:
        answer = caller.send(chunked(b"3%b\r\nabc\r\n0%b\r\n" % (extension, extension))).answer()
    if extension == b"; a=b":
        # White space there is for recipients that know why it was dropped from the grammar.
        assert answer.status == 400
    else:
        assert answer.json["body"] == "abc"


@pytest.mark.parametrize("extension", [b";\r", b";a\nb", b";a=\x00", b'; "', b";a=b\r"])
def test_7_1_1_extensions_that_are_none(port: int, extension: bytes) -> None:
    refused(port, chunked(b"3%b\r\nabc\r\n0\r\n" % extension), 400, "malformed")


def test_7_1_1_a_chunk_extension_of_20_kb(port: int) -> None:
    """llhttp reads one of any length.  It is refused before it ends, and endless trailers are as well."""
    begun = post(b"Transfer-Encoding: chunked\r\n", b"3;a=")
    with Caller(port) as caller:
        caller.trickle([begun, *[b"b" * 1_000] * 20])
        assert (answer := caller.answer()).status == 400
        assert answer.json["error"] == "chunk_overhead"
        assert caller.ends()


def test_7_1_2_endless_trailers(port: int) -> None:
    begun = chunked(b"0\r\n").removesuffix(b"\r\n")
    with Caller(port) as caller:
        caller.trickle([begun, *[b"A: b\r\n"] * 200])
        assert caller.answer().status == 431
        assert caller.ends()


def test_7_1_1_small_extensions_of_many_chunks(port: int) -> None:
    """As a streaming client may well send them."""
    body = b"".join(b"1;signature=0123456789abcdef\r\nx\r\n" for _ in range(5_000))
    with Caller(port) as caller:
        assert len(caller.send(chunked(body + b"0\r\n")).answer().json["body"]) == 5_000


def test_7_1_2_trailers_arrive_through_on_header(port: int) -> None:
    """None of them becomes a header, and none changes what the head has said."""
    trailers = b"Authorization: evil\r\nA: evil\r\nHost: evil\r\nX-Forwarded-For: evil\r\nExpect: evil\r\n"
    request = post(b"Transfer-Encoding: chunked\r\nA: b\r\n", b"3\r\nabc\r\n0\r\n" + trailers + b"\r\n")
    seen = understood(port, request)
    assert (seen["HTTP_A"], seen["HTTP_HOST"], seen["body"]) == ("b", "localhost", "abc")
    assert "evil" not in str(seen)


@pytest.mark.parametrize(
    "trailers",
    [
        b"Content-Length: 9\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: upgrade\r\nUpgrade: evil\r\n",
        b"Connection: close\r\n",
    ],
)
def test_7_1_2_a_trailer_does_not_frame(port: int, trailers: bytes) -> None:
    """Refused, or without a meaning; never another request's beginning."""
    with Caller(port) as caller:
        found = answers(caller.send(chunked(b"3\r\nabc\r\n0\r\n", trailers) + NEXT).rest())
    if found[0].status == 400:
        assert len(found) == 1
        assert found[0].closes
    else:
        assert found[0].json["body"] == "abc"
        assert found[0].closes or found[1].json["PATH_INFO"] == "/next"


@pytest.mark.parametrize("trailer", [b"A : b\r\n", b"A\r\n", b"A: b\n", b" A: b\r\n", b"A: \x00\r\n"])
def test_7_1_2_trailers_that_are_none(port: int, trailer: bytes) -> None:
    refused(port, chunked(b"3\r\nabc\r\n0\r\n", trailer), 400, "malformed")


def test_7_1_2_trailers_are_bounded_like_headers(serve: Serve) -> None:
    port = serve(echo, headers_max=5, header_bytes_max=1_000)
    assert understood(port, chunked(b"0\r\n", b"A: b\r\n" * 5))["body"] == ""
    refused(port, chunked(b"0\r\n", b"A: b\r\n" * 6), 431, "head_too_large")
    refused(port, chunked(b"0\r\n", b"A: %b\r\n" % (b"b" * 1_000)), 431, "head_too_large")
