"""What becomes of an answer's bytes, told so that two ways of cutting them can be compared."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Sequence

import msgspec
from hypothesis import strategies as st

from gateway.rpc.bounds import FRAMING_RATIO_MAX
from gateway.rpc.errors import BadAnswer, ConnectionLost
from gateway.rpc.response import ResponseReader
from tests.fuzz.mutations import mutated

__all__ = ["BODY_BYTES_MAX", "HEADER_BYTES_MAX", "Outcome", "answers", "assert_the_same", "cut", "cuts", "outcome"]

#: Small, so that mutations meet them.
HEADER_BYTES_MAX, BODY_BYTES_MAX = 150, 200


class Outcome(msgspec.Struct, frozen=True):
    """An answer, or ``error``: its class, reason and what the other side may have seen."""

    error: tuple[str, str, str] | None
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    reusable: bool


def outcome(pieces: Iterable[bytes], *, bodiless: bool) -> Outcome:
    """Return what becomes of *pieces* and the end of the stream; read no further than the answer goes."""
    reader = ResponseReader(HEADER_BYTES_MAX)
    reader.begin(bodiless, BODY_BYTES_MAX)
    read, fed_bytes = [], 0
    try:
        for piece in pieces:
            if piece and not reader.done:
                reader.feed(piece)
                read.append(reader.take())
                fed_bytes += len(piece)
        if not reader.done:
            # What was read and is not over is within its bounds, however much came at once.
            assert fed_bytes <= HEADER_BYTES_MAX + BODY_BYTES_MAX * (1 + FRAMING_RATIO_MAX) ** 2
            reader.end()
            read.append(reader.take())
    except (BadAnswer, ConnectionLost) as error:
        assert not reader.done
        return Outcome((type(error).__name__, error.reason, error.sent), 0, [], b"", False)
    finally:
        assert sum(map(len, read)) <= BODY_BYTES_MAX
        reader.retire()
    assert reader.done
    return Outcome(None, reader.status, reader.headers, b"".join(read), reader.reusable)


def cut(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    """Return *data* in pieces of these sizes, the rest as the last one."""
    found, start = [], 0
    for size in sizes:
        found.append(data[start : start + size])
        start += size
    return [*found, data[start:]]


def assert_the_same(whole: Outcome, pieces: Outcome) -> None:
    """The same answer, but that a reader of pieces may not have come to what follows it."""
    assert msgspec.structs.replace(pieces, reusable=whole.reusable) == whole
    assert pieces.reusable or not whole.reusable


def _chunks(body: bytes, size: int) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])


def _flushed(*pieces: bytes) -> bytes:
    packer = zlib.compressobj(wbits=31)
    made = [packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH) for piece in pieces]
    return b"".join([*made, packer.flush()])


_OK = b"HTTP/1.1 200 OK\r\n"
_GZIP = b"Content-Encoding: gzip\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n"
_TEXT = b"A negroni: gin, Campari, vermouth; stirred. " * 4
_PACKED = gzip.compress(_TEXT)
_EVENTS = _flushed(b"data: gin\n\n", b"data: Campari\n\n", b"data: vermouth\n\n")
_WHOLE = (
    _OK + b"Content-Length: 2\r\n\r\nhi",
    _OK + b"\r\n" + _TEXT,
    _OK + b"X: y\r\n" + _CHUNKED + b"\r\n" + _chunks(_TEXT, 7),
    _OK + _CHUNKED + b"\r\n2;a=b\r\nhi\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n" + _OK + b"Content-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi",
    _OK + _GZIP + b"Content-Length: %d\r\n\r\n" % len(_PACKED) + _PACKED,
    _OK + _GZIP + b"\r\n" + _PACKED,
    _OK + _GZIP + b"\r\n" + gzip.compress(b"ab") + gzip.compress(b"") + _PACKED,
    _OK + _GZIP + b"\r\n" + gzip.compress(100_000 * b"a"),
    _OK + _GZIP + b"\r\n" + 20 * gzip.compress(b"") + 10 * gzip.compress(b"a"),
    _OK + _GZIP + _CHUNKED + b"\r\n" + _chunks(_EVENTS, 11),
    _OK + _GZIP + _CHUNKED + b"\r\n" + _chunks(_EVENTS, 1),
)

#: Answers, answers that once were right, two in a row, and anything.
answers = (
    st.sampled_from(_WHOLE)
    | mutated(st.sampled_from(_WHOLE))
    | st.tuples(st.sampled_from(_WHOLE), mutated(st.sampled_from(_WHOLE))).map(b"".join)
    | st.binary(max_size=400).map(lambda data: _OK + _GZIP + b"\r\n" + gzip.compress(b"ab")[:12] + data)
    | st.binary(max_size=400)
)
cuts = st.lists(st.integers(1, 80), max_size=20)
