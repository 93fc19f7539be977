"""The laws of the retry budget, checked against the list of everything that was paid in and out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.resilience.budget import RetryBudget

RATIO, PER_S, WINDOW_S, HEDGE_RATIO = 0.2, 10.0, 10.0, 0.05
#: What is lent at the beginning: a second's worth.
LENT = PER_S
#: Floats are added in another order here than there.
NEARLY = 1e-6

CALL, RETRY, HEDGE = "call", "retry", "hedge"
#: When, what, and how many of it at that instant.
Paid = list[tuple[float, str, int]]


def spend_all(take: Callable[[float], bool], now: float) -> int:
    """Return how often *take* says yes at *now*."""
    taken = 0
    while take(now):
        taken += 1
        assert taken < 1_000_000, "there is no end to it"
    return taken


def steady(budget: RetryBudget, from_s: int, to_s: int, per_s: int) -> None:
    """Make *per_s* calls in each second."""
    for number in range((to_s - from_s) * per_s):
        budget.deposit(from_s + number / per_s)


def stretches(paid: Paid, kinds: set[str]) -> Iterator[tuple[float, float, int, int]]:
    """Yield begin, end, calls and payments of each stretch that ends with payments of *kinds*."""
    for last, (ends_at, kind, _) in enumerate(paid):
        if kind not in kinds:
            continue
        calls = spent = 0
        for begins_at, each, count in reversed(paid[: last + 1]):
            calls += count if each == CALL else 0
            spent += count if each in kinds else 0
            yield begins_at, ends_at, calls, spent


schedules = st.lists(
    st.tuples(
        # Pauses: none, within a slot, over slots, and longer than anything is remembered.
        st.one_of(st.just(0.0), st.floats(0, 0.5), st.floats(0, 12), st.floats(0, 100)),
        st.integers(0, 60),
        st.integers(0, 30),
        st.integers(0, 5),
    ),
    max_size=20,
)


def play(schedule: list[tuple[float, int, int, int]], begin: float) -> Paid:
    """Return what a budget took in and gave out over *schedule*: pauses, calls, retries and hedges wanted."""
    budget, now, paid = RetryBudget(RATIO, PER_S, WINDOW_S, HEDGE_RATIO), begin, []
    for pause_s, calls, retries, hedges in schedule:
        now += pause_s
        for _ in range(calls):
            budget.deposit(now)
        paid += [
            (now, CALL, calls),
            (now, RETRY, sum(budget.withdraw(now) for _ in range(retries))),
            (now, HEDGE, sum(budget.withdraw_hedge(now) for _ in range(hedges))),
        ]
    return [group for group in paid if group[2]]


@given(schedules, st.floats(0, 1e6))
def test_a_stretch_of_one_to_two_windows_has_earned_what_was_spent_in_it(
    schedule: list[tuple[float, int, int, int]], begin: float
) -> None:
    for begins_at, ends_at, calls, spent in stretches(play(schedule, begin), {RETRY, HEDGE}):
        length_s = ends_at - begins_at
        if WINDOW_S <= length_s <= 2 * WINDOW_S:
            assert spent <= RATIO * calls + PER_S * length_s + NEARLY


@given(schedules, st.floats(0, 1e6))
def test_any_stretch_spends_at_most_what_it_and_the_window_before_it_have_earned(
    schedule: list[tuple[float, int, int, int]], begin: float
) -> None:
    paid = play(schedule, begin)
    for begins_at, ends_at, _, spent in stretches(paid, {RETRY, HEDGE}):
        earlier_s = max(begins_at - WINDOW_S, paid[0][0])
        calls = sum(count for at, kind, count in paid if kind == CALL and earlier_s <= at <= ends_at)
        assert spent <= RATIO * calls + PER_S * (ends_at - earlier_s) + LENT + NEARLY


@given(schedules, st.floats(0, 1e6))
def test_hedges_are_at_most_their_share_of_the_calls_over_the_same_stretches(
    schedule: list[tuple[float, int, int, int]], begin: float
) -> None:
    paid = play(schedule, begin)
    for begins_at, ends_at, calls, hedges in stretches(paid, {HEDGE}):
        if WINDOW_S <= ends_at - begins_at <= 2 * WINDOW_S:
            assert hedges <= HEDGE_RATIO * calls + NEARLY
    for last, (_, kind, _) in enumerate(paid):
        if kind == HEDGE:
            calls, hedges = (
                sum(count for _, each, count in paid[: last + 1] if each == wanted) for wanted in (CALL, HEDGE)
            )
            assert hedges <= HEDGE_RATIO * calls + NEARLY, "none are lent"


@pytest.mark.parametrize("per_s", [20, 200, 1000])
def test_in_a_total_outage_attempts_are_at_most_twelve_tenths_of_the_calls_and_ten_a_second(per_s: int) -> None:
    """From the outage's first instant to any later one, once a window has passed; and not much fewer."""
    budget = RetryBudget()
    steady(budget, 0, 40, per_s)
    spent = 0
    for number in range(60 * per_s):
        now = 40 + number / per_s
        budget.deposit(now)
        spent += sum(budget.withdraw(now) for _ in range(2))
        if now >= 40 + WINDOW_S:
            allowed = RATIO * (number + 1) + PER_S * (now - 40)
            assert allowed * 0.85 - 1 <= spent <= allowed + NEARLY


def test_after_the_first_burst_an_outage_is_a_trickle_and_no_storm_every_window() -> None:
    budget = RetryBudget()
    steady(budget, 0, 40, 200)
    by_second = [0] * 60
    for number in range(60 * 200):
        now = 40 + number / 200
        budget.deposit(now)
        by_second[number // 200] += sum(budget.withdraw(now) for _ in range(2))

    assert sum(by_second[:2]) >= 400, "what was saved is spent at once"
    assert all(45 <= spent <= 55 for spent in by_second[12:]), "0.2 x 200 + 10 in each second"


def test_a_burst_of_failures_may_spend_what_the_window_has_earned() -> None:
    budget = RetryBudget()
    steady(budget, 0, 30, 100)

    # 20 a second of the calls and 10 for the second itself, over nine to ten seconds.
    assert 270 <= spend_all(budget.withdraw, 30.0) <= 300


def test_an_hour_of_good_calls_saves_no_more_than_a_window_of_them() -> None:
    budget = RetryBudget()
    steady(budget, 0, 3600, 10)

    assert spend_all(budget.withdraw, 3600.0) <= (RATIO * 10 + PER_S) * WINDOW_S


def test_life_begins_with_one_second_lent_and_nothing_saved() -> None:
    budget = RetryBudget()

    assert spend_all(budget.withdraw, 5_000.0) == 10
    assert spend_all(budget.withdraw, 5_001.0) == 10, "and then with what each second earns"


def test_what_was_lent_is_paid_back_after_the_first_window() -> None:
    budget, spent = RetryBudget(), 0
    for tenth in range(301):
        spent += spend_all(budget.withdraw, tenth / 10)
        assert spent <= tenth + (LENT if tenth < 110 else 0)

    assert spent >= 290


def test_a_quiet_service_has_ten_a_second() -> None:
    budget = RetryBudget()
    budget.deposit(0.0)

    assert 90 <= spend_all(budget.withdraw, 86_400.0) <= 100


def test_without_per_second_only_calls_earn() -> None:
    budget = RetryBudget(per_s=0.0)
    assert not budget.withdraw(0.0)

    for _ in range(50):
        budget.deposit(500.0)
    assert spend_all(budget.withdraw, 500.0) == 10
    assert not budget.withdraw(100_000.0)


def test_without_a_ratio_only_time_earns() -> None:
    budget = RetryBudget(ratio=0.0)
    steady(budget, 0, 30, 100)

    assert 90 <= spend_all(budget.withdraw, 30.0) <= 100


def test_a_burst_is_forgotten_after_two_windows_though_the_calls_have_dried_up() -> None:
    """At ten a second alone, the 1,800 spent here would take three minutes to earn."""
    budget = RetryBudget()
    steady(budget, 0, 30, 1000)
    assert spend_all(budget.withdraw, 30.0) > 1800

    assert not budget.withdraw(45.0)
    assert spend_all(budget.withdraw, 52.0) >= 90


def test_hedges_and_retries_are_paid_from_one_account() -> None:
    budget = RetryBudget(per_s=0.0)
    for _ in range(100):
        budget.deposit(1.0)

    assert spend_all(budget.withdraw_hedge, 1.0) == 5
    assert spend_all(budget.withdraw, 1.0) == 15


def test_where_retries_have_spent_everything_there_is_no_hedge_and_none_is_counted() -> None:
    budget = RetryBudget(per_s=0.0)
    for _ in range(100):
        budget.deposit(1.0)
    assert spend_all(budget.withdraw, 1.0) == 20

    assert not budget.withdraw_hedge(1.0)
    assert repr(budget) == "<RetryBudget calls=100 spent=20 hedges=0>"


def test_seconds_alone_earn_no_hedge() -> None:
    budget = RetryBudget()
    budget.deposit(0.0)

    assert not budget.withdraw_hedge(3600.0)


def test_what_calls_earned_for_hedges_leaves_with_the_window() -> None:
    budget = RetryBudget()
    for _ in range(100):
        budget.deposit(0.0)

    assert not budget.withdraw_hedge(10.0)


def test_a_ratio_of_nothing_turns_hedges_off() -> None:
    budget = RetryBudget(hedge_ratio=0.0)
    steady(budget, 0, 20, 100)

    assert not budget.withdraw_hedge(20.0)


def test_a_time_just_behind_the_newest_counts_as_new() -> None:
    budget = RetryBudget(per_s=0.0)
    budget.deposit(100.0)
    budget.deposit(101.5)
    for _ in range(3):
        budget.deposit(100.9)

    assert spend_all(budget.withdraw, 100.8) == 1
    assert repr(budget) == "<RetryBudget calls=5 spent=1 hedges=0>"


def test_it_says_what_it_counted() -> None:
    budget = RetryBudget(per_s=0.0)
    for _ in range(100):
        budget.deposit(0.0)
    assert budget.withdraw(0.0)
    assert budget.withdraw_hedge(0.0)

    assert repr(budget) == "<RetryBudget calls=100 spent=2 hedges=1>"
