"""The laws of reading an answer: each case is fed whole, byte by byte, and cut in two at every point."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest

from gateway.rpc.errors import BadAnswer, ConnectionLost
from gateway.rpc.response import ResponseReader

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
SIMPLE = HEAD + b"Content-Length: 2\r\n\r\nhi"


def reader_for(
    *, bodiless: bool = False, header_bytes_max: int = 1024, body_bytes_max: int = 100
) -> ResponseReader:
    reader = ResponseReader(header_bytes_max)
    reader.begin(bodiless=bodiless, body_bytes_max=body_bytes_max)
    return reader


def feedings(data: bytes) -> Iterator[list[bytes]]:
    yield [data]
    yield [data[i : i + 1] for i in range(len(data))]
    for cut in range(1, len(data)):
        yield [data[:cut], data[cut:]]


GOOD = {
    "length": (SIMPLE, 200, b"hi", True),
    "empty": (HEAD + b"Content-Length: 0\r\n\r\n", 200, b"", True),
    "chunked": (CHUNKED + b"1\r\nh\r\n1;x=y\r\ni\r\n0\r\n\r\n", 200, b"hi", True),
    "no reason": (b"HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", 404, b"", True),
    "close": (HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\nhi", 200, b"hi", False),
    "old": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, b"hi", False),
    "old kept": (
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi", 200, b"hi", True),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
    "304": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5000\r\n\r\n", 304, b"", True),
    "100": (b"HTTP/1.1 100 Continue\r\n\r\n" + SIMPLE, 200, b"hi", True),
    "103": (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + SIMPLE, 200, b"hi", True),
    "upgrade offered": (
        HEAD + b"Upgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 2\r\n\r\nhi", 200, b"hi", True),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_an_answer_reads_the_same_however_it_arrives(name: str) -> None:
    data, status, body, reusable = GOOD[name]
    for pieces in feedings(data):
        reader = reader_for()
        read = b""
        for piece in pieces:
            assert not reader.done
            reader.feed(piece)
            read += reader.take()

        assert (reader.status, read, reader.done, reader.reusable) == (status, body, True, reusable)


def test_interim_headers_are_not_the_answers() -> None:
    reader = reader_for()
    reader.feed(GOOD["103"][0])

    assert reader.headers == [(b"Content-Length", b"2")]


def test_trailers_do_not_become_headers() -> None:
    reader = reader_for()
    reader.feed(CHUNKED + b"2\r\nhi\r\n0\r\nContent-Type: evil\r\n\r\n")

    assert reader.done
    assert [name for name, _ in reader.headers] == [b"Transfer-Encoding"]


BAD = {
    "not http": (b"SSH-2.0-OpenSSH_9.2\r\n", "not_http", "maybe"),
    "rtsp": (b"RTSP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", "not_http", "maybe"),
    "http 2": (b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", "not_http", "maybe"),
    "http 2 after an interim answer": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", "not_http", "maybe"),
    "empty line first": (b"\r\n" + HEAD + b"Content-Length: 0\r\n\r\n", "not_http", "maybe"),
    "status 000": (b"HTTP/1.1 000 No\r\nContent-Length: 0\r\n\r\n", "not_http", "maybe"),
    "upgrade": (b"HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "not_http", "maybe"),
    "two lengths": (HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi", "not_http", "maybe"),
    "length and chunks": (
        HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "not_http", "maybe"),
    "negative length": (HEAD + b"Content-Length: -2\r\n\r\nhi", "not_http", "maybe"),
    "folded header": (HEAD + b"X: a\r\n b\r\n\r\n", "not_http", "maybe"),
    "nul in header": (HEAD + b"X: a\0b\r\n\r\n", "not_http", "maybe"),
    "bare lf": (b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", "not_http", "maybe"),
    "other coding": (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n", "not_http", "answered"),
    "bad chunk": (CHUNKED + b"xyz\r\n", "not_http", "answered"),
    "overflowing chunk": (CHUNKED + b"ffffffffffffffffff\r\n", "not_http", "answered"),
    "announced too large": (HEAD + b"Content-Length: 101\r\n\r\n", "body_too_large", "answered"),
    "chunked too large": (
        CHUNKED + b"65\r\n" + 101 * b"a" + b"\r\n", "body_too_large", "answered"),
    "unframed too large": (HEAD + b"\r\n" + 101 * b"a", "body_too_large", "answered"),
    "one long header": (HEAD + b"X: " + 1100 * b"a", "header_too_large", "maybe"),
    "many headers": (HEAD + 200 * b"X: a\r\n", "header_too_large", "maybe"),
    "endless interim": (100 * b"HTTP/1.1 102 Processing\r\n\r\n", "header_too_large", "maybe"),
    "endless trailer": (
        CHUNKED + b"0\r\nX: " + 1100 * b"a", "header_too_large", "answered"),
    "endless chunk extension": (
        CHUNKED + b"1;" + 1100 * b"a", "header_too_large", "answered"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused_is_refused_however_it_arrives(name: str) -> None:
    data, reason, sent = BAD[name]
    for pieces in (data,), tuple(data[i : i + 1] for i in range(len(data))), (data[:20], data[20:]):
        reader = reader_for()
        with pytest.raises(BadAnswer) as caught:
            any(reader.feed(piece) for piece in pieces)

        assert (caught.value.reason, caught.value.sent) == (reason, sent)


def test_a_head_over_its_bound_is_refused_even_when_it_came_in_one_read_with_its_body() -> None:
    with pytest.raises(BadAnswer, match=r"rpc\.header_bytes_max"):
        reader_for().feed(HEAD + b"X: " + 1100 * b"a" + b"\r\nContent-Length: 2\r\n\r\nhi")


def test_a_head_just_under_its_bound_passes_beside_a_large_body() -> None:
    reader = reader_for(body_bytes_max=10_000)
    reader.feed(HEAD + b"X: " + 900 * b"a" + b"\r\nContent-Length: 9000\r\n\r\n" + 9000 * b"b")

    assert reader.done


def test_a_body_of_exactly_its_bound_passes_in_single_byte_chunks() -> None:
    """Framing is bounded in proportion to the body: a token stream of tiny chunks is no attack."""
    reader = reader_for(header_bytes_max=100)
    reader.feed(CHUNKED)
    for _ in range(100):
        reader.feed(b"1\r\na\r\n")
    reader.feed(b"0\r\n\r\n")

    assert (reader.done, reader.take()) == (True, 100 * b"a")


def test_a_whole_body_is_one_attribute_however_many_pieces_it_came_in() -> None:
    reader = reader_for()
    for data in (SIMPLE, CHUNKED + b"1\r\nh\r\n1\r\ni\r\n0\r\n\r\n"):
        for size in (len(data), 1):
            reader.begin(bodiless=False, body_bytes_max=100)
            for start in range(0, len(data), size):
                reader.feed(data[start : start + size])

            assert (reader.done, reader.body) == (True, b"hi")
            assert (reader.take(), reader.take(), reader.body) == (b"hi", b"", b"")


def test_the_bound_of_a_body_bounds_the_memory_that_it_takes() -> None:
    """However small its chunks: an object for each two bytes would weigh twenty times as much as they do."""
    body_bytes = 200_000
    data = CHUNKED + (body_bytes // 2) * b"2\r\nab\r\n" + b"0\r\n\r\n"
    pieces = [data[start : start + 65_536] for start in range(0, len(data), 65_536)]
    reader = reader_for(body_bytes_max=body_bytes)
    tracemalloc.start()
    try:
        for piece in pieces:
            reader.feed(piece)
        body = reader.take()
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (reader.done, body) == (True, (body_bytes // 2) * b"ab")
    assert most_bytes < 4 * body_bytes


def test_what_follows_a_large_answer_costs_the_connection_too() -> None:
    """A read that is given to the parser bit by bit, because it may hold too much framing."""
    for head, bodiless in ((SIMPLE, False), (HEAD + b"Content-Length: 5000\r\n\r\n", True)):
        for surplus in (b"x" * 9000, SIMPLE * 200):
            reader = reader_for(bodiless=bodiless, header_bytes_max=len(head))
            reader.feed(head + surplus)

            assert (reader.done, reader.reusable) == (True, False)


def test_chunks_from_an_old_server_cost_the_connection() -> None:
    """Between us and it may be one that took the body for something else: RFC 9112, section 6.1."""
    head = b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"
    reader = reader_for()
    reader.feed(head + b"2\r\nhi\r\n0\r\n\r\n")

    assert (reader.done, reader.take(), reader.reusable) == (True, b"hi", False)


def test_an_answer_to_head_has_no_body_whatever_it_announces() -> None:
    reader = reader_for(bodiless=True)
    reader.feed(HEAD + b"Content-Length: 5000\r\n\r\n")
    assert (reader.done, reader.reusable, reader.take()) == (True, True, b"")

    reader.begin(bodiless=False, body_bytes_max=100)
    reader.feed(SIMPLE)
    assert (reader.done, reader.take()) == (True, b"hi")


@pytest.mark.parametrize("surplus", [b"x", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"\0\0"])
@pytest.mark.parametrize("bodiless", [True, False])
def test_what_follows_an_answer_costs_the_connection_and_no_more(surplus: bytes, bodiless: bool) -> None:
    whole = HEAD + b"Content-Length: 2\r\n\r\n" + (b"" if bodiless else b"hi")
    for pieces in ([whole + surplus], [whole, surplus]):
        reader = reader_for(bodiless=bodiless)
        for piece in pieces:
            reader.feed(piece)

        assert (reader.status, reader.done, reader.reusable) == (200, True, False)
        assert reader.headers == [(b"Content-Length", b"2")]
        assert reader.take() == (b"" if bodiless else b"hi")


def test_the_end_of_the_stream_completes_an_unframed_answer() -> None:
    reader = reader_for()
    reader.feed(HEAD + b"\r\nhi")
    assert not reader.done
    reader.end()

    assert (reader.done, reader.take(), reader.reusable) == (True, b"hi", False)


@pytest.mark.parametrize(
    ("data", "sent"),
    [
        (HEAD, "maybe"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "maybe"),
        (HEAD + b"Content-Length: 3\r\n\r\nhi", "answered"),
        (CHUNKED + b"2\r\nhi\r\n", "answered"),
    ],
)
def test_the_end_of_the_stream_breaks_any_other(data: bytes, sent: str) -> None:
    reader = reader_for()
    reader.feed(data)

    with pytest.raises(BadAnswer) as caught:
        reader.end()
    assert (caught.value.reason, caught.value.sent) == ("truncated", sent)


def test_an_end_before_the_first_byte_is_a_lost_connection() -> None:
    with pytest.raises(ConnectionLost) as caught:
        reader_for().end()
    assert (caught.value.reason, caught.value.sent) == ("closed_early", "maybe")
