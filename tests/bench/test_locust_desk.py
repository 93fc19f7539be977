"""Who was told what: right, late, lost, twice, out of order, somebody else's, or something else."""

from __future__ import annotations

import pytest

from bench.locust.desk import FAULTS, Desk, Tally
from bench.locust.words import Words

ADA, BOB = ("slack", "D1"), ("slack", "D2")
LATER, KEPT = "That takes me a little longer.", "Here is what you asked for."


@pytest.fixture
def desk() -> Desk:
    """Two messages of Ada's and one of Bob's, meant for the seconds 10, 11 and 12."""
    desk = Desk(Words("say {number}", "Said {number}."), ("slack", "alexa"), late_s=5.0, patience_s=30.0)
    desk.ask(ADA, 1, 10.0)
    desk.ask(ADA, 2, 11.0)
    desk.ask(BOB, 3, 12.0)
    return desk


def faults(tally: Tally) -> dict[str, int]:
    counts = {kind: getattr(tally, kind) for kind in ("late", *FAULTS)}
    return {kind: count for kind, count in counts.items() if count}


def test_answers_are_timed_from_the_intended_start(desk: Desk) -> None:
    """And nobody waits there any more."""
    assert [judged.took_s for judged in desk.judge(ADA, "Said 1.", 10.25)] == [0.25]
    assert desk.judge(ADA, "Said 2.", 12.0)[0].kind == "answered"
    assert not desk.waits(ADA)
    assert desk.waits(BOB)
    assert desk.open_n == 1
    tally = desk.tallies["slack"]
    assert (tally.asked, tally.answered, list(tally.took_s), faults(tally)) == (3, 2, [0.25, 1.0], {})


def test_an_answer_may_be_late(desk: Desk) -> None:
    """It is an answer all the same."""
    assert desk.judge(ADA, "Said 1.", 15.1)[0].kind == "late"
    assert (desk.tallies["slack"].answered, faults(desk.tallies["slack"])) == (1, {"late": 1})


def test_a_second_answer_is_a_double(desk: Desk) -> None:
    """However long after the first one."""
    desk.judge(ADA, "Said 1.", 10.1)
    desk.judge(ADA, "Said 2.", 11.1)
    assert desk.judge(ADA, "Said 1.", 12.1)[0].kind == "doubled"
    assert faults(desk.tallies["slack"]) == {"doubled": 1}


def test_an_answer_behind_that_to_a_later_message_is_swapped(desk: Desk) -> None:
    """Within a conversation; between two there is no order."""
    assert desk.judge(BOB, "Said 3.", 12.1)[0].kind == "answered"
    assert desk.judge(ADA, "Said 2.", 12.2)[0].kind == "answered"
    assert desk.judge(ADA, "Said 1.", 12.3)[0].kind == "swapped"
    assert (desk.tallies["slack"].answered, faults(desk.tallies["slack"])) == (3, {"swapped": 1})


def test_what_is_answered_in_its_response_may_overtake(desk: Desk) -> None:
    """A command's answer does not wait for one before it that its platform is slow to take; it is no double either."""
    assert desk.judge(ADA, "Said 2.", 11.2, apart=True)[0].kind == "answered"
    assert desk.judge(ADA, "Said 1.", 14.2)[0].kind == "answered"
    assert desk.judge(ADA, "Said 2.", 14.3)[0].kind == "doubled"


@pytest.mark.parametrize("text", ["Said 4.", "Said 3.", "Sorry.", "Said 1. Sorry.", "", "Said 1.Said 9."])
def test_anything_else_is_wrong(desk: Desk, text: str) -> None:
    """A number that nobody said, another conversation's answer, other words, and more words."""
    assert "wrong" in [judged.kind for judged in desk.judge(ADA, text, 12.5)]
    assert desk.tallies["slack"].wrong == 1


def test_an_answer_in_the_wrong_place_leaves_its_asker_waiting(desk: Desk) -> None:
    """Bob's answer said to Ada is wrong, and Bob is answered nothing."""
    desk.judge(ADA, "Said 3.", 12.5)
    assert desk.waits(BOB)
    assert desk.judge(BOB, "Said 3.", 12.6)[0].kind == "answered"


def test_who_is_not_answered_in_time_is_lost(desk: Desk) -> None:
    """Each once, and only when patience is over."""
    desk.judge(ADA, "Said 1.", 10.1)
    assert desk.overdue(41.0) == []
    assert desk.overdue(41.5) == ["slack"]
    assert desk.overdue(41.5) == []
    assert desk.give_up() == ["slack"]
    assert faults(desk.tallies["slack"]) == {"lost": 2}


def test_what_was_given_up_may_come_after_all(desk: Desk) -> None:
    """Then it is late instead of lost."""
    desk.overdue(50.0)
    assert faults(desk.tallies["slack"]) == {"lost": 3}
    assert desk.judge(ADA, "Said 1.", 51.0)[0].kind == "late"
    assert faults(desk.tallies["slack"]) == {"lost": 2, "late": 1}
    assert desk.judge(ADA, "Said 1.", 52.0)[0].kind == "doubled"


def test_nobody_waits_for_what_was_refused(desk: Desk) -> None:
    """It is a fault by itself, and not one of loss besides."""
    desk.refuse(2)
    assert desk.open_n == 2
    assert faults(desk.tallies["slack"]) == {"refused": 1}
    assert desk.judge(ADA, "Said 2.", 11.5)[0].kind == "answered"
    assert faults(desk.tallies["slack"]) == {}


def test_alexa_may_ask_for_patience_and_tell_two_answers_at_once(desk: Desk) -> None:
    """Her own sentences around them are no fault; other words are."""
    where = ("alexa", "A1")
    desk.ask(where, 7, 10.0)
    assert desk.judge(where, LATER, 16.0, (LATER, KEPT)) == []
    desk.ask(where, 8, 18.0)
    told = desk.judge(where, f"{KEPT} Said 7. Said 8.", 18.5, (LATER, KEPT))
    assert [judged.kind for judged in told] == ["late", "answered"]
    for words in ("Sorry.", f"{LATER} Sorry.", ""):
        assert desk.judge(where, words, 19.0, (LATER, KEPT))[0].kind == "wrong"


@pytest.mark.parametrize("says", ["no number", "{number} {number}"])
def test_words_without_a_number_are_refused(says: str) -> None:
    """Nobody could tell then who is answered what."""
    with pytest.raises(ValueError, match=r"expected \{number\} in it once"):
        Words(says=says)
