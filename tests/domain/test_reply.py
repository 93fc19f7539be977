"""The published form of a reply: what it accepts, what it refuses, and that it says the same both ways."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given

from gateway.domain.reply import PARTS_MAX, Reply, Text
from tests.channels.strategies import replies


@given(replies)
def test_a_reply_survives_the_wire(reply: Reply) -> None:
    """What is encoded decodes to the same value under the schema's own bounds."""
    assert msgspec.json.decode(msgspec.json.encode(reply), type=Reply) == reply


def test_absent_null_and_object_are_three_different_states() -> None:
    """Absent keeps what is stored, null clears it, an object replaces it."""
    assert msgspec.json.decode(b"{}", type=Reply).state is msgspec.UNSET
    assert msgspec.json.decode(b'{"state": null}', type=Reply).state is None
    assert msgspec.json.decode(b'{"state": {"step": 2}}', type=Reply).state == {"step": 2}
    assert msgspec.json.encode(Reply()) == b"{}"
    assert msgspec.json.encode(Reply(memory=None)) == b'{"memory":null}'


@pytest.mark.parametrize(
    "part",
    [
        {"type": "hologram"},
        {"type": "text"},
        {"type": "text", "text": "x" * 40_001},
        {"type": "image", "url": "javascript:alert(1)", "alt": "x"},
        {"type": "image", "url": "file:///etc/passwd", "alt": "x"},
        {"type": "image", "url": "https://a.example/\n", "alt": "x"},
        {"type": "image", "url": "https://a.example/a.png", "alt": ""},
        {"type": "buttons", "text": "?", "buttons": []},
        {"type": "buttons", "text": "?", "buttons": [{"label": ""}]},
        {"type": "buttons", "text": "?", "buttons": [{"label": "a", "url": "data:text/html,x"}]},
        {"type": "suggestions", "texts": []},
        {"type": "list", "items": [{"title": "x"}] * 101},
    ],
)
def test_a_part_outside_the_schema_is_refused(part: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"parts": [part]}, Reply)


def test_a_reply_has_a_bounded_number_of_parts() -> None:
    fits = msgspec.json.encode(Reply(parts=(Text("x"),) * PARTS_MAX))
    beyond = msgspec.json.encode(Reply(parts=(Text("x"),) * (PARTS_MAX + 1)))

    assert len(msgspec.json.decode(fits, type=Reply).parts) == PARTS_MAX
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(beyond, type=Reply)
