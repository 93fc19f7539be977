"""What is kept for the next turn, seen from the door: a real request of Alexa's, a ledger that says what it must."""

from __future__ import annotations

from typing import Any

import hypothesis
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.channels.alexa import AlexaChannel
from gateway.channels.base import Rendered
from gateway.domain.http import Response
from gateway.domain.reply import Reply, Text
from gateway.store.ledger.kept import Kept
from tests.channels.alexa.deliveries import ACCOUNT
from tests.pipeline.alexa_house import House, settles
from tests.support.alexa_platform import speech
from tests.support.calling import Answer

KEPT = Kept(31, 3, "answered", Reply((Text("kept"),)), unasked=False, maybe_repeat=False, taken=True)


@pytest.fixture
def house() -> House:
    return House()


def words(response: Response) -> list[str]:
    return speech(Answer(response.status, {}, response.body, 0.0)).splitlines()


def long(number: int, *, taken: bool = True) -> Kept:
    """An answer of which no two fit into one response."""
    reply = Reply((Text(f"kept {number} " + "word " * 1_200),))
    return Kept(number, 3, "answered", reply, unasked=False, maybe_repeat=False, taken=taken)


def heads(response: Response) -> list[str]:
    """What is said, of each answer the beginning."""
    return [line[:6] for line in words(response) if not line.startswith("word")]


def test_what_is_kept_and_the_own_answer_end_with_the_response(house: House) -> None:
    house.kept, house.end = [KEPT], settles(41)
    response = house.ask()

    assert words(response) == [ACCOUNT.kept, "kept", "own"]
    assert house.held == [31]
    assert house.noted() == [], "nothing is sent before it was written"
    assert response.written is not None
    response.written(True)
    assert house.noted() == [(41, "sent"), (31, "sent")]


def test_a_response_that_broke_off_leaves_both_unknown(house: House) -> None:
    house.kept, house.end = [KEPT], settles(41)
    response = house.ask()
    assert response.written is not None
    response.written(False)

    assert house.noted() == [(41, "unknown"), (31, "unknown")]


def test_a_repeat_is_told_what_was_told_and_ends_nothing(house: House) -> None:
    house.kept, house.end = [msgspec.structs.replace(KEPT, taken=False)], settles(promised=False)
    response = house.ask("duplicate")

    assert words(response) == [ACCOUNT.kept, "kept", "own"]
    assert response.written is None


def test_who_had_too_little_time_to_promise_hears_that_it_comes_later(house: House) -> None:
    """Law: the answer went into the ledger to be kept, and came in time all the same: it is told once, next time."""
    house.end = settles(promised=False)

    assert words(house.ask()) == [ACCOUNT.later]


def test_who_waits_in_vain_hears_what_is_kept_and_that_the_rest_comes_later(house: House) -> None:
    house.kept = [KEPT]
    response = house.ask(patience_s=0.5)

    assert words(response) == [ACCOUNT.kept, "kept", ACCOUNT.later]
    assert response.written is not None
    response.written(True)
    assert house.noted() == [(31, "sent")]
    assert msgspec.json.decode(response.body)["response"]["shouldEndSession"] is False


def test_what_cannot_be_rendered_is_kept_on(house: House) -> None:
    """Law: our own mistake loses nothing: no row stays in the hands of a response that was never written."""

    class Broken(AlexaChannel):
        def render(self, *_: Any) -> Rendered:
            raise ZeroDivisionError

    house.channel = Broken()
    house.kept, house.end = [KEPT], settles(41)
    with pytest.raises(ZeroDivisionError):
        house.ask()

    assert house.noted() == [(41, "push"), (31, "push")]


def test_what_has_no_room_beside_the_own_answer_is_kept_on(house: House) -> None:
    """Law: nothing is said to be told that was cut away; what is kept comes in its order, with the next turns."""
    house.kept, house.end = [long(31), long(32), long(33)], settles(41)
    response = house.ask()

    assert heads(response) == ["Here i", "kept 3", "own"]
    assert "kept 31" in words(response)[1]
    assert house.noted() == [(32, "wait"), (33, "wait")]
    assert response.written is not None
    response.written(True)
    assert house.noted()[2:] == [(41, "sent"), (31, "sent")]


def test_an_own_answer_for_which_there_is_no_room_is_kept_itself(house: House) -> None:
    """Law: what was promised first is told first; the user is told that there is more, and hears it next time."""
    house.kept, house.end = [long(31)], settles(41, own="own " + "word " * 1_200)
    response = house.ask()

    assert words(response)[-1] == ACCOUNT.later
    assert heads(response)[:2] == ["Here i", "kept 3"]
    assert house.noted() == [(41, "wait")]
    assert response.written is not None
    response.written(True)
    assert house.noted()[1:] == [(31, "sent")]


def test_a_repeat_whose_own_answer_was_told_is_told_that_and_the_rest_is_kept_on(house: House) -> None:
    """Its row has ended, so it cannot wait; what came meanwhile can."""
    house.kept, house.end = [long(31)], settles(promised=False, own="own " + "word " * 1_200)
    response = house.ask("duplicate")

    assert heads(response) == ["own wo"]
    assert (house.noted(), response.written) == ([(31, "wait")], None)


def test_who_says_stop_hears_that_it_comes_later_and_the_session_ends(house: House) -> None:
    """Law: whatever answers "stop" ends the session, also what is said in place of an answer."""
    response = house.ask(patience_s=0.5, stops=True)

    assert words(response) == [ACCOUNT.later]
    assert msgspec.json.decode(response.body)["response"]["shouldEndSession"] is True


@hypothesis.settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 1_300), max_size=3), st.integers(1, 1_300))
def test_whatever_counts_as_told_was_said_to_its_last_word(kept: list[int], own: int) -> None:
    """Law: each answer is said whole and ends as sent, or not a word of it is said and it is kept on."""
    house = House()
    house.kept = [
        Kept(number, 3, "answered", Reply((Text(marked(number, size)),)), False, False, True)
        for number, size in enumerate(kept, 31)
    ]
    house.end = settles(41, own=marked(41, own))
    response = house.ask()
    assert response.written is not None
    response.written(True)
    said = " ".join(words(response)).split()
    fates = dict(house.noted())

    assert set(fates) == {41, *range(31, 31 + len(kept))}
    assert fates.get(31, "sent") == "sent", "the earliest is told, whatever else is not"
    for number, fate in fates.items():
        is_said = f"begin{number}" in said, f"end{number}" in said
        assert is_said == ((True, True) if fate == "sent" else (False, False))


def marked(number: int, size: int) -> str:
    return f"begin{number} {'word ' * size}end{number}"
