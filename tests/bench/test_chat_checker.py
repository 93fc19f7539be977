"""The checker of bench.chat knows each message: none is lost, doubled, swapped or answered wrongly unseen."""

from __future__ import annotations

import pytest

from bench.chat.checker import Checker, Verdict
from bench.chat.messages import CONVERSATIONS, answer, answered, place

#: Three messages of one conversation, and one of the next.
A, B, C, D = CONVERSATIONS, 2 * CONVERSATIONS, 3 * CONVERSATIONS, CONVERSATIONS + 1


def asked(*numbers: int, said: list[int] | None = None) -> Checker:
    checker = Checker(said or ())
    for number in numbers:
        checker.ask(number)
    return checker


def test_each_answered_once_and_in_order_is_no_fault() -> None:
    """Order is a conversation's: what two of them say has none."""
    checker = asked(A, B, D)
    for number in (A, D, B):
        assert checker.judge(place(number), answer(number)) == number
    assert checker.verdict() == Verdict(asked=3)
    assert checker.verdict().faults == ""


def test_who_is_not_answered_is_lost() -> None:
    """Also whoever comes last."""
    checker = asked(A, B)
    checker.judge(place(A), answer(A))
    assert checker.left == 1
    assert checker.verdict() == Verdict(asked=2, lost=1)


def test_a_second_answer_is_doubled_and_ends_no_turn() -> None:
    """However often it comes."""
    checker = asked(A)
    assert [checker.judge(place(A), answer(A)) for _ in range(3)] == [A, None, None]
    assert checker.verdict() == Verdict(asked=1, doubled=2)


def test_an_answer_behind_a_later_ones_is_swapped() -> None:
    """Each that comes too late counts, whatever it comes behind."""
    checker = asked(A, B, C)
    for number in (C, A, B):
        checker.judge(place(number), answer(number))
    assert checker.verdict() == Verdict(asked=3, swapped=2)


@pytest.mark.parametrize(
    ("where", "text"),
    [
        (place(D), answer(A)),
        ((place(A)[0], ""), answer(A)),
        (place(A), answer(A + CONVERSATIONS * 7)),
        (place(A), answer(A) + "!"),
        (place(A), "Sorry, something went wrong."),
        (place(A), ""),
    ],
)
def test_what_nobody_was_to_hear_there_is_wrong_and_no_answer(where: tuple[str, str], text: str) -> None:
    """Another's place, no thread, a message that nobody sent, other words, an apology, nothing."""
    checker = asked(A)
    assert checker.judge(where, text) is None
    assert checker.verdict() == Verdict(asked=1, lost=1, wrong=1)
    assert checker.verdict().faults == "1 lost, 1 wrong"


def test_an_answer_that_comes_a_scene_too_late_is_no_fault_of_this_scene() -> None:
    """It was lost in its own."""
    said = [1] * CONVERSATIONS
    checker = asked(B, said=said)
    assert checker.judge(place(A), answer(A)) is None
    assert checker.judge(place(B), answer(B)) == B
    assert checker.verdict() == Verdict(asked=1)


def test_verdicts_of_rounds_add_up() -> None:
    """Field by field."""
    one = Verdict(asked=2, lost=1, refused=1)
    assert one + Verdict(asked=3, doubled=2, swapped=1, wrong=4) == Verdict(
        asked=5, lost=1, doubled=2, swapped=1, wrong=4, refused=1
    )


def test_an_answer_is_known_by_all_of_its_words() -> None:
    """A number alone is not enough."""
    assert answered(answer(7)) == 7
    assert answered("7") is None
