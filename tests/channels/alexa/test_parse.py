"""What Alexa's requests say."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.channels.base import Messages
from gateway.domain.errors import NotUnderstood
from gateway.domain.message import Inbound
from gateway.settings.accounts import AlexaAccount
from tests.channels.alexa.deliveries import (
    ACCOUNT,
    ALEXA,
    NOW_S,
    account,
    asking,
    intent,
    launch,
    request,
    signed,
)


def parse(body: dict[str, Any], of: AlexaAccount = ACCOUNT) -> tuple[Inbound, ...]:
    parsed = ALEXA.parse(signed(body), of, NOW_S)
    assert isinstance(parsed, Messages)
    return parsed.inbound


def one(body: dict[str, Any], of: AlexaAccount = ACCOUNT) -> Inbound:
    [inbound] = parse(body, of)
    return inbound


def test_a_launch_is_an_event() -> None:
    inbound = one(launch())

    assert (inbound.message.kind, inbound.message.name, inbound.message.text) == ("event", "session_started", "")
    assert inbound.surface == "request"
    assert inbound.message.sent_at == NOW_S


def test_who_says_it_and_where() -> None:
    inbound = one(asking("hello"))

    assert inbound.sender.key == "amzn1.ask.account.USER"
    assert inbound.sender.locale == inbound.message.locale == "en-US"
    assert inbound.conversation_key == "amzn1.ask.account.USER:amzn1.ask.device.KITCHEN"
    assert inbound.dedupe_keys == ("amzn1.echo-api.request.R1",)
    assert inbound.address == {"request": "amzn1.echo-api.request.R1", "session": "amzn1.echo-api.session.S1"}
    assert inbound.answer_by_s == ACCOUNT.answer_by_s


def test_the_conversation_lasts_over_sessions() -> None:
    """Law: what an assistant keeps is there at the next launch; a second device is a second dialogue."""
    first, second = launch(sessionId="S1"), launch(sessionId="S2")
    elsewhere = launch()
    elsewhere["context"]["System"]["device"]["deviceId"] = "BEDROOM"

    assert one(first).conversation_key == one(second).conversation_key
    assert one(elsewhere).conversation_key != one(first).conversation_key


def test_the_token_is_of_use_for_now_and_kept_nowhere() -> None:
    inbound = one(asking("hello"))

    assert inbound.passing == {
        "api": "https://api.amazonalexa.com",
        "token": "a-token-of-an-hour",
        "request": "amzn1.echo-api.request.R1",
    }
    assert "a-token-of-an-hour" not in str((inbound.address, inbound.message, inbound.sender))


@pytest.mark.parametrize(
    ("name", "slots", "text"),
    [
        ("CatchAllIntent", {"text": "a negroni, please"}, "a negroni, please"),
        ("Whatever", {"drink": "negroni", "query": "make me one"}, "make me one"),
        ("OrderDrinkIntent", {"drink": "negroni", "size": None}, "order drink negroni"),
        ("order_drink", {}, "order drink"),
        ("AMAZON.YesIntent", {}, "yes"),
        ("AMAZON.NoIntent", {}, "no"),
        ("AMAZON.HelpIntent", {}, "help"),
        ("AMAZON.StopIntent", {}, "stop"),
        ("AMAZON.CancelIntent", {}, "cancel"),
        ("AMAZON.StartOverIntent", {}, "start over"),
        ("AMAZON.NavigateHomeIntent", {}, "navigate home"),
        ("AMAZON.FallbackIntent", {}, ""),
        ("Intent", {}, "intent"),
        ("SearchTVShowsIntent", {}, "search tv shows"),
    ],
)
def test_an_intent_is_words(name: str, slots: dict[str, str | None], text: str) -> None:
    inbound = one(intent(name, {key: {"name": key, "value": value} for key, value in slots.items()}))

    assert (inbound.message.kind, inbound.message.text, inbound.message.name) == ("speech", text, name)
    assert inbound.message.arguments == {key: value for key, value in slots.items() if value}


def test_the_slots_of_the_account_are_looked_for_in_order() -> None:
    slots = {"query": {"value": "second"}, "words": {"value": "first"}}

    assert one(intent("I", slots), account(text_slots=("words", "query"))).message.text == "first"
    assert one(intent("Ask", slots), account(text_slots=())).message.text == "ask second first"


def test_a_slot_says_the_word_of_the_skill_s_model() -> None:
    """What was heard is "a neg roni"; the model knows it as "Negroni".  Without a match, what was heard is all."""
    match = {
        "value": "a neg roni",
        "resolutions": {
            "resolutionsPerAuthority": [
                {"status": {"code": "ER_SUCCESS_NO_MATCH"}},
                {"status": {"code": "ER_SUCCESS_MATCH"}, "values": [{"value": {"name": "Negroni", "id": "7"}}]},
            ]
        },
    }
    assert one(intent("OrderIntent", {"drink": match})).message.arguments == {"drink": "Negroni"}


def test_a_slot_of_several_values_says_them_all() -> None:
    several = {
        "value": None,
        "slotValue": {
            "type": "List",
            "values": [{"type": "Simple", "value": "gin"}, {"type": "Simple", "value": "lemon"}],
        },
    }
    message = one(intent("HaveIntent", {"things": several})).message

    assert (message.arguments, message.text) == ({"things": "gin, lemon"}, "have gin, lemon")


def test_whatever_answers_stop_ends_the_session() -> None:
    """[D] a skill that goes on after it is refused in certification; "cancel" may mean less."""
    assert one(intent("AMAZON.StopIntent")).surface == "stop"
    assert one(intent("AMAZON.CancelIntent")).surface == "request"


def test_the_end_of_a_session_is_an_event_that_nobody_hears_the_answer_to() -> None:
    inbound = one(request({"type": "SessionEndedRequest", "reason": "EXCEEDED_MAX_REPROMPTS"}))

    assert (inbound.message.name, inbound.message.value) == ("session_ended", "EXCEEDED_MAX_REPROMPTS")
    assert inbound.surface == "notice"
    assert inbound.passing == {}


@pytest.mark.parametrize(
    ("type_", "name"),
    [
        ("AlexaSkillEvent.SkillEnabled", "skill_enabled"),
        ("AlexaSkillEvent.SkillDisabled", "skill_disabled"),
        ("AlexaSkillEvent.SkillAccountLinked", "skill_account_linked"),
    ],
)
def test_skill_events_are_events_of_a_user_without_a_device(type_: str, name: str) -> None:
    body = request({"type": type_})
    del body["session"], body["context"]["System"]["device"]
    inbound = one(body)

    assert (inbound.message.name, inbound.surface) == (name, "notice")
    assert inbound.conversation_key == "amzn1.ask.account.USER:"


@pytest.mark.parametrize(
    "type_", ["AudioPlayer.PlaybackStarted", "System.ExceptionEncountered", "CanFulfillIntentRequest", "New.Thing"]
)
def test_what_is_nobody_s_to_answer_is_understood_and_ignored(type_: str) -> None:
    assert parse(request({"type": type_})) == ()


@pytest.mark.parametrize("missing", ["user", "requestId", "intent"])
def test_a_request_without_what_it_needs_is_not_understood(missing: str) -> None:
    body = asking("hello")
    if missing == "user":
        del body["session"]["user"], body["context"]["System"]["user"]
    else:
        body["request"][missing] = "" if missing == "requestId" else None

    with pytest.raises(NotUnderstood):
        parse(body)
