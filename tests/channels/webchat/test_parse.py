"""The page's messages: what is accepted, what is refused and why."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.channels.base import Messages
from gateway.channels.registry import CHANNELS
from gateway.channels.webchat.parse import wait_s
from gateway.domain.errors import BadRequest, NotUnderstood, TooLarge
from gateway.domain.message import Inbound, Message, Sender
from tests.channels.webchat.visitors import ACCOUNT, NOW_S, VISITOR, cookie, post

WEBCHAT = CHANNELS["webchat"]
TEXT = {"id": "0b9f3c52-7f5e", "text": "Something with gin"}


def parse(body: Any, **headers: str) -> Inbound:
    parsed = WEBCHAT.parse(post(body, **headers), ACCOUNT, NOW_S)
    assert isinstance(parsed, Messages)
    (inbound,) = parsed.inbound
    return inbound


def refusal(body: Any) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        parse(body)
    return caught.value


def test_a_text_is_the_visitors_next_message() -> None:
    assert parse(TEXT, accept_language="de-DE,de;q=0.9,en;q=0.8") == Inbound(
        conversation_key=f"{VISITOR}:main",
        dedupe_keys=(f"{VISITOR}:0b9f3c52-7f5e",),
        sender=Sender(key=VISITOR, locale="de-DE"),
        message=Message(kind="text", text="Something with gin", locale="de-DE"),
        surface="message",
        address={"visitor": VISITOR, "chat": "main", "id": "0b9f3c52-7f5e"},
    )


def test_a_tap_says_what_was_tapped() -> None:
    tap = {"name": "order", "value": "martini", "label": "A Martini"}

    inbound = parse({"id": "0b9f3c52-7f5f", "tap": tap, "chat": "second"})

    assert inbound.message == Message(kind="tap", name="order", value="martini", text="A Martini")
    assert inbound.conversation_key == f"{VISITOR}:second"


def test_equal_ids_of_two_visitors_are_two_messages() -> None:
    """The id is the page's to choose: nobody can swallow a stranger's message by taking its id first."""
    stranger = cookie("c3RyYW5nZXJzdHJhbmdlcg")

    assert not set(parse(TEXT).dedupe_keys) & set(parse(TEXT, cookie=stranger).dedupe_keys)
    assert parse(TEXT).dedupe_keys == parse({**TEXT, "text": "again"}).dedupe_keys


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("", 0.0),
        ("wait=10", 10.0),
        ("WAIT = 10", 10.0),
        ('respond-async, wait="7"', 7.0),
        ("respond-async; wait=3, x", 3.0),
        ("wait=999999", 25.0),
        ("wait=0", 0.0),
        ("wait=-1", 0.0),
        ("wait=soon", 0.0),
        ("wait=99999999999999999999", 0.0),
        ("nowait=10", 0.0),
    ],
)
def test_prefer_wait_is_honoured_up_to_its_bound(prefer: str, seconds: float) -> None:
    """RFC 7240: the answer in the response if it comes in time; whatever is not that is ignored."""
    inbound = parse(TEXT, prefer=prefer)

    assert wait_s(prefer) == seconds
    assert inbound.surface == ("wait" if seconds else "message")
    assert inbound.answer_by_s == (seconds or None)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"[]", "wrong_schema"),
        (b'{"id":"12345678","text":"\xff"}', "not_utf8"),
        (b'{"id":"12345678","text":' + b"[" * 100_000, "wrong_schema"),
        (b'{"id":"12345678","x":' + b"[" * 100_000, "too_deep"),
        ({"text": "hi"}, "wrong_schema"),
        ({"id": "1234567", "text": "hi"}, "wrong_schema"),
        ({"id": "x" * 65, "text": "hi"}, "wrong_schema"),
        ({"id": "1234 5678", "text": "hi"}, "wrong_schema"),
        ({"id": "12345678\n", "text": "hi"}, "wrong_schema"),
        ({"id": 12345678, "text": "hi"}, "wrong_schema"),
        ({"id": "12345678", "text": 7}, "wrong_schema"),
        ({"id": "12345678"}, "wrong_schema"),
        ({"id": "12345678", "text": "hi", "tap": {"name": "x"}}, "wrong_schema"),
        ({"id": "12345678", "text": "hi", "chat": "a:b"}, "wrong_schema"),
        ({"id": "12345678", "text": "hi", "chat": ""}, "wrong_schema"),
        ({"id": "12345678", "tap": {"name": "x" * 256}}, "wrong_schema"),
        ({"id": "12345678", "text": " \n"}, "empty"),
    ],
)
def test_a_bad_body_is_a_400_with_its_reason(body: Any, reason: str) -> None:
    """Never NotUnderstood: a dead letter and a 2xx are for platforms, this caller reads its answer."""
    error = refusal(body)

    assert (error.status, error.reason) == (400, reason)
    assert not isinstance(error, NotUnderstood)


def test_a_text_over_the_bound_is_a_413_that_names_it() -> None:
    error = refusal({**TEXT, "text": "x" * 4_001})

    assert isinstance(error, TooLarge)
    assert (error.status, error.reason) == (413, "text_too_long")
    assert str(error) == "expected at most 4,000 characters of text, got 4,001"
    assert parse({**TEXT, "text": "x" * 4_000}).message.text == "x" * 4_000


def test_nul_and_lone_surrogates_are_accepted_and_cleaned() -> None:
    assert (
        parse(rb'{"id":"12345678","text":"gin\u0000\ud83d \ud83c\udf78"}').message.text
        == "gin\ufffd\ufffd 🍸"
    )
    tap = parse(rb'{"id":"12345678","tap":{"name":"a\u0000","value":"b\udc00","label":"c\ud800"}}').message
    assert (tap.name, tap.value, tap.text) == ("a\ufffd", "b\ufffd", "c\ufffd")


@pytest.mark.parametrize(
    ("header", "locale"),
    [
        ("", ""),
        ("*", ""),
        ("en", "en"),
        ("pt-BR;q=0.5, en", "pt-BR"),
        ("x" * 500, ""),
        ("zh-Hant-TW,zh", "zh-Hant-TW"),
    ],
)
def test_the_browsers_first_language_is_the_locale(header: str, locale: str) -> None:
    assert parse(TEXT, accept_language=header).sender.locale == locale


@given(st.binary(max_size=200), st.text(max_size=20), st.text(max_size=20))
def test_any_bytes_are_a_message_or_a_bad_request(body: bytes, prefer: str, language: str) -> None:
    try:
        parse(body, prefer=prefer, accept_language=language)
    except BadRequest as error:
        assert error.status in {400, 413}  # noqa: PT017 -- either ending is right, any other exception fails
