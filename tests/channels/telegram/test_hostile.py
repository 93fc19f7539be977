"""Whatever arrives with the right secret: a value or a typed refusal, with bounded work; nothing that stores refuse."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.channels.base import Messages
from gateway.domain.errors import NotUnderstood
from tests.channels.telegram.updates import (
    ACCOUNT,
    GROUP,
    NOW_S,
    TELEGRAM,
    callback,
    delivery,
    message,
    update,
)
from tests.support.work import bounded_work

UPDATES = (
    update(
        text="🍸 /start",
        entities=[{"type": "text_link", "offset": 0, "length": 2, "url": "https://a.example"}],
    ),
    update(text="/gin x", entities=[{"type": "bot_command", "offset": 0, "length": 4}]),
    update(
        chat=GROUP,
        text="hello @bartender_bot",
        entities=[{"type": "mention", "offset": 6, "length": 14}],
        reply_to_message=message(),
        message_thread_id=4,
        is_topic_message=True,
    ),
    update("edited_message", photo=[{"file_id": "a", "width": 1}], caption="this?", edit_date=1763800001),
    update(chat={"id": 0}, text="from nowhere"),
    update(venue={"location": {"latitude": 1.5, "longitude": 2.5}, "title": "Loos", "address": "here"}),
    update(contact={"phone_number": "+43", "first_name": "Bob"}),
    update(
        document={"file_id": "d", "file_name": "menu.pdf", "mime_type": "application/pdf", "file_size": 3}
    ),
    callback("b:make", keyboard=[[{"text": "Make it", "callback_data": "b:make"}]]),
    {"update_id": 1, "my_chat_member": {"chat": GROUP}},
)


def parse(body: bytes) -> Messages:
    made = TELEGRAM.parse(delivery(body), ACCOUNT, NOW_S)
    assert isinstance(made, Messages)
    return made


def refusal(body: bytes) -> str:
    with pytest.raises(NotUnderstood) as caught:
        parse(body)
    return caught.value.reason


def assert_value_or_refusal(body: bytes) -> None:
    """Any exception but NotUnderstood fails the test by itself."""
    with contextlib.suppress(NotUnderstood):
        for inbound in parse(body).inbound:
            assert b"\\u0000" not in msgspec.json.encode(inbound)
            assert all(len(key.encode()) < 200 for key in (*inbound.dedupe_keys, inbound.conversation_key))
            assert inbound.surface in TELEGRAM.surfaces
            assert str(int(inbound.address["chat_id"])) == inbound.address["chat_id"]


@given(st.binary(max_size=300))
def test_any_bytes_are_a_value_or_a_typed_refusal(body: bytes) -> None:
    assert_value_or_refusal(body)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(UPDATES), st.data())
def test_an_update_with_anything_in_any_place_is_a_value_or_a_typed_refusal(
    original: dict[str, Any], data: st.DataObject
) -> None:
    value = copy.deepcopy(original)
    holder, key = data.draw(st.sampled_from(list(_places(value))))
    holder[key] = data.draw(JSON)
    # As json.dumps does: whole numbers beyond 64 bits, too.
    assert_value_or_refusal(_encoded(value))


@pytest.mark.parametrize("original", UPDATES)
def test_nul_and_lone_surrogates_are_cleaned_wherever_a_text_stands(original: dict[str, Any]) -> None:
    body = _encoded(original)
    dirty = body.replace(b'": "', b'": "\\u0000\\ud83d')

    assert_value_or_refusal(dirty)
    assert parse(_encoded(_dirtied(original))).inbound == () or "\ufffd" in str(
        parse(_encoded(_dirtied(original)))
    )


@pytest.mark.parametrize("original", UPDATES)
def test_truncated_json_is_refused(original: dict[str, Any]) -> None:
    body = _encoded(original)

    assert {refusal(body[:end]) for end in range(1, len(body) - 1, 5)} == {"not_json"}


@pytest.mark.parametrize("depth", [2_000, 300_000])
@pytest.mark.parametrize(
    "shape",
    ['{{"update_id":1,"message":{}}}', '{{"update_id":1,"poll":{}}}', "{}",
     '{{"update_id":1,"message":{{"message_id":1,"chat":{{"id":1}},"reply_to_message":{{"forum_topic_created":{}}}}}}}'],
)  # fmt: skip
def test_deep_nesting_is_refused(shape: str, depth: int) -> None:
    nest = "[" * depth + "]" * depth
    assert refusal(shape.format(nest).encode()) in {"too_deep", "wrong_schema"}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not_json"),
        (b"{}", "wrong_schema"),
        (b"[]", "wrong_schema"),
        (b'{"update_id":"7"}', "wrong_schema"),
        (b'{"update_id":99999999999999999999999}', "wrong_schema"),
        (b'{"update_id":1,"message":{"message_id":1}}', "wrong_schema"),
        (b'{"update_id":1,"message":{"message_id":1,"chat":{"id":1e300}}}', "wrong_schema"),
        (b'{"update_id":1,"message":{"text":"\xff"}}', "not_utf8"),
    ],
)
def test_what_is_no_update_is_refused(body: bytes, reason: str) -> None:
    assert refusal(body) == reason


def test_a_refusal_tells_nothing_of_the_body() -> None:
    with pytest.raises(NotUnderstood) as caught:
        parse(b'{"update_id":1,"message":{"message_id":"hush","chat":"hush","text":"hush"}}')

    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("kind", ["text_link", "mention", "bot_command"])
def test_many_entities_of_a_long_text_are_bounded_work(kind: str) -> None:
    """The longest text that is read, with as many entities as a body of the server's bound holds."""
    entity = {"type": kind, "offset": 39_000, "length": 900, "url": "https://a.example"}
    value = update(chat=GROUP, text="🍸" * 20_000, entities=[entity] * 5_000)
    body = _encoded(value)

    with bounded_work():
        assert_value_or_refusal(body)


def _encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every (holder, key) of a JSON value."""
    keys = range(len(value)) if isinstance(value, list) else list(value) if isinstance(value, dict) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


def _dirtied(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _dirtied(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [_dirtied(each) for each in value]
    # What decides the kind of update must stay what it is.
    return (
        f"{value}\x00\ud83d"
        if isinstance(value, str) and key not in {"type", "data", "callback_data"}
        else value
    )
