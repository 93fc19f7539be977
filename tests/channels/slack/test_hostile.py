"""Whatever arrives with a good signature: a value or a typed refusal, and nothing that stores refuse."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.channels.base import Messages
from gateway.channels.decoding import FORM_FIELDS_MAX
from gateway.channels.registry import CHANNELS
from gateway.domain.errors import NotUnderstood
from gateway.domain.http import Request
from gateway.domain.message import Inbound
from tests.channels.slack.deliveries import ACCOUNT, NOW_S, SAMPLES, encode, sample

SLACK = CHANNELS["slack"]
FORM = "application/x-www-form-urlencoded"
NAMES = sorted(path.stem for path in SAMPLES.glob("*.json"))
SPOKEN = [name for name in NAMES if not name.startswith(("ignored_", "handshake_"))]


def parse(body: bytes, content_type: str = "application/json") -> tuple[Inbound, ...]:
    """Parse what need not be signed: slack_sdk cannot sign what is not UTF-8."""
    request = Request("POST", "/hooks/slack/bartender", "", {"content-type": content_type}, body)
    parsed = SLACK.parse(request, ACCOUNT, NOW_S)
    return parsed.inbound if isinstance(parsed, Messages) else ()


def refusal(body: bytes, content_type: str = "application/json") -> str:
    with pytest.raises(NotUnderstood) as caught:
        parse(body, content_type)
    return caught.value.reason


def assert_storable(inbound: tuple[Inbound, ...]) -> None:
    """Every text, key and name can be written to PostgreSQL, and the keys fit its indexes."""
    for message in inbound:
        encoded = msgspec.json.encode(message)
        assert b"\\u0000" not in encoded
        assert message.dedupe_keys
        assert all(len(key.encode()) < 2_500 for key in (*message.dedupe_keys, message.conversation_key))
        assert message.surface in SLACK.surfaces


def assert_value_or_refusal(body: bytes, content_type: str) -> None:
    """Any exception but NotUnderstood fails the test by itself."""
    with contextlib.suppress(NotUnderstood):
        assert_storable(parse(body, content_type))


@given(
    st.binary(max_size=300),
    st.sampled_from(["application/json", FORM, "", "text/plain", FORM + "; charset=x"]),
)
def test_any_bytes_are_a_value_or_a_typed_refusal(body: bytes, content_type: str) -> None:
    assert_value_or_refusal(body, content_type)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=[]), max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(NAMES), st.data())
def test_a_sample_with_anything_in_any_place_is_a_value_or_a_typed_refusal(
    name: str, data: st.DataObject
) -> None:
    """One value of a real delivery is replaced by any JSON at all: wrong types, nulls, odd numbers, nests."""
    value = _input(name)
    holder, key = data.draw(st.sampled_from(list(_places(value))))
    holder[key] = data.draw(JSON)
    try:
        content_type, body = encode(value)
    except (TypeError, AttributeError, UnicodeEncodeError):
        return  # a form cannot carry it
    assert_value_or_refusal(body, content_type)


@pytest.mark.parametrize("nothing", ["", None])
@pytest.mark.parametrize("name", SPOKEN)
def test_an_id_that_is_missing_is_never_an_error(name: str, nothing: str | None) -> None:
    """Each text of a delivery in turn is empty or null."""
    for at in range(len(list(_places(_input(name))))):
        value = _input(name)
        holder, key = list(_places(value))[at]
        if isinstance(holder[key], str):
            holder[key] = nothing
            content_type, body = encode(value)
            assert_value_or_refusal(body, content_type)


@pytest.mark.parametrize("name", SPOKEN)
def test_nul_and_lone_surrogates_are_cleaned_wherever_a_text_stands(name: str) -> None:
    """Every string of the delivery, its objects' keys included, gets both and is accepted all the same."""
    value = sample(name)
    expected = value.pop("expected")
    dirty = _dirtied(copy.deepcopy(value))
    content_type, body = encode(dirty) if "form" not in dirty else (FORM, _form_with_nul(dirty["form"]))

    inbound = parse(body, content_type)

    assert len(inbound) == len(expected)
    assert_storable(inbound)
    assert "\ufffd" in msgspec.json.encode(inbound).decode()


@pytest.mark.parametrize("name", [name for name in NAMES if "body" in sample(name)])
def test_truncated_json_is_refused(name: str) -> None:
    _, body = encode(sample(name))

    assert {refusal(body[:end]) for end in range(1, len(body) - 1, 7)} == {"not_json"}


@pytest.mark.parametrize("depth", [2_000, 300_000])
@pytest.mark.parametrize("shape", ['{{"type":"event_callback","event":{}}}', '{{"x":{}}}', "{}"])
def test_deep_nesting_is_refused(shape: str, depth: int) -> None:
    """A RecursionError must not escape, wherever the nest stands: in what is read, skipped or kept raw."""
    nest = "[" * depth + "]" * depth
    assert refusal(shape.format(nest).encode()) in {"too_deep", "wrong_schema"}
    payload = urlencode({"payload": shape.format(nest)}).encode()
    assert refusal(payload, FORM) in {"too_deep", "wrong_schema"}


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"type":"event_callback","event":{"type":"message","text":"\xff"}}', "application/json"),
        (b'{"type":"app_rate_limited","unread":"\xed\xa0\x80"}', "application/json"),
        (b"command=/drink&user_id=U1&channel_id=C1&text=\xff", FORM),
        (b"command=/drink&user_id=U1&channel_id=C1&text=%ff", FORM),
    ],
)
def test_invalid_utf8_is_refused(body: bytes, content_type: str) -> None:
    assert refusal(body, content_type) == "not_utf8"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"type":7}',
        b'{"type":"event_callback"}',
        b'{"type":"event_callback","event":null}',
        b'{"type":"event_callback","event":{"type":"message","user":"U1","channel":"C1"}}',
        b'{"type":"url_verification"}',
        b'{"type":"something_new"}',
        b'{"type":"event_callback","event":{"type":"message","user":"U","channel":"C","ts":"'
        + b"1" * 300
        + b'"}}',
    ],
)
def test_what_is_no_payload_of_slack_is_refused(body: bytes) -> None:
    assert refusal(body) in {"not_json", "wrong_schema", "unknown_type"}


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"command": "/drink"},
        {"payload": "{"},
        {"payload": "{}"},
        {"payload": '{"type":"x","user":{"id":"U"}}'},
    ],
)
def test_a_form_that_is_no_payload_of_slack_is_refused(form: dict[str, str]) -> None:
    assert refusal(urlencode(form).encode(), FORM)


def test_a_form_has_a_bounded_number_of_fields() -> None:
    body = "&".join(f"f{number}=1" for number in range(FORM_FIELDS_MAX + 1)).encode()

    assert refusal(body, FORM) == "not_a_form"


def test_a_refusal_tells_nothing_of_the_body() -> None:
    with pytest.raises(NotUnderstood) as caught:
        parse(
            b'{"type":"event_callback","event":{"type":"message","user":{"secret":"hush"},"channel":"hush"}}'
        )

    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None


def _input(name: str) -> dict[str, Any]:
    """Return a sample without its golden output."""
    return {key: value for key, value in sample(name).items() if key != "expected"}


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every (holder, key) of a JSON value."""
    keys = range(len(value)) if isinstance(value, list) else list(value) if isinstance(value, dict) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


def _dirtied(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        values = key == "values"
        return {
            (name + "\x00\ud83d" if values else name): _dirtied(each, "values" if values else name)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [_dirtied(each) for each in value]
    # What decides the kind of payload must stay what it is.
    if (
        isinstance(value, str)
        and key not in {"type", "subtype", "bot_id"}
        and not value.startswith("button:")
    ):
        return value + "\x00\ud83d"
    return value


def _form_with_nul(form: dict[str, str]) -> bytes:
    # A form is percent-encoded UTF-8, which has no surrogates.
    return urlencode({name: value.replace("\ud83d", "") for name, value in form.items()}).encode()
