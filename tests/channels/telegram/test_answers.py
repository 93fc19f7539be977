"""What Telegram's deliveries are answered with: nothing, a sign of life, or that they come again."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.channels.base import Receipt
from gateway.domain.errors import Overloaded, StoreUnavailable
from gateway.domain.http import Response
from tests.channels.telegram.updates import ACCOUNT, GROUP, TELEGRAM, callback, parsed, update

COMMAND = {"text": "/gin", "entities": [{"type": "bot_command", "offset": 0, "length": 4}]}


def acknowledged(value: object, account: Any = ACCOUNT) -> Any:
    response = parsed(value, account).acknowledgement
    assert response is not None
    assert (response.status, response.content_type) == (200, "application/json")
    return msgspec.json.decode(response.body)


def test_a_message_is_acknowledged_with_typing() -> None:
    assert acknowledged(update(text="hi")) == {
        "method": "sendChatAction",
        "chat_id": 4815162342,
        "action": "typing",
    }


def test_typing_is_shown_in_the_topic() -> None:
    call = acknowledged(update(chat=GROUP, message_thread_id=5, is_topic_message=True, **COMMAND))

    assert (call["chat_id"], call["message_thread_id"]) == (-1001234567890, 5)


def test_typing_can_be_turned_off() -> None:
    quiet = msgspec.structs.replace(ACCOUNT, typing=False)
    assert parsed(update(text="hi"), quiet).acknowledgement is None
    assert parsed(callback("b:x"), quiet).acknowledgement is not None


def test_a_tap_is_acknowledged_so_that_its_button_ceases_to_load() -> None:
    assert acknowledged(callback("b:make:negroni")) == {
        "method": "answerCallbackQuery",
        "callback_query_id": "4382bfdwdsb323b2d9",
    }


def test_what_is_ignored_shows_nothing() -> None:
    assert parsed(update(chat=GROUP, text="among us")).acknowledgement is None


def test_accepted_and_late_are_empty() -> None:
    assert TELEGRAM.accepted([Receipt(1, 1, False)]) == Response(200)
    assert TELEGRAM.late("message", ACCOUNT) == Response(200)


@pytest.mark.parametrize(
    ("error", "after"),
    [
        (Overloaded("lanes.lane_waiting_max is reached", reason="lane_full", retry_after_s=2.2), "3"),
        (StoreUnavailable("PostgreSQL does not answer", reason="postgres", retry_after_s=0), "1"),
    ],
)
def test_a_refusal_names_a_time_that_telegram_keeps_to(error: Overloaded, after: str) -> None:
    for surface in ("message", None):
        response = TELEGRAM.refuse(surface, ACCOUNT, error)
        assert (response.status, response.headers) == (503, (("Retry-After", after),))


def test_a_reply_never_leaves_in_the_response() -> None:
    """It would be sent a second time whenever an acknowledgement is lost."""
    assert not any(table.answers_in_response for table in TELEGRAM.surfaces.values())


def test_keys_outlive_redelivery_and_die_before_ids_begin_anew() -> None:
    """Telegram delivers for a day, and begins at a random id after a week of silence."""
    assert all(1 < table.dedupe_days < 7 for table in TELEGRAM.surfaces.values())


def test_a_message_that_answers_nothing_goes_to_the_chat_and_its_topic() -> None:
    """It is a reply to no message, and carries nothing of the tap before it."""
    address = {"chat_id": "-5", "thread_id": "7", "reply_to": "77", "value_digest": "x"}
    assert TELEGRAM.unasked("message", address) == ("message", {"chat_id": "-5", "thread_id": "7"})
