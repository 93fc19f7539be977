"""Whatever is said, an answer comes that the gateway takes, and what is kept stays small."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.demo.tasted.catalogue.load import load_catalogue
from gateway.demo.tasted.session import STATE_BYTES_MAX, TIMERS_MAX
from gateway.demo.tasted.tasted import Tasted
from gateway.demo.wire import Message
from gateway.domain.reply import Reply
from tests.demo.tasted.cooks import SCREEN, VOICE, Cook, turn
from tests.support.examples import examples

TASTED = Tasted(load_catalogue(), pictures="https://tasted.example")
SLUGS = sorted(load_catalogue().recipes)
NOW_S = 1_763_800_000.0

SAYINGS = (
    "what can I cook with eggs, potatoes, onions, garlic, butter and milk", "something vegan", "the second one",
    "cook it", "next", "back", "set the timer", "5 minutes", "set a timer for 20 minutes for the very long name of it",
    "how long still", "cancel the timer", "cancel all timers", "where was I", "save it", "my favourites", "done",
    "I'm allergic to nuts", "I am vegan", "for 100 people", "without butter", "is it vegan", "forget me", "hello",
    "something else", "how much flour", "what do you know about me", "stop", "step 3",
)  # fmt: skip
said = st.one_of(
    st.sampled_from(SAYINGS),
    st.builds("cook {}".format, st.sampled_from(SLUGS)),
    st.builds("{} {}".format, st.sampled_from(SAYINGS), st.sampled_from(SAYINGS)),
    st.builds("set a {} timer for {} minutes".format, st.text("abcdefgh", min_size=1, max_size=50), st.integers(0, 99)),
    st.text(max_size=200),
)


def accepted(reply: Any) -> Reply:
    """The reply as the gateway reads it: a part, a name or a number over its bounds would raise."""
    return msgspec.json.decode(msgspec.json.encode(reply), type=Reply)


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(said, max_size=12), st.booleans())
def test_any_conversation_is_answered_within_the_bounds(texts: list[str], seen: bool) -> None:
    """By the gateway's own schema, timers included; state and memory stay small, and read back as themselves."""
    cook = Cook(TASTED, surface=SCREEN if seen else VOICE)
    for text in texts:
        reply = accepted(cook.says(text).reply)
        assert reply.parts
        assert seen or not reply.timers, "promised where nothing can come"
        cook.waits(61.0)
    for kept in (cook.state, cook.memory):
        assert len(msgspec.json.encode(kept)) <= STATE_BYTES_MAX
    assert len((cook.state or {}).get("timers", ())) <= TIMERS_MAX


@settings(max_examples=examples(150), deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(("have", "results", "current", "cooking", "step", "serves", "timers", "cooking_serves")),
        st.one_of(
            st.none(), st.integers(-5, 500), st.sampled_from(SLUGS), st.text(max_size=80),
            st.lists(st.text(max_size=5)),
            st.lists(st.fixed_dictionaries({"name": st.text(max_size=9), "due_s": st.floats(allow_nan=False)})),
        ),
    ),
    st.sampled_from(SAYINGS),
)  # fmt: skip
def test_any_state_is_survived(state: dict[str, Any], text: str) -> None:
    """An older version's, or somebody's experiment."""
    accepted(TASTED.answer(turn(text, state=state, memory={"favourites": [text], **state}), NOW_S))


@given(st.text(max_size=120), st.sampled_from(("tap", "command", "event", "attachment", "speech", "telepathy")))
def test_any_message_is_survived(text: str, kind: str) -> None:
    accepted(TASTED.answer(turn(Message(kind, text, name=text, value=text)), NOW_S))


@pytest.mark.parametrize("slug", SLUGS)
def test_every_recipe_can_be_cooked_to_its_end(slug: str) -> None:
    """By its own buttons, with every timer that it offers."""
    cook = Cook(TASTED)
    seen = cook.taps(f"cook:{slug}")
    timers = 0
    for _ in range(40):
        accepted(seen.reply)
        for value in seen.buttons:
            if value.startswith("timer:"):
                timers += len(cook.taps(value).reply.timers)
        forward = next(value for value in seen.buttons if value.startswith(("step:", "done:")))
        seen = cook.taps(forward)
        if forward.startswith("done:"):
            break
    assert "favourites" in seen.says
    steps = load_catalogue().recipes[slug].steps
    assert timers == sum(1 for step in steps if step.timer_s)


def test_more_timers_than_anybody_can_hear_are_refused() -> None:
    cook = Cook(TASTED)
    for number in range(TIMERS_MAX):
        assert cook.says(f"set a timer for {number + 3} minutes").reply.timers
    refused = cook.says("set a timer for 50 minutes")

    assert not refused.reply.timers
    assert "8 timers run already" in refused.says
    # One that runs may be set anew.
    assert cook.says("set a timer for 3 minutes").reply.timers
    assert len(cook.waiting) == TIMERS_MAX


def test_pictures_are_shown_where_they_can_be_fetched_and_nowhere_else() -> None:
    """By a public address to everybody; by this machine's own to its own browser alone."""
    here = Tasted(load_catalogue(), pictures="http://127.0.0.1:8091", pictures_of=frozenset({"webchat"}))

    def images(tasted: Tasted, channel: str) -> bool:
        return b"/pictures/" in msgspec.json.encode(tasted.answer(turn("carbonara", channel=channel), NOW_S))

    assert [images(TASTED, channel) for channel in ("webchat", "slack")] == [True, True]
    assert [images(here, channel) for channel in ("webchat", "slack")] == [True, False]
    assert not images(Tasted(load_catalogue()), "webchat")


def test_the_same_turn_at_the_same_time_gets_the_same_answer() -> None:
    request = turn("set a timer for 5 minutes", state={"current": "dal"})

    assert TASTED.answer(request, NOW_S) == TASTED.answer(request, NOW_S)
