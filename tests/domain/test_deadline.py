"""The laws of one budget that all waits of a turn spend from."""

from __future__ import annotations

import pytest

from gateway.domain.deadline import Deadline, retry_delay_s
from gateway.domain.errors import TurnExpired


def test_a_step_never_gets_more_than_is_left_nor_more_than_its_own_bound() -> None:
    deadline = Deadline.after(8.0, now=100.0)

    assert deadline.remaining_s(100.0, step_max_s=3.0) == 3.0
    assert deadline.remaining_s(106.5, step_max_s=3.0) == 1.5


def test_an_expired_deadline_raises_and_says_by_how_much() -> None:
    deadline = Deadline.after(1.0, now=0.0)

    with pytest.raises(TurnExpired) as caught:
        deadline.remaining_s(1.25, step_max_s=5.0)

    assert caught.value.late_by_s == pytest.approx(0.25)
    assert caught.value.status == 504


def test_exactly_at_the_deadline_nothing_is_left() -> None:
    with pytest.raises(TurnExpired):
        Deadline(5.0).remaining_s(5.0, step_max_s=1.0)


def test_what_is_told_to_others_is_never_negative() -> None:
    assert Deadline(5.0).left_s(2.0) == 3.0
    assert Deadline(5.0).left_s(9.0) == 0.0


def test_a_margin_draws_the_deadline_in() -> None:
    assert Deadline(5.0).less(0.5) == Deadline(4.5)


def test_of_two_deadlines_the_first_one_counts() -> None:
    assert Deadline(5.0).or_sooner(Deadline(4.0)) == Deadline(4.0)
    assert Deadline(4.0).or_sooner(Deadline(5.0)) == Deadline(4.0)


def test_retries_back_off_twofold_up_to_the_cap() -> None:
    delays = [retry_delay_s(n, base_s=0.1, max_s=1.0, jitter=1.0) for n in range(1, 7)]

    assert delays == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.0, 1.0])


def test_jitter_is_full_and_comes_from_the_caller() -> None:
    assert retry_delay_s(3, base_s=0.1, max_s=1.0, jitter=0.0) == 0.0
    assert retry_delay_s(3, base_s=0.1, max_s=1.0, jitter=0.5) == pytest.approx(0.2)


def test_attempt_five_thousand_still_has_a_delay() -> None:
    """``0.1 * 2**5000`` raises OverflowError: the exponent is capped, not only the result."""
    assert retry_delay_s(5000, base_s=0.1, max_s=30.0, jitter=1.0) == 30.0
