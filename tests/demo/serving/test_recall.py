"""What the process recalls between calls: bounded, and only for so long."""

from __future__ import annotations

from gateway.demo.serving.recall import REPEATS_KEPT_S, Fences, Repeats


def test_a_key_keeps_its_answer_for_ten_minutes() -> None:
    """The same key gets the same bytes, then is free again; another conversation's key is another key."""
    repeats = Repeats()
    repeats.keep("45", "turn-1", b"a drink", now_s=100.0)

    assert repeats.given("45", "turn-1", now_s=100.0 + REPEATS_KEPT_S - 1) == b"a drink"
    assert repeats.given("45", "turn-1", now_s=100.0 + REPEATS_KEPT_S) is None
    assert repeats.given("46", "turn-1", now_s=100.0) is None


def test_the_oldest_answers_go_first() -> None:
    """No more than so many are kept."""
    repeats = Repeats(count_max=2)
    for number in (1, 2, 3):
        repeats.keep("45", f"turn-{number}", b"%d" % number, now_s=0.0)

    assert [repeats.given("45", f"turn-{number}", now_s=0.0) for number in (1, 2, 3)] == [None, b"2", b"3"]


def test_an_older_fence_is_refused_for_good() -> None:
    """The newest fence seen decides, conversation by conversation; an equal one is a repeat and welcome."""
    fences = Fences()

    assert [fences.admit("45", fence) for fence in (3, 3, 5, 4, 5, 3)] == [
        True,
        True,
        True,
        False,
        True,
        False,
    ]
    assert fences.admit("46", 1)


def test_fences_are_bounded() -> None:
    """The conversation unused for longest is forgotten first; a refused call counts as use."""
    fences = Fences(count_max=2)
    fences.admit("45", 9)
    fences.admit("46", 9)
    fences.admit("45", 8)
    fences.admit("47", 9)

    assert fences.admit("46", 1)
    assert not fences.admit("47", 1)
