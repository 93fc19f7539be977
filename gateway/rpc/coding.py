"""Compressed bodies, decoded as they arrive.

What is given out after each piece is all that can be: an event that its server flushed (``Z_SYNC_FLUSH``) is passed on
at once, and nothing waits for a block to fill.

Rules:

1. Only gzip is offered, so only gzip is taken (``x-gzip`` is the same, RFC 9110, section 8.4.1.3).  Any other coding,
   or gzip twice, is refused.
2. The decoded bytes count against ``body_bytes_max``, and zlib is told how many it may make: a bomb ends before it
   takes memory.
3. Several members in a row are one body (RFC 1952, section 2.2).  A body that ends inside a member, holds something
   else, or goes on after the last one is refused.  A body of no bytes is empty.
4. Members that say nothing are framing and bounded as such: they could go on for ever.

deflate, br and zstd are deliberately absent: the first is two formats by one name, the others are not in Python 3.11.
"""

from __future__ import annotations

import zlib

from gateway.rpc.bounds import FRAMING_RATIO_MAX, body_too_large, framing_too_large
from gateway.rpc.call import RawHeaders
from gateway.rpc.errors import BadAnswer

__all__ = ["GzipDecoder", "is_coded", "without_coding"]

#: zlib's window of 32 KB and, by the 16, a gzip header and trailer around it.
_GZIP_WBITS = 16 + 15


class GzipDecoder:
    """Decodes the body of one answer."""

    __slots__ = ("_body_bytes_max", "_coded_bytes", "_decoded_bytes", "_header_bytes_max", "_member")

    def __init__(self, header_bytes_max: int, body_bytes_max: int) -> None:
        self._header_bytes_max = header_bytes_max
        self._body_bytes_max = body_bytes_max
        self._coded_bytes = 0
        self._decoded_bytes = 0
        self._member: zlib._Decompress | None = None  # None: between members

    def decode(self, data: bytes) -> bytes:
        """Return what *data* adds to the body, perhaps nothing, or raise :exc:`BadAnswer`."""
        decoded: list[bytes] = []
        rest = memoryview(data)
        while rest:
            room = self._header_bytes_max + FRAMING_RATIO_MAX * self._decoded_bytes - self._coded_bytes
            if room <= 0:
                raise framing_too_large(self._header_bytes_max, "answered")
            self._inflate(rest[:room], decoded)
            self._coded_bytes += min(room, len(rest))
            rest = rest[room:]
        return b"".join(decoded)

    def finish(self) -> None:
        """Take the end of the body, or raise :exc:`BadAnswer` if it is none."""
        if self._member is not None:
            raise BadAnswer("the answer's gzip body ended too soon", reason="truncated", sent="answered")

    def _inflate(self, data: memoryview | bytes, decoded: list[bytes]) -> None:
        while data:
            member = self._member
            if member is None:
                member = self._member = zlib.decompressobj(_GZIP_WBITS)
            left_bytes = self._body_bytes_max - self._decoded_bytes
            try:
                # One more than allowed, which tells "full" from "too much"; and none would mean any number.
                piece = member.decompress(data, left_bytes + 1)
            except zlib.error as error:
                # zlib's texts name what it expected and hold nothing of the body.
                raise BadAnswer(
                    f"the answer's gzip body cannot be decoded: {error}", reason="coding", sent="answered"
                ) from None
            if len(piece) > left_bytes:
                raise body_too_large(self._body_bytes_max)
            if piece:
                self._decoded_bytes += len(piece)
                decoded.append(piece)
            if not member.eof:
                return
            data = member.unused_data
            self._member = None


def is_coded(headers: RawHeaders) -> bool:
    """Whether the body under *headers* has to be decoded; raise :exc:`BadAnswer` if nobody here can."""
    codings = [
        coding
        for name, value in headers
        if name.lower() == b"content-encoding"
        for coding in value.lower().replace(b" ", b"").replace(b"\t", b"").split(b",")
        # "identity" should not be sent (RFC 9110, section 8.4.1), but says nothing false.
        if coding not in (b"", b"identity")
    ]
    if not codings:
        return False
    if len(codings) > 1 or codings[0] not in (b"gzip", b"x-gzip"):
        raise BadAnswer(
            "the answer's body has a content coding that was not offered", reason="coding", sent="answered"
        )
    return True


def without_coding(headers: RawHeaders) -> RawHeaders:
    """Return *headers* as they are true of the decoded body: its coding is undone, its length another."""
    return [(name, value) for name, value in headers if name.lower() not in _OF_CODED_BODY]


_OF_CODED_BODY = frozenset({b"content-encoding", b"content-length"})
