"""The same answer for the eye and for the ear."""

from __future__ import annotations

from gateway.demo.bartender.bartender import Bartender
from gateway.demo.wire import Card, List, Reply, Speech, Suggestions, Surface, Text
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
    """Three names, not twenty-two; what a card shows of it are the same, and none is passed over by "more"."""
    first = bartender.answer(turn("what can I make with rum", surface=EAR)).reply
    assert isinstance(first.state, dict)
    more = bartender.answer(turn("more", surface=EAR, state=first.state)).reply
    every = listed(bartender.answer(turn("what can I make with rum", surface=EYE)).reply)

    assert heard(first).endswith(
        "Here are 3 of 23; say “more” for others. The Cuba Libre, the Daiquiri and the Dark 'n' Stormy."
    )
    assert listed(first) == ["Cuba Libre", "Daiquiri", "Dark 'n' Stormy"]
    assert listed(first) + listed(more) == every


def test_a_voice_beside_a_screen_reads_out_the_first(bartender: Bartender) -> None:
    surface = Surface(frozenset({"speech", "text", "list"}))
    reply = bartender.answer(turn("what can I make with rum", surface=surface)).reply

    assert "Here are 6 of 23; say “more” for others. The first are the Cuba Libre, the Daiquiri and" in heard(reply)
    assert len(listed(reply)) == 6


def heard(reply: Reply) -> str:
    return next(part.text for part in reply.parts if isinstance(part, Speech))


def listed(reply: Reply) -> list[str]:
    return [item.title for part in reply.parts if isinstance(part, List) for item in part.items]


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
