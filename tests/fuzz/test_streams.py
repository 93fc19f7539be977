"""An assistant's stream, whatever it sends and however the network cuts it: the specification's events, or one of the
documented failures."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.assistants.decode import decode_reply
from gateway.assistants.sse import EventParser, ServerEvent
from gateway.assistants.stream import StreamDecoder
from gateway.domain.errors import AssistantFailed
from gateway.domain.reply import Reply
from gateway.settings.assistants import AssistantSettings
from tests.fuzz.mutations import JSON, mutated, placed

T = TypeVar("T")
pytestmark = pytest.mark.slow
explore = settings(settings.get_profile("explore"))

REPLY = {
    "parts": [
        {"type": "text", "text": "A negroni: gin, Campari, vermouth."},
        {"type": "image", "url": "https://example.test/negroni.jpg", "alt": "a negroni"},
        {"type": "buttons", "text": "Another?", "buttons": [{"id": "yes", "label": "Yes", "value": "again"}]},
    ],
    "state": {"step": 3},
    "end": False,
}
STREAM = (
    b'\xef\xbb\xbf: hello\r\nevent: typing\ndata: {}\n\nevent: delta\rdata: {"text": "A neg"}\r\r'
    b'event: delta\ndata: {"text":\ndata: "roni"}\n\nid: 7\nretry: 10\n\nevent: part\ndata: '
    + msgspec.json.encode(REPLY["parts"][0])
    + b"\n\nevent: reply\ndata: "
    + msgspec.json.encode(REPLY)
    + b"\n\n"
)
BOUNDS = AssistantSettings(url="http://127.0.0.1:1/turn")
#: What the README of assistants tells their authors.
REASONS = {
    "not_json",
    "wrong_schema",
    "too_large",
    "too_deep",
    "state_too_large",
    "memory_too_large",
    "stream_too_long",
    "stream_without_reply",
}
streams = mutated(st.just(STREAM)) | st.text(alphabet="data: \n\r\ufeffevnt1").map(str.encode) | st.binary()
cuts = st.lists(st.integers(1, 60), max_size=20)


def pieces(stream: bytes, sizes: Sequence[int]) -> list[bytes]:
    """Return *stream* in pieces of these sizes, the rest as the last one."""
    found, start = [], 0
    for size in sizes:
        found.append(stream[start : start + size])
        start += size
    return [*found, stream[start:]]


def as_specified(stream: bytes) -> list[tuple[str, bytes]]:
    """Return the events of a whole stream, told as the specification tells it: lines first, then fields."""
    lines = re.split(rb"\r\n|\n|\r", stream.removeprefix(b"\xef\xbb\xbf"))[:-1]
    events, name, data = [], b"", None
    for line in lines:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not line:
            if data is not None:
                # Ours are ASCII; another name is nobody's, whatever it is.
                events.append((name.decode("ascii", "replace") or "message", data))
            name, data = b"", None
        elif field == b"event":
            name = value
        elif field == b"data":
            data = value if data is None else data + b"\n" + value
    return events


@explore
@given(streams, cuts)
def test_events_are_the_specifications_however_they_are_cut(stream: bytes, sizes: list[int]) -> None:
    """The same events as a reading of the whole, whatever stands in it."""
    parser = EventParser(event_bytes_max=100_000, stream_bytes_max=1_000_000, events_max=10_000)

    events = [(event.name, event.data) for piece in pieces(stream, sizes) for event in parser.feed(piece)]

    assert events == as_specified(stream)


@explore
@given(streams, cuts)
def test_bounds_hold_however_it_is_cut(stream: bytes, sizes: list[int]) -> None:
    """No event is larger than allowed, and there are no more of them."""
    parser = EventParser(event_bytes_max=40, stream_bytes_max=400, events_max=3)
    events: list[ServerEvent] = []

    def feed() -> bool:
        for piece in pieces(stream, sizes):
            events.extend(parser.feed(piece))
        return True

    if outcome(feed):
        assert len(stream) <= 400
    assert len(events) <= 3
    assert all(len(event.data) <= 40 for event in events)


@explore
@given(streams, cuts)
def test_a_stream_is_a_reply_or_a_documented_failure(stream: bytes, sizes: list[int]) -> None:
    decoder = StreamDecoder(BOUNDS)

    def read() -> Reply:
        for piece in pieces(stream, sizes):
            list(decoder.feed(piece))
        return decoder.close()

    assert_storable(outcome(read))


@explore
@given(mutated(st.just(msgspec.json.encode(REPLY))) | (placed(REPLY) | JSON).map(json.dumps).map(str.encode))
def test_a_body_is_a_reply_or_a_documented_failure(body: bytes) -> None:
    assert_storable(outcome(lambda: decode_reply(body, BOUNDS)))


def outcome(read: Callable[[], T]) -> T | None:
    """Return what *read* does, or None after a documented failure."""
    try:
        return read()
    except AssistantFailed as error:
        if error.reason not in REASONS:
            raise
        return None


def assert_storable(reply: Reply | None) -> None:
    """What is taken for a reply can be written and read again."""
    if reply is None:
        return
    encoded = msgspec.json.encode(reply)
    assert b"\\u0000" not in encoded
    assert msgspec.json.decode(encoded, type=Reply) == reply
