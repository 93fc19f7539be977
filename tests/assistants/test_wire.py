"""The request: what an assistant receives is what was promised to its author."""

from __future__ import annotations

import re

import msgspec
import pytest

from gateway.assistants.wire import TurnRequest, call_headers, encode, message_id
from gateway.domain.capabilities import Late
from tests.assistants.turns import CAPABILITIES, LANE_KEY, TURN


def test_the_body_is_the_published_one() -> None:
    """Every field that assistants rely on stands there by its name, and nothing of the platform's address."""
    body = encode(TURN, LANE_KEY, CAPABILITIES, deadline_ms=12_345)

    assert msgspec.json.decode(body) == {
        "turn_id": "123",
        "fence": 7,
        "sequence": 12,
        "attempt": 1,
        "deadline_ms": 12_345,
        "conversation": {
            "id": "45",
            "channel": "slack",
            "account": "bartender",
            "state": {"last": ["negroni"]},
        },
        "user": {"id": "9", "name": "Ann", "locale": "en-GB", "memory": None},
        "message": {"kind": "text", "text": "something with gin"},
        "surface": {
            "name": "event",
            "shows": ["buttons", "card", "text"],
            "text_chars_max": 4000,
            "buttons_max": 5,
            "markdown": True,
            "typing": False,
            "streams": True,
            "pushes": True,
        },
    }


@pytest.mark.parametrize(
    ("late", "pushes"),
    [("push", True), ("deferred", True), ("stream", True), ("next_turn", False), ("none", False)],
)
def test_an_assistant_is_told_whether_a_timer_reaches_anybody(late: Late, pushes: bool) -> None:
    """What is kept for the next turn is no promise that somebody will be called."""
    capabilities = msgspec.structs.replace(CAPABILITIES, late=late)
    body = encode(TURN, LANE_KEY, capabilities, deadline_ms=1)

    assert msgspec.json.decode(body, type=TurnRequest).surface.pushes is pushes


def test_a_request_reads_back_as_itself() -> None:
    body = encode(TURN, LANE_KEY, CAPABILITIES, deadline_ms=1)

    assert msgspec.json.encode(msgspec.json.decode(body, type=TurnRequest)) == body


def test_the_locale_of_the_message_outweighs_the_one_of_the_profile() -> None:
    message = msgspec.structs.replace(TURN.message, locale="de")

    body = encode(msgspec.structs.replace(TURN, message=message), LANE_KEY, CAPABILITIES, deadline_ms=1)

    assert msgspec.json.decode(body, type=TurnRequest).user.locale == "de"


def test_the_traceparent_is_the_one_of_the_specification() -> None:
    """W3C trace context, version 00: version, trace id of the turn, span id of the call, flags."""
    headers = dict(call_headers(TURN, LANE_KEY, span_id="00f067aa0ba902b7"))

    assert headers["traceparent"] == "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", headers["traceparent"])


def test_the_headers_name_turn_fence_and_deadline() -> None:
    headers = dict(call_headers(TURN, LANE_KEY, span_id="00f067aa0ba902b7"))

    assert headers["switchboard-turn"] == "123"
    assert headers["switchboard-fence"] == "7"
    assert headers["accept"] == "application/json, text/event-stream"


def test_a_turn_begun_anew_keeps_its_idempotency_key_and_gets_a_new_message_id() -> None:
    """The turn is the same one; the bytes are not, and a guard against replays must let them pass."""
    again = msgspec.structs.replace(TURN, deaths=1)
    first, second = (
        dict(call_headers(turn, LANE_KEY, span_id="00f067aa0ba902b7"))
        for turn in (TURN, again)
    )

    assert first["idempotency-key"] == second["idempotency-key"] == "turn-123"
    assert (message_id(TURN), message_id(again)) == ("turn_123_1", "turn_123_2")
    assert (
        msgspec.json.decode(encode(again, LANE_KEY, CAPABILITIES, deadline_ms=1), type=TurnRequest).attempt
        == 2
    )
