"""The same answer for the eye and for the ear."""

from __future__ import annotations

from gateway.demo.bartender.bartender import Bartender
from gateway.demo.wire import Card, Speech, Suggestions, Surface, Text
from tests.demo.bartender.guests import turn

EYE = Surface(frozenset({"text", "card", "list"}))
EAR = Surface(frozenset({"speech"}))


def test_a_voice_gets_speech_in_place_of_text(bartender: Bartender) -> None:
    """Whole words for units, no bullets, and the text is not said twice."""
    parts = bartender.answer(turn("how do I make a negroni", surface=EAR)).reply.parts
    speech = [part.text for part in parts if isinstance(part, Speech)]

    assert len(speech) == 1
    assert (
        "30 millilitres of gin, 30 millilitres of Campari and 30 millilitres of sweet vermouth" in speech[0]
    )
    assert "Stir with ice" in speech[0]
    assert "•" not in speech[0]
    assert not [part for part in parts if isinstance(part, Text)]


def test_a_list_is_read_out_as_far_as_anybody_listens(bartender: Bartender) -> None:
    """Three names, not twenty-two."""
    parts = bartender.answer(turn("what can I make with rum", surface=EAR)).reply.parts
    speech = next(part.text for part in parts if isinstance(part, Speech))

    assert "the Cuba Libre, the Daiquiri and the Dark 'n' Stormy." in speech
    assert "Hurricane" not in speech


def test_a_screen_gets_text_card_and_suggestions(bartender: Bartender) -> None:
    """In the order in which they are read, without speech."""
    parts = bartender.answer(turn("what is a negroni", surface=EYE)).reply.parts

    assert [type(part) for part in parts] == [Text, Card, Suggestions]


def test_a_surface_with_both_gets_both(bartender: Bartender) -> None:
    """A voice with a screen beside it."""
    surface = Surface(frozenset({"speech", "text", "card"}))
    parts = bartender.answer(turn("what is a negroni", surface=surface)).reply.parts

    assert [type(part) for part in parts] == [Speech, Text, Card, Suggestions]


def test_the_guest_is_called_by_name(bartender: Bartender) -> None:
    """Where the platform tells it, and no longer than a name should be."""
    greeted = bartender.answer(turn("hello", name="Ann\n" + "x" * 500)).reply.parts[0]

    assert isinstance(greeted, Text)
    assert "Ann x" in greeted.text
    assert len(greeted.text) < 250
