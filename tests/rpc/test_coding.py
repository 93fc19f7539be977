"""The laws of compressed answers: decoded as they come, bounded by what comes out, refused when they lie."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from gateway.rpc.coding import GzipDecoder
from gateway.rpc.errors import BadAnswer
from tests.rpc.peer import Link, Serve, answering, once, to
from tests.rpc.test_response import CHUNKED, HEAD, feedings, reader_for

TEXT = b"A negroni: gin, Campari, vermouth. " * 20
GZIP = b"Content-Encoding: gzip\r\n"


def answer(body: bytes, *, coding: bytes = GZIP, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\n\r\n%b" % (status, coding, len(body), body)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def named(data: bytes) -> bytes:
    """Return a member with every optional field of RFC 1952, section 2.3."""
    fields = b"\x03\x00abc" + b"name\0" + b"comment\0"
    head = b"\x1f\x8b\x08\x1e\0\0\0\0\x02\xff" + fields
    head += (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little")
    return head + gzip.compress(data)[10:]


GOOD = {
    "length": (answer(gzip.compress(TEXT)), TEXT),
    "chunks": (
        CHUNKED.replace(b"\r\n\r\n", b"\r\n" + GZIP + b"\r\n") + chunk(gzip.compress(TEXT)) + chunk(b""), TEXT),
    "stored": (answer(gzip.compress(TEXT, 0)), TEXT),
    "old name": (answer(gzip.compress(TEXT), coding=b"content-encoding: X-GZip\r\n"), TEXT),
    "beside identity": (answer(gzip.compress(TEXT), coding=b"Content-Encoding: identity , gzip\r\n"), TEXT),
    "all fields": (answer(named(TEXT)), TEXT),
    "two members": (answer(gzip.compress(b"ab") + gzip.compress(TEXT)), b"ab" + TEXT),
    "empty members": (answer(3 * gzip.compress(b"") + gzip.compress(b"ab") + gzip.compress(b"")), b"ab"),
    "empty member": (answer(gzip.compress(b"")), b""),
    "no bytes": (answer(b""), b""),
    "identity": (answer(b"hi", coding=b"Content-Encoding: identity\r\n"), b"hi"),
    "no coding": (answer(b"hi", coding=b"Content-Encoding:\r\n"), b"hi"),
    "another header of that length": (answer(b"hi", coding=b"X-ontent-Encoding: gzip\r\n"), b"hi"),
    "after an interim answer": (
        b"HTTP/1.1 103 Early Hints\r\nContent-Encoding: br\r\n\r\n" + answer(gzip.compress(TEXT)), TEXT),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_a_body_is_decoded_however_it_arrives(name: str) -> None:
    data, body = GOOD[name]
    for pieces in feedings(data):
        reader = reader_for(body_bytes_max=len(body))
        read = b""
        for piece in pieces:
            assert not reader.done
            reader.feed(piece)
            read += reader.take()

        assert (read, reader.done, reader.reusable) == (body, True, True)


BAD = {
    "another coding": (answer(b"x", coding=b"Content-Encoding: br\r\n"), "coding"),
    "deflate": (answer(zlib.compress(TEXT), coding=b"Content-Encoding: deflate\r\n"), "coding"),
    "twice": (answer(gzip.compress(gzip.compress(TEXT)), coding=b"Content-Encoding: gzip, gzip\r\n"), "coding"),
    "twice in two headers": (answer(gzip.compress(gzip.compress(TEXT)), coding=GZIP + GZIP), "coding"),
    "not compressed": (answer(b"hello"), "coding"),
    "wrong sum": (answer(gzip.compress(TEXT)[:-8] + 8 * b"\0"), "coding"),
    "wrong length": (answer(gzip.compress(TEXT)[:-4] + 4 * b"\0"), "coding"),
    "no such block": (answer(gzip.compress(TEXT)[:10] + b"\x07" + 40 * b"a"), "coding"),
    "something after it": (answer(gzip.compress(TEXT) + b"hello"), "coding"),
    "zeros after it": (answer(gzip.compress(TEXT) + 8 * b"\0"), "coding"),
    "a byte after it": (answer(gzip.compress(TEXT) + b"\x1f"), "truncated"),
    "no trailer": (answer(gzip.compress(TEXT)[:-8]), "truncated"),
    "cut": (answer(gzip.compress(TEXT)[:20]), "truncated"),
    "too large": (answer(gzip.compress(TEXT + b"!")), "body_too_large"),
    "too large in members": (answer(gzip.compress(TEXT) + gzip.compress(b"!")), "body_too_large"),
    "endless members": (answer(100 * gzip.compress(b"")), "header_too_large"),
    "endless name": (answer(b"\x1f\x8b\x08\x08\0\0\0\0\x02\xff" + 2000 * b"a"), "header_too_large"),
    "endless empty blocks": (
        answer(gzip.compress(b"")[:10] + 300 * b"\0\0\0\xff\xff"), "header_too_large"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused_is_refused_however_it_arrives(name: str) -> None:
    data, reason = BAD[name]
    for pieces in feedings(data):
        reader = reader_for(body_bytes_max=len(TEXT))
        with pytest.raises(BadAnswer) as caught:
            any(reader.feed(piece) for piece in pieces)

        assert (caught.value.reason, caught.value.sent, reader.done) == (reason, "answered", False)


def test_no_error_holds_what_was_sent() -> None:
    with pytest.raises(BadAnswer) as caught:
        reader_for().feed(answer(b"secret", coding=b"Content-Encoding: secret\r\n"))
    assert "secret" not in str(caught.value)
    with pytest.raises(BadAnswer) as caught:
        reader_for().feed(answer(b"secret"))
    assert "secret" not in str(caught.value)


def test_the_end_of_the_connection_ends_a_whole_body_and_no_other() -> None:
    head, whole = HEAD + GZIP + b"\r\n", gzip.compress(b"hi")
    reader = reader_for()
    reader.feed(head + whole)
    assert not reader.done
    reader.end()
    assert (reader.done, reader.take()) == (True, b"hi")

    for cut in range(1, len(whole)):
        reader = reader_for()
        reader.feed(head + whole[:cut])
        with pytest.raises(BadAnswer) as caught:
            reader.end()
        assert (caught.value.reason, caught.value.sent) == ("truncated", "answered")


def test_a_whole_body_in_a_framing_that_is_not_whole_is_truncated() -> None:
    reader = reader_for()
    reader.feed(HEAD + GZIP + b"Content-Length: 500\r\n\r\n" + gzip.compress(b"hi"))

    with pytest.raises(BadAnswer, match="announced end"):
        reader.end()


def test_headers_speak_of_the_decoded_body() -> None:
    reader = reader_for(body_bytes_max=1000)
    reader.feed(HEAD + b"X-A: b\r\ncontent-LENGTH: 33\r\nEtag: c\r\n" + GZIP + b"\r\n")

    assert reader.headers == [(b"X-A", b"b"), (b"Etag", b"c")]


@pytest.mark.parametrize("coding", [b"gzip", b"br"])
@pytest.mark.parametrize(
    ("status", "bodiless"), [(b"200 OK", True), (b"204 No Content", False), (b"304 Not Modified", False)]
)
def test_what_has_no_body_is_not_decoded(status: bytes, bodiless: bool, coding: bytes) -> None:
    reader = reader_for(bodiless=bodiless)
    reader.feed(b"HTTP/1.1 %b\r\nContent-Encoding: %b\r\n\r\n" % (status, coding))

    assert (reader.done, reader.take()) == (True, b"")
    assert reader.headers == [(b"Content-Encoding", coding)]


def test_an_answer_after_a_compressed_one_is_its_own() -> None:
    reader = reader_for()
    for data, body in [
        (answer(gzip.compress(b"hi")), b"hi"),
        (answer(b"ho", coding=b""), b"ho"),
        (answer(gzip.compress(b"ha")), b"ha"),
    ]:
        reader.begin(bodiless=False, body_bytes_max=100)
        reader.feed(data)
        assert (reader.done, reader.take()) == (True, body)

    reader.begin(bodiless=False, body_bytes_max=100)
    reader.feed(HEAD + b"\r\nhu")
    reader.end()
    assert reader.take() == b"hu"


def test_a_bomb_ends_before_it_takes_memory() -> None:
    """30 MB of zeros in 30 KB, and a second time as a bomb of members: little more than the bound is ever made."""
    for data in (answer(gzip.compress(30_000_000 * b"\0")), answer(30 * gzip.compress(1_000_000 * b"\0"))):
        reader = reader_for(body_bytes_max=100_000)
        tracemalloc.start()
        try:
            with pytest.raises(BadAnswer) as caught:
                reader.feed(data)
            peak_bytes = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert caught.value.reason == "body_too_large"
        assert peak_bytes < 1_000_000


def test_a_body_of_exactly_its_bound_passes_and_one_byte_more_does_not() -> None:
    bomb = gzip.compress(1000 * b"\0")
    assert GzipDecoder(1024, 1000).decode(bomb) == 1000 * b"\0"
    with pytest.raises(BadAnswer, match="999 bytes"):
        GzipDecoder(1024, 999).decode(bomb)
    assert GzipDecoder(1024, 0).decode(gzip.compress(b"")) == b""
    with pytest.raises(BadAnswer, match="0 bytes"):
        GzipDecoder(1024, 0).decode(gzip.compress(b"!"))


def test_single_bytes_that_are_flushed_one_by_one_are_no_attack() -> None:
    packer = zlib.compressobj(wbits=31)
    decoder = GzipDecoder(100, 1000)
    for _ in range(1000):
        assert decoder.decode(packer.compress(b"a") + packer.flush(zlib.Z_SYNC_FLUSH)) == b"a"
    assert decoder.decode(packer.flush()) == b""
    decoder.finish()


def test_events_come_through_as_they_are_flushed(serve: Serve, make_client: Callable) -> None:
    """A stream's next event is sent only after the last one was read: nothing may wait for a block to fill."""
    events = [b'event: delta\ndata: {"text": "%d"}\n\n' % number for number in range(20)]

    def script(link: Link) -> None:
        link.request()
        packer = zlib.compressobj(wbits=31)
        link.send(CHUNKED.replace(b"\r\n\r\n", b"\r\n" + GZIP + b"\r\n"))
        for event in events:
            link.send(chunk(packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH)))
            assert server.go_on.wait(5)
            server.go_on.clear()
        link.send(chunk(packer.flush()) + chunk(b""))

    server = serve(script)
    read = []
    with make_client().stream(to(server)) as response:
        for data in response:
            read.append(data)
            server.go_on.set()

    assert read == events


def test_a_call_reads_a_compressed_answer_and_keeps_the_connection(serve: Serve, make_client: Callable) -> None:
    server, client = serve(answering(answer(gzip.compress(TEXT)))), make_client()

    for _ in range(2):
        result = client.call(to(server))
        assert (result.body, result.header("content-encoding"), result.header("content-length")) == (TEXT, None, None)
    assert server.connections == 1


def test_a_refused_coding_costs_the_connection_and_no_permit(serve: Serve, make_client: Callable) -> None:
    server = serve(once(answer(b"x", coding=b"Content-Encoding: br\r\n")))
    client = make_client(connections_max=1, waiters_max=0)

    for _ in range(3):
        with pytest.raises(BadAnswer) as caught:
            client.call(to(server))
        assert (caught.value.reason, caught.value.sent) == ("coding", "answered")
