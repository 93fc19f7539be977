"""What cooks say, and what it means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.demo.tasted.catalogue.load import load_catalogue
from gateway.demo.tasted.hearing.intent import ACTS, Act, Intent
from gateway.demo.tasted.hearing.lexicon import Lexicon
from gateway.demo.tasted.hearing.spans import span_in, span_text
from gateway.demo.tasted.hearing.timer_names import timer_name_in
from gateway.demo.tasted.hearing.understand import understand
from gateway.demo.tasted.tasted import ANSWERS
from gateway.demo.wire import Message

LEXICON = Lexicon(load_catalogue())


def heard(text: str) -> Intent:
    return understand(Message("text", text), LEXICON)


def test_every_act_is_answered() -> None:
    assert ANSWERS.keys() == ACTS


@pytest.mark.parametrize(
    ("said", "act"),
    [
        ("", "nothing"),
        ("  !?  ", "nothing"),
        ("Hi there", "greet"),
        ("What can you do?", "help"),
        ("thank you!", "thanks"),
        ("Good night", "goodbye"),
        ("What should I cook?", "find"),
        ("surprise me", "find"),
        ("show me something else", "another"),
        ("back to the list", "list"),
        ("Carbonara", "show"),
        ("how do I cook a risotto", "cook"),
        ("2", "show"),
        ("what do I need?", "ingredients"),
        ("shopping list please", "ingredients"),
        ("How much flour do I need?", "how_much"),
        ("for six", "serve"),
        ("we are 5 people", "serve"),
        ("I have no butter", "without"),
        ("leave out the garlic", "without"),
        ("what can I use instead of cream", "instead"),
        ("Is it vegan?", "suits"),
        ("how long does it take?", "how_long"),
        ("let's cook", "cook"),
        ("cook the second one", "cook"),
        ("walk me through it", "cook"),
        ("step three", "step"),
        ("OK, next", "next"),
        ("what's next", "next"),
        ("yes please", "yes"),
        ("go back", "back"),
        ("previous step", "back"),
        ("say that again", "repeat"),
        ("where were we?", "where"),
        ("stop", "stop"),
        ("pause cooking", "stop"),
        ("I'm done", "done"),
        ("set the timer", "timer"),
        ("wake me in an hour", "timer"),
        ("10 more minutes", "timer"),
        ("how much time is left?", "timers"),
        ("which timers are running", "timers"),
        ("cancel the timer", "timer_off"),
        ("stop the pasta timer please", "timer_off"),
        ("save it", "favourite"),
        ("add this to my favourites", "favourite"),
        ("show me my favourites", "favourites"),
        ("remove it from my favourites", "unfavourite"),
        ("I'm vegan", "avoid"),
        ("my daughter is allergic to sesame", "avoid"),
        ("we don't eat pork", "avoid"),
        ("I am no longer vegan", "allow"),
        ("what do you know about me", "know_me"),
        ("forget everything about me", "forget_me"),
        ("is carbonara vegan?", "suits"),
        ("what is in tzatziki", "show"),
        ("show me the list again", "list"),
        ("the weather is nice", "unknown"),
    ],
)
def test_what_is_said_is_understood(said: str, act: Act) -> None:
    assert heard(said).act == act


def test_a_question_is_taken_apart() -> None:
    """Ingredients, diets, time, for how many, without what: each in its place."""
    intent = heard("What can I make with eggs and potatoes, but no onions, vegetarian, in 45 minutes for 6?")

    assert intent.act == "find"
    assert intent.ingredients == ("egg", "potato")
    assert intent.having
    assert intent.without == ("onion",)
    assert intent.diets == ("vegetarian",)
    assert (intent.seconds, intent.serves) == (2_700, 6)


@pytest.mark.parametrize(
    ("said", "seconds", "name"),
    [
        ("set a timer for 20 minutes", 1_200, ""),
        ("set a timer for 20 minutes for the eggs", 1_200, "egg"),
        ("start an egg timer for 6 min", 360, "egg"),
        ("a 9 minute pasta timer", 540, "pasta"),
        ("timer called tomato soup, half an hour", 1_800, "tomato soup"),
        ("remind me in 10 minutes to turn the chicken", 600, "turn the chicken"),
        ("wake me in an hour and a half", 5_400, ""),
        ("set the timer", 0, ""),
        ("timer: 90s", 90, ""),
    ],
)
def test_a_timer_has_a_span_and_maybe_a_name(said: str, seconds: int, name: str) -> None:
    intent = heard(said)

    assert (intent.act, intent.seconds, intent.name) == ("timer", seconds, name)


@pytest.mark.parametrize(
    ("said", "name", "everything"),
    [
        ("cancel the egg timer", "egg", False),
        ("cancel the timer for the eggs", "egg", False),
        ("stop the timer", "", False),
        ("cancel all timers", "", True),
        ("delete every timer", "", True),
    ],
)
def test_a_timer_is_taken_back_by_its_name(said: str, name: str, everything: bool) -> None:
    intent = heard(said)

    assert (intent.act, intent.name, intent.everything) == ("timer_off", name, everything)


@pytest.mark.parametrize(
    ("said", "seconds", "rest"),
    [
        ("20 minutes", 1_200, ""),
        ("in 1h", 3_600, "in"),
        ("an hour and a half", 5_400, ""),
        ("one and a half hours", 5_400, ""),
        ("half an hour", 1_800, ""),
        ("quarter of an hour", 900, ""),
        ("1 hour and 5 minutes", 3_900, ""),
        ("1 hour 5 minutes 10 seconds", 3_910, ""),
        ("2 s", 2, ""),
        ("5 more minutes", 300, ""),
        ("i am here", 0, "i am here"),
        ("for 6 people", 0, "for 6 people"),
        ("forty five minutes of it", 2_700, "of it"),
    ],
)
def test_spans_are_read(said: str, seconds: int, rest: str) -> None:
    span = span_in(said)

    assert (span.seconds, span.rest) == (seconds, rest)


@given(st.integers(1, 86_400))
def test_a_span_that_is_told_is_understood_as_itself(seconds: int) -> None:
    """To the minute, from two minutes on: what Tasted suggests to say means what it was."""
    told = span_in(span_text(seconds)).seconds

    assert abs(told - seconds) <= (0 if seconds < 120 else 30)


@given(st.text(alphabet="abc timer forthe 12", max_size=60))
def test_a_name_of_a_timer_is_bounded(text: str) -> None:
    assert len(timer_name_in(" ".join(text.split()))) <= 40


def test_buttons_mean_what_they_say() -> None:
    """By their value; one of an older version by its label."""
    tapped = understand(Message("tap", value="step:carbonara:3"), LEXICON)
    assert (tapped.act, tapped.recipe, tapped.number) == ("step", "carbonara", 3)
    strange = understand(Message("tap", text="Next step", value="forward"), LEXICON)
    assert strange.act == "next"


def test_a_session_that_ends_says_goodbye() -> None:
    assert understand(Message("event", name="SessionEndedRequest"), LEXICON).act == "goodbye"
    assert understand(Message("event", name="LaunchRequest"), LEXICON).act == "greet"
