"""Server-sent events: the specification's rules, however the bytes are cut, and bounds that hold."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.assistants.sse import EventParser, ServerEvent
from gateway.domain.errors import AssistantFailed


def parser(
    *, event_bytes_max: int = 1000, stream_bytes_max: int = 100_000, events_max: int = 100
) -> EventParser:
    return EventParser(
        event_bytes_max=event_bytes_max, stream_bytes_max=stream_bytes_max, events_max=events_max
    )


def events(stream: bytes, *, piece_bytes: int) -> list[tuple[str, bytes]]:
    """Return the events of *stream*, fed in pieces."""
    fresh = parser()
    pieces = (stream[start : start + piece_bytes] for start in range(0, len(stream), piece_bytes))
    return [(event.name, event.data) for piece in pieces for event in fresh.feed(piece)]


#: The stream, and the events in it: in the order of the specification's section 9.2.6.
CASES: dict[str, tuple[bytes, list[tuple[str, bytes]]]] = {
    "line feeds": (b"event: delta\ndata: a\n\n", [("delta", b"a")]),
    "carriage returns": (b"event: delta\rdata: a\r\r", [("delta", b"a")]),
    "both": (b"event: delta\r\ndata: a\r\n\r\n", [("delta", b"a")]),
    "mixed ends": (b"event: delta\rdata: a\r\ndata: b\n\r\n", [("delta", b"a\nb")]),
    "CR ends a line though an LF of its own follows": (
        b"data: a\r\n\ndata: b\r\r\n",
        [("message", b"a"), ("message", b"b")],
    ),
    "byte order mark": (b"\xef\xbb\xbfdata: a\n\n", [("message", b"a")]),
    "only one byte order mark": (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n", [("message", b"b")]),
    "a byte order mark further on": (b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [("message", b"a")]),
    "comments": (b": hello\n:\ndata: a\n:in between\ndata: b\n\n", [("message", b"a\nb")]),
    "no space after the colon": (b"data:a\n\n", [("message", b"a")]),
    "one space only is taken off": (b"data:  a \n\n", [("message", b" a ")]),
    "colons in data": (b"data: a: b:c\n\n", [("message", b"a: b:c")]),
    "field without a colon": (b"data\n\n", [("message", b"")]),
    "data of empty lines": (b"data:\ndata:\n\n", [("message", b"\n")]),
    "unknown fields": (b"id: 1\nretry: 10\nfoo: x\nData: no\ndata: a\n\n", [("message", b"a")]),
    "an event without data is none, and its name is forgotten": (
        b"event: a\n\ndata: b\n\n",
        [("message", b"b")],
    ),
    "the last name counts": (b"event: a\nevent: b\ndata: c\n\n", [("b", b"c")]),
    "an event that is not completed is none": (b"data: a\n\ndata: b\n", [("message", b"a")]),
    "bytes that are not ASCII": (
        "event: größe\ndata: ü\n\n".encode(),
        [("gr\ufffd\ufffd\ufffd\ufffde", "ü".encode())],
    ),
    "many blank lines": (b"\n\n\n\r\n\rdata: a\n\n\n\n", [("message", b"a")]),
    "nothing": (b"", []),
}


@pytest.mark.parametrize("piece_bytes", [1, 2, 3, 7, 100_000])
@pytest.mark.parametrize("case", CASES)
def test_the_specification_however_the_bytes_are_cut(case: str, piece_bytes: int) -> None:
    stream, expected = CASES[case]

    assert events(stream, piece_bytes=piece_bytes) == expected


@settings(deadline=None)
@given(
    stream=st.lists(st.sampled_from([b"\r", b"\n", b"data", b":", b" ", b"event", b"x"]), max_size=40).map(
        b"".join
    )
)
def test_the_cut_never_matters(stream: bytes) -> None:
    """Any bytes mean the same in one piece and byte by byte."""
    assert events(stream, piece_bytes=1) == events(stream, piece_bytes=100_000)


def test_empty_pieces_change_nothing() -> None:
    """A read may bring none: also not between a CR and its LF."""
    fresh = parser()

    found = [
        event for piece in (b"data: a\r", b"", b"\ndata: b", b"", b"\r\n\r\n") for event in fresh.feed(piece)
    ]

    assert found == [ServerEvent("message", b"a\nb")]


@pytest.mark.parametrize("piece_bytes", [1, 5000])
@pytest.mark.parametrize(
    ("stream", "reason", "setting"),
    [
        pytest.param(b"data: " + b"x" * 2000, "too_large", "reply_bytes_max", id="one line that never ends"),
        pytest.param(
            b"data: " + b"x" * 2000 + b"\n\n", "too_large", "reply_bytes_max", id="one line too long"
        ),
        pytest.param(
            b"data: xxxxxxxxxx\n" * 200, "too_large", "reply_bytes_max", id="too many lines of data"
        ),
        pytest.param(b"data:\n" * 2000, "too_large", "reply_bytes_max", id="too many lines of nothing"),
        pytest.param(b"data: x\n\n" * 101, "stream_too_long", "events_max", id="too many events"),
        pytest.param(b": x\n" * 25_001, "stream_too_long", "stream_bytes_max", id="comments for ever"),
        pytest.param(b"\n" * 100_001, "stream_too_long", "stream_bytes_max", id="blank lines for ever"),
    ],
)
def test_over_a_bound_it_ends_with_the_setting_named(
    stream: bytes, reason: str, setting: str, piece_bytes: int
) -> None:
    with pytest.raises(AssistantFailed, match=setting) as failed:
        events(stream, piece_bytes=piece_bytes)

    assert failed.value.reason == reason


def test_at_its_bounds_it_reads_all() -> None:
    """A bound is the last value that is allowed."""
    fresh = parser(event_bytes_max=6, events_max=2, stream_bytes_max=18)

    assert len(list(fresh.feed(b"data:12345\n\ndata\n\n"))) == 2


def test_a_long_line_in_single_bytes_costs_linear_time() -> None:
    """Copying the line for every byte of it would take minutes for a quarter of a mebibyte."""
    fresh = parser(event_bytes_max=300_000, stream_bytes_max=300_000)
    started_at = time.perf_counter()

    for byte in b"data: " + b"x" * 250_000:
        assert not list(fresh.feed(bytes((byte,))))

    assert [len(event.data) for event in fresh.feed(b"\n\n")] == [250_000]
    assert time.perf_counter() - started_at < 10
