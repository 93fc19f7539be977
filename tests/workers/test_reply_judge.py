"""Every outcome of a send has one meaning for its row: an end, or another try and when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gateway.domain.outcome import NotSent, Outcome, RetryLater, Sent, Unknown
from gateway.replies.sending import judge
from gateway.settings.outbox import OutboxSettings
from gateway.store.ledger.outbox import Finish
from tests.workers.rows import row

SETTINGS = OutboxSettings(attempts_max=5, backoff_base_s=2.0, backoff_max_s=20.0)

ENDS: list[tuple[Outcome, Finish]] = [
    (Sent("ts-1"), Finish(0, "sent", platform_id="ts-1")),
    (Sent(), Finish(0, "sent")),
    (NotSent("channel_not_found", "gone"), Finish(0, "not_sent", "channel_not_found", "gone")),
    (Unknown("connection_lost", "cut"), Finish(0, "unknown", "connection_lost", "cut")),
]


@pytest.mark.parametrize(("outcome", "finish"), ENDS)
@pytest.mark.parametrize("attempts", [1, 5, 6])
def test_an_end_is_an_end(outcome: Outcome, finish: Finish, attempts: int) -> None:
    """Sent, refused and unknown are final, whichever try it was; nothing is tried again behind the user's back."""
    found = judge(row(outbox_id=0, attempts=attempts, epoch=0), outcome, SETTINGS, jitter=0.5)
    assert found == finish


@pytest.mark.parametrize("attempts", [1, 4])
def test_what_was_certainly_not_sent_is_tried_again(attempts: int) -> None:
    """With the reason kept, for whoever looks at the row meanwhile."""
    finish = judge(row(attempts=attempts), RetryLater("breaker_open", "why"), SETTINGS, jitter=0.5)
    assert (finish.fate, finish.reason, finish.detail) == ("retry", "breaker_open", "why")


@pytest.mark.parametrize("attempts", [5, 6, 2_000_000_000])
def test_tries_are_counted(attempts: int) -> None:
    """The last of ``attempts_max`` tries is followed by none; the last reason and the setting's name are told."""
    finish = judge(row(attempts=attempts), RetryLater("ratelimited", after_s=1.0), SETTINGS, jitter=0.0)
    assert (finish.fate, finish.reason) == ("not_sent", "attempts_exhausted")
    assert "outbox.attempts_max" in finish.detail
    assert "ratelimited" in finish.detail


JITTER = some.floats(0, 1, exclude_max=True)


@given(attempts=some.integers(1, 4), jitter=JITTER)
def test_the_pause_doubles_up_to_its_bound(attempts: int, jitter: float) -> None:
    """Full jitter: anything from nothing to the pause that has doubled with each try."""
    finish = judge(row(attempts=attempts), RetryLater("breaker_open"), SETTINGS, jitter=jitter)
    assert finish.after_s == pytest.approx(jitter * min(20.0, 2.0 * 2 ** (attempts - 1)))


@given(attempts=some.integers(1, 4), jitter=JITTER, asked_s=some.floats(0, 3_600))
def test_the_platforms_word_is_a_floor(attempts: int, jitter: float, asked_s: float) -> None:
    """Never sooner than ``Retry-After``, and later by no more than the base pause, which keeps a herd apart."""
    finish = judge(
        row(attempts=attempts), RetryLater("ratelimited", after_s=asked_s), SETTINGS, jitter=jitter
    )
    assert asked_s <= finish.after_s <= asked_s + SETTINGS.backoff_base_s


def test_a_short_word_of_the_platform_is_still_heeded() -> None:
    """``Retry-After: 0`` is a word too: soon."""
    finish = judge(row(attempts=4), RetryLater("ratelimited", after_s=0.0), SETTINGS, jitter=0.999)
    assert finish.after_s <= SETTINGS.backoff_base_s
