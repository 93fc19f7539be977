"""The token bucket: its rate, its burst, what it keeps back, and who waits for how long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gateway.domain.quota import Urgency
from gateway.domain.token_bucket import Taken, TokenBucket

NOW = 1_763_900_000.0
TWO_A_SECOND = {"rate_per_s": 2.0, "burst": 4.0}


def drain(bucket: TokenBucket, now: float, **bounds: float) -> tuple[TokenBucket, int]:
    """Take what there is now; return how much that was."""
    taken = 0
    while True:
        bucket, answer = bucket.take(now, **bounds)
        if answer.wait_s > 0:
            return bucket, taken
        taken += 1


def test_a_full_bucket_gives_its_burst_and_then_its_rate() -> None:
    bucket, taken = drain(TokenBucket(), NOW, **TWO_A_SECOND)
    assert taken == 4
    _, refused = bucket.take(NOW, **TWO_A_SECOND)
    assert refused == Taken(pytest.approx(0.5))
    bucket, taken = drain(bucket, NOW + 1.0, **TWO_A_SECOND)
    assert taken == 2
    assert drain(bucket, NOW + 100.0, **TWO_A_SECOND)[1] == 4, "it is never more than full"


def test_what_is_refused_takes_nothing() -> None:
    empty, _ = drain(TokenBucket(), NOW, **TWO_A_SECOND)
    assert empty.take(NOW, **TWO_A_SECOND)[0] == empty


def test_a_crowd_that_books_goes_one_by_one() -> None:
    """Law: each is told its own time, a rate apart, up to how far ahead may be booked."""
    bucket, _ = drain(TokenBucket(), NOW, **TWO_A_SECOND)
    waits = []
    for _ in range(6):
        bucket, answer = bucket.take(NOW, **TWO_A_SECOND, ahead_max_s=2.0)
        waits.append((round(answer.wait_s, 3), answer.booked))
    assert waits == [(0.5, True), (1.0, True), (1.5, True), (2.0, True), (2.5, False), (2.5, False)]


@pytest.mark.parametrize(
    ("urgency", "at_once"), [(Urgency.FINAL, 8), (Urgency.EDIT, 4), (Urgency.TYPING, 2)]
)
def test_room_is_kept_for_what_is_more_urgent(urgency: Urgency, at_once: int) -> None:
    """Law: however many signs of life and edits there are, a final message finds room."""
    bounds = {"rate_per_s": 2.0, "burst": 8.0}
    bucket, taken = drain(TokenBucket(), NOW, **bounds, reserve=urgency.reserve * 8)
    assert taken == at_once
    assert drain(bucket, NOW, **bounds)[1] == 8 - at_once


def test_a_reserve_never_forbids_all() -> None:
    """Law: where a burst is one, an edit goes when nothing else has."""
    bounds = {"rate_per_s": 1.0, "burst": 1.0}
    assert drain(TokenBucket(), NOW, **bounds, reserve=0.5)[1] == 1


def test_who_waits_for_finals_that_are_booked_waits_behind_them() -> None:
    bucket, _ = drain(TokenBucket(), NOW, **TWO_A_SECOND)
    bucket, _ = bucket.take(NOW, **TWO_A_SECOND, ahead_max_s=60.0)
    _, edit = bucket.take(NOW + 0.6, **TWO_A_SECOND, reserve=Urgency.EDIT.reserve * 4)
    assert edit.wait_s > 0.9


def test_a_pause_ends_with_one_by_one() -> None:
    """Law: nothing before its end, whatever there was room for; and no burst at its end."""
    bucket = TokenBucket().pause(NOW, 30.0, **TWO_A_SECOND)
    assert bucket.paused_for_s(NOW) == 30.0
    assert bucket.take(NOW + 29.0, **TWO_A_SECOND)[1] == Taken(1.0)
    assert bucket.take(NOW, **TWO_A_SECOND, ahead_max_s=60.0)[1] == Taken(30.0, booked=True)
    assert drain(bucket, NOW + 30.0, **TWO_A_SECOND)[1] == 1
    assert drain(bucket, NOW + 100.0, **TWO_A_SECOND)[1] == 4


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    bucket = TokenBucket().pause(NOW, 30.0, **TWO_A_SECOND)
    assert bucket.pause(NOW, 1.0, **TWO_A_SECOND).paused_for_s(NOW) == 30.0


STEPS = some.lists(some.tuples(some.floats(0, 2), some.sampled_from([0.0, 0.5, 0.75]), some.floats(0, 3)), max_size=40)


@given(steps=STEPS, rate=some.floats(0.1, 50), burst=some.integers(1, 20))
def test_no_stretch_of_time_sees_more_than_the_burst_and_the_rate(
    steps: list[tuple[float, float, float]], rate: float, burst: int
) -> None:
    """Law: between any two uses lie no more than a burst and what the rate gives in that time."""
    bucket, now, uses = TokenBucket(), 1_000.0, []
    for pause_s, reserve, ahead_s in steps:
        now += pause_s
        bucket, answer = bucket.take(
            now, rate_per_s=rate, burst=burst, reserve=reserve * burst, ahead_max_s=ahead_s
        )
        if answer.wait_s == 0 or answer.booked:
            uses.append(now + answer.wait_s)
    uses.sort()
    for first in range(len(uses)):
        for last in range(first, len(uses)):
            allowed = burst + rate * (uses[last] - uses[first])
            assert last - first + 1 <= allowed + 1e-6 * len(uses) + 1e-6
