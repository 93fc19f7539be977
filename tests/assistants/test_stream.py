"""A streamed answer: previews in order, one reply that ends it, and nothing believed."""

from __future__ import annotations

import pytest

from gateway.assistants.preview import Delta, PartPreview, Preview, Typing
from gateway.assistants.stream import StreamDecoder
from gateway.domain.errors import AssistantFailed
from gateway.domain.reply import Reply, Text
from gateway.settings.assistants import AssistantSettings

ANSWER = (
    b"event: typing\ndata: {}\n\n"
    b'event: delta\ndata: {"text": "Sha"}\n\n'
    b'event: delta\ndata: {"text": "ke\\u0000."}\n\n'
    b": still here\n\n"
    b"event: future\ndata: whatever comes\n\n"
    b'event: part\ndata: {"type": "text", "text": "Shake."}\n\n'
    b'event: reply\ndata: {"parts":\ndata:  [{"type": "text", "text": "Shake."}]}\n\n'
)


def decode(*pieces: bytes) -> tuple[list[Preview], StreamDecoder]:
    decoder = StreamDecoder(AssistantSettings())
    return [preview for piece in pieces for preview in decoder.feed(piece)], decoder


@pytest.mark.parametrize("piece_bytes", [1, 10, 100_000])
def test_previews_come_in_order_and_then_the_reply(piece_bytes: int) -> None:
    previews, decoder = decode(*(ANSWER[at : at + piece_bytes] for at in range(0, len(ANSWER), piece_bytes)))

    assert previews == [Typing(), Delta("Sha"), Delta("ke\ufffd."), PartPreview(Text("Shake."))]
    assert decoder.close() == Reply((Text("Shake."),))


def test_a_preview_is_out_before_the_next_byte_is_needed() -> None:
    """What the user sees must not wait for the rest of the stream."""
    previews, decoder = decode(b'event: delta\ndata: {"text": "Sha"}\n\n')

    assert previews == [Delta("Sha")]
    assert decoder.reply is None


def test_nothing_counts_after_the_reply() -> None:
    """The reply ends the stream, even if the assistant goes on."""
    tail = b'event: delta\ndata: {"text": "x"}\n\nevent: reply\ndata: not json\n\n'
    previews, decoder = decode(b'event: reply\ndata: {"parts": []}\n\n' + tail, tail)

    assert previews == []
    assert decoder.close() == Reply()


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b'event: delta\ndata: {"text": "x"}\n\n',
        b'event: reply\ndata: {"parts": []}\n',
        b'data: {"parts": []}\n\n',
    ],
    ids=["empty", "previews only", "reply without its blank line", "unnamed"],
)
def test_a_stream_without_a_reply_is_a_failure(stream: bytes) -> None:
    """Previews are never the message."""
    _, decoder = decode(stream)

    with pytest.raises(AssistantFailed) as failed:
        decoder.close()
    assert failed.value.reason == "stream_without_reply"


@pytest.mark.parametrize(
    ("stream", "reason", "place"),
    [
        (b'event: delta\ndata: {"text": 1}\n\n', "wrong_schema", "delta event"),
        (b"event: delta\ndata: CONFIDENTIAL\n\n", "not_json", "delta event"),
        (b'event: part\ndata: {"type": "CONFIDENTIAL"}\n\n', "wrong_schema", "part event"),
        (b"event: typing\ndata: 1\n\n", "wrong_schema", "typing event"),
        (b'event: reply\ndata: {"CONFIDENTIAL": 1}\n\n', "wrong_schema", "reply"),
    ],
)
def test_an_event_that_lies_is_a_failure(stream: bytes, reason: str, place: str) -> None:
    with pytest.raises(AssistantFailed, match=place) as failed:
        decode(stream)

    assert failed.value.reason == reason
    assert "CONFIDENTIAL" not in str(failed.value)
