"""The reply: nothing is believed, and an error tells the place and never the content."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.assistants.decode import decode_reply
from gateway.domain.errors import AssistantFailed
from gateway.domain.reply import Card, Reply, Text
from gateway.domain.text import clean
from gateway.settings.assistants import AssistantSettings

BOUNDS = AssistantSettings(state_bytes_max=200, memory_bytes_max=100, nesting_max=4, reply_bytes_max=20_000)


def failure(body: bytes) -> AssistantFailed:
    """Return the failure that *body* ends in."""
    with pytest.raises(AssistantFailed) as failed:
        decode_reply(body, BOUNDS)
    return failed.value


def test_a_whole_reply() -> None:
    body = b"""{"parts": [{"type": "text", "text": "Hi"}, {"type": "card", "title": "Negroni"}],
                "state": {"last": "negroni"}, "memory": null, "end": true, "locale": "en"}"""

    assert decode_reply(body, BOUNDS) == Reply(
        (Text("Hi"), Card("Negroni")), {"last": "negroni"}, None, end=True, locale="en"
    )


def test_absent_and_null_are_told_apart() -> None:
    """Absent leaves what is stored; null clears it."""
    assert decode_reply(b'{"parts": []}', BOUNDS).state is msgspec.UNSET
    assert decode_reply(b'{"parts": [], "state": null}', BOUNDS).state is None


def test_unknown_fields_are_ignored() -> None:
    """A newer assistant can talk to an older gateway."""
    assert decode_reply(
        b'{"parts": [{"type": "text", "text": "a", "new": 1}], "newer": {}}', BOUNDS
    ) == Reply((Text("a"),))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{",
        b"NaN",
        b"\xef\xbb\xbf{}",
        b'{"parts": []} x',
        b'{"parts": [{"type": "text", "text": "\xff"}]}',
        b'{"parts": [{"type": "text", "text": "a\x00b"}]}',
        b'{"parts": [{"type": "text", "text": "\\u00"}]}',
    ],
)
def test_what_is_not_json(body: bytes) -> None:
    assert failure(body).reason == "not_json"


@pytest.mark.parametrize(
    ("body", "explanation"),
    [
        (b"[]", "Expected `object`, got `array` at $"),
        (b'{"error": "no"}', "Object missing required field `parts` at $"),
        (b'{"parts": [{"type": "text", "text": 1}]}', "Expected `str`, got `int` at $.parts[0].text"),
        (b'{"parts": [{"type": "text", "text": "a"}, {"text": "b"}]}', "required field `type` at $.parts[1]"),
        (b'{"parts": [], "state": []}', "at $.state"),
        (b'{"parts": [], "end": "yes"}', "Expected `bool`, got `str` at $.end"),
        (b'{"parts": [{"type": "image", "alt": "a", "url": "javascript:alert(1)"}]}', "at $.parts[0].url"),
        (b'{"parts": [{"type": "text", "text": "%s"}]}' % (b"x" * 2), ""),
        (b'{"parts": [%s]}' % b",".join([b'{"type": "text", "text": "a"}'] * 51), "length <= 50 at $.parts"),
        (b'{"parts": [], "state": {"n": 1e400}}', "at $.state[...]"),
    ],
)
def test_what_does_not_fit_the_schema_is_told_by_its_place(body: bytes, explanation: str) -> None:
    if not explanation:
        assert decode_reply(body, BOUNDS).parts
        return
    failed = failure(body)

    assert failed.reason == "wrong_schema"
    assert explanation in str(failed)


@pytest.mark.parametrize(
    "body",
    [
        b'{"parts": [{"type": "CONFIDENTIAL", "text": "a"}]}',
        b'{"parts": [{"type": "text", "text": {"CONFIDENTIAL": 1}}]}',
        b'{"parts": [{"type": "image", "alt": "a", "url": "CONFIDENTIAL"}]}',
        b'{"parts": [], "state": {"CONFIDENTIAL": "CONFIDENTIAL\xff"}}',
        b'{"parts": [], "state": {"CONFIDENTIAL": 1e400}}',
        b"CONFIDENTIAL",
        b'{"CONFIDENTIAL": "CONFIDENTIAL", "parts": 1}',
        b'{"parts": [], "state": {"CONFIDENTIAL": "%s"}}' % (b"CONFIDENTIAL" * 20),
    ],
)
def test_an_error_never_shows_what_the_assistant_said(body: bytes) -> None:
    """Neither its text nor an exception that is chained to it, whose text or fields would end up in a log."""
    failed = failure(body)

    assert "CONFIDENTIAL" not in str(failed)
    assert failed.__cause__ is None
    assert failed.__context__ is None or failed.__suppress_context__


@pytest.mark.parametrize(
    ("escaped", "kept"),
    [
        (rb"a\u0000b", "a\ufffdb"),
        (rb"\ud800", "\ufffd"),
        (rb"\uDC00x", "\ufffdx"),
        (rb"\ud83d\ude00", "😀"),
        (rb"\ud83d\ud83d\ude00", "\ufffd😀"),
        (rb"\ude00\ud83d", "\ufffd\ufffd"),
        (rb"\\u0000", r"\u0000"),
        (rb"\\\u0000", "\\\ufffd"),
        (rb"\"\u0000\n", '"\ufffd\n'),
        (rb"\u00e9\u0000", "é\ufffd"),
    ],
)
def test_what_no_store_keeps_is_replaced_wherever_it_stands(escaped: bytes, kept: str) -> None:
    """In texts, and in state and memory at any depth, in keys as well."""
    body = b'{"parts": [{"type": "text", "text": "%s"}], "state": {"a": [{"%s": "%s"}]}}' % (
        escaped,
        escaped,
        escaped,
    )

    reply = decode_reply(body, BOUNDS)

    assert reply == Reply((Text(kept),), {"a": [{kept: kept}]})


@settings(deadline=None)
@given(st.text(st.characters(), max_size=50))
def test_any_text_arrives_as_cleaning_it_would_leave_it(text: str) -> None:
    """The pass over the escapes agrees with the domain's rule for texts, whatever a writer escapes."""
    body = json.dumps({"parts": [{"type": "text", "text": text}]}).encode()

    assert decode_reply(body, BOUNDS).parts == (
        Text(clean(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))),
    )


@pytest.mark.parametrize(("name", "bytes_max"), [("state", 200), ("memory", 100)])
def test_state_and_memory_are_bounded_in_bytes(name: str, bytes_max: int) -> None:
    """To the byte, and counted as UTF-8, which is how they are kept."""
    body = json.dumps({"parts": [], name: {"k": "é" * ((bytes_max - 8) // 2)}}).encode()
    assert decode_reply(body, BOUNDS)

    failed = failure(json.dumps({"parts": [], name: {"k": "é" * ((bytes_max - 8) // 2) + "x"}}).encode())

    assert failed.reason == f"{name}_too_large"
    assert f"{name}_bytes_max ({bytes_max})" in str(failed)


@pytest.mark.parametrize("name", ["state", "memory"])
def test_state_and_memory_are_bounded_in_depth(name: str) -> None:
    allowed: dict[str, object] = {"a": [{"b": [1]}]}
    assert decode_reply(json.dumps({"parts": [], name: allowed}).encode(), BOUNDS)

    failed = failure(json.dumps({"parts": [], name: {"a": [{"b": [[]]}]}}).encode())

    assert failed.reason == "too_deep"
    assert "nesting_max (4)" in str(failed)


@pytest.mark.parametrize("field", ["state", "parts", "unknown"])
def test_nesting_without_end_is_refused_anywhere(field: str) -> None:
    """Nine thousand brackets must not reach anything that recurses."""
    failed = failure(b'{"parts": [], "%s": {"a": %s}}' % (field.encode(), b"[" * 9000 + b"]" * 9000))

    assert failed.reason in {"too_deep", "wrong_schema"}


def test_a_body_over_its_bound_is_not_even_read() -> None:
    failed = failure(b"x" * 20_001)

    assert failed.reason == "too_large"
    assert "reply_bytes_max (20000)" in str(failed)
