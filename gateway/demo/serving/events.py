"""A reply as a stream of events (``text/event-stream``): previews first, the reply last.  Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

__all__ = ["TYPING", "delta", "deltas", "final", "wants_stream"]

_encode = msgspec.json.Encoder().encode

#: The assistant has heard and is busy.
TYPING = b"event: typing\ndata: {}\n\n"


def wants_stream(accept: str) -> bool:
    """Whether an ``Accept`` header takes an event stream."""
    offered = (part.partition(";") for part in accept.lower().split(","))
    return any(
        media_type.strip() == "text/event-stream" and parameters.replace(" ", "") not in ("q=0", "q=0.0")
        for media_type, _, parameters in offered
    )


def delta(text: str) -> bytes:
    """Return a piece of text, to be shown at once behind the pieces before it."""
    return b'event: delta\ndata: {"text":%b}\n\n' % _encode(text)


def deltas(texts: Iterable[str], parts: Iterable[msgspec.Struct]) -> bytes:
    """Return an ordinary answer's previews in one go: its words, then the finished parts that take their place."""
    words = b"".join(map(delta, texts))
    return words + b"".join(b"event: part\ndata: %b\n\n" % _encode(part) for part in parts)


def final(reply: bytes) -> bytes:
    """Return the event that holds the whole reply and ends the stream."""
    return b"event: reply\ndata: %b\n\n" % reply
