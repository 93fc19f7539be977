"""The decision to retry: every combination there is, then rule by rule; and what a Retry-After says."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.errors import Reached
from gateway.domain.resilience.retry import Ending, GiveUp, Retry, RetryRules, decide, parse_retry_after

RULES = RetryRules()
#: Draws half: pauses are 12.5 and 25 ms.
DRAW = 0.5
PLENTY_S = 60.0

STATUSES = [0, 200, 204, 302, 400, 401, 404, 408, 409, 425, 429, 500, 501, 502, 503, 504, 505, 520, 599]
SENT: tuple[Reached, ...] = get_args(Reached)
EVERYTHING = list(
    itertools.product(
        SENT,
        STATUSES,
        [None, 0.0, 2.0, 5.0, 5.001],  # Retry-After
        [False, True],  # idempotent
        [False, True],  # by us
        [False, True],  # others left
        [1, 2, 3],  # attempt
        [0.0, 0.0125, 0.0251, 2.0, PLENTY_S],  # left
    )
)


def expected(
    sent: Reached,
    status: int,
    retry_after_s: float | None,
    idempotent: bool,
    by_us: bool,
    others_left: bool,
    attempt: int,
    left_s: float,
) -> Retry | GiveUp:
    """The plan's table, written as rows: who may, after how long, and under which word."""
    at_once, pause_s = 0.0, DRAW * 0.025 * 2 ** (attempt - 1)
    pushed_back = sent == "answered" and status in {429, 503} and retry_after_s is not None
    rows: list[tuple[bool, bool, float, str, str]] = [
        # applies, allowed, after, word if allowed, word if not
        (sent == "never" and by_us, others_left, at_once, "refused_here", "no_other_member"),
        (sent == "never" and others_left, True, at_once, "never_sent", ""),
        (sent == "never", True, pause_s, "never_sent", ""),
        (sent == "maybe", idempotent, pause_s, "no_answer", "not_idempotent"),
        (status == 0, idempotent, pause_s, "no_answer", "not_idempotent"),
        (pushed_back, (retry_after_s or 0) <= 5, (retry_after_s or 0) + pause_s, "pushback", "pushback_too_long"),
        (status in {500, 502, 503, 504}, idempotent, pause_s, "status", "not_idempotent"),
        (True, False, at_once, "", "answered"),
    ]
    _, allowed, after_s, retry_word, give_up_word = next(row for row in rows if row[0])
    if not allowed:
        return GiveUp(give_up_word)
    if attempt == 3:
        return GiveUp("retries_max")
    return Retry(after_s, retry_word) if after_s < left_s else GiveUp("deadline")


def decided(ending: Ending, **changed: object) -> Retry | GiveUp:
    """Return the decision on a first attempt of an idempotent call with time, draws of half and no other member."""
    given: dict[str, object] = {
        "attempt": 1, "idempotent": True, "left_s": PLENTY_S, "draw": DRAW, "rules": RULES, "others_left": False,
    } | changed  # fmt: skip
    return decide(ending, **given)  # type: ignore[arg-type]


def test_every_combination() -> None:
    for sent, status, retry_after_s, idempotent, by_us, others_left, attempt, left_s in EVERYTHING:
        ending = Ending(sent=sent, status=status, retry_after_s=retry_after_s, by_us=by_us)
        got = decide(ending, attempt, idempotent, left_s, DRAW, RULES, others_left)
        wanted = expected(sent, status, retry_after_s, idempotent, by_us, others_left, attempt, left_s)
        assert got == wanted, (ending, attempt, idempotent, left_s, others_left)


def test_a_call_that_is_not_idempotent_is_repeated_only_if_it_was_never_sent_or_turned_away() -> None:
    """The promise to users, apart from the table: nothing that may have been acted on is done twice."""
    for sent, status, retry_after_s, _, by_us, others_left, attempt, left_s in EVERYTHING:
        ending = Ending(sent=sent, status=status, retry_after_s=retry_after_s, by_us=by_us)
        if isinstance(decide(ending, attempt, False, left_s, DRAW, RULES, others_left), Retry):
            turned_away = sent == "answered" and status in {429, 503} and retry_after_s is not None
            assert sent == "never" or turned_away


def test_a_good_answer_is_never_repeated() -> None:
    for status in range(200, 400):
        assert decided(Ending(sent="answered", status=status, retry_after_s=1.0)) == GiveUp("answered")


def test_a_refused_connection_is_tried_at_once_elsewhere_and_after_a_pause_at_the_same_one() -> None:
    assert decided(Ending(sent="never"), others_left=True) == Retry(0.0, "never_sent")
    assert decided(Ending(sent="never")) == Retry(0.0125, "never_sent")


def test_our_own_full_gate_is_never_asked_again() -> None:
    full = Ending(sent="never", by_us=True, retry_after_s=1.0)

    assert decided(full) == GiveUp("no_other_member")
    assert decided(full, others_left=True) == Retry(0.0, "refused_here")


def test_whoever_says_when_to_come_back_is_obeyed_never_sooner() -> None:
    pushback = Ending(sent="answered", status=503, retry_after_s=2.0)
    soonest, latest = decided(pushback, draw=0.0), decided(pushback, draw=0.999)

    assert isinstance(soonest, Retry)
    assert isinstance(latest, Retry)
    assert 2.0 == soonest.after_s < latest.after_s < 2.025
    assert decided(pushback, idempotent=False, others_left=True) == Retry(2.0125, "pushback")


def test_who_says_too_late_is_not_waited_for() -> None:
    assert decided(Ending(sent="answered", status=429, retry_after_s=5.1)) == GiveUp("pushback_too_long")
    assert decided(Ending(sent="answered", status=429, retry_after_s=2.0), left_s=2.0) == GiveUp("deadline")


def test_nothing_begins_at_the_deadline_or_after_it() -> None:
    elsewhere = {"others_left": True}

    assert decided(Ending(sent="never"), left_s=0.0, **elsewhere) == GiveUp("deadline")
    assert decided(Ending(sent="never"), left_s=-1.0, **elsewhere) == GiveUp("deadline")
    assert decided(Ending(sent="never"), left_s=0.001, **elsewhere) == Retry(0.0, "never_sent")


def test_pauses_double_with_full_jitter_up_to_their_cap_and_never_overflow() -> None:
    rules = RetryRules(retries_max=5_000)
    pauses = [
        decided(Ending(sent="maybe"), attempt=attempt, draw=1.0, rules=rules) for attempt in (1, 2, 3, 4, 5, 5_000)
    ]

    assert pauses == [Retry(pause_s, "no_answer") for pause_s in (0.025, 0.05, 0.1, 0.2, 0.25, 0.25)]
    assert decided(Ending(sent="maybe"), draw=0.0) == Retry(0.0, "no_answer")


def test_no_retries_allowed_means_none() -> None:
    rules = RetryRules(retries_max=0)

    assert decided(Ending(sent="never"), rules=rules, others_left=True) == GiveUp("retries_max")


#: RFC 9110's own example, in its three forms.
RFC_DATES = ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
RFC_UNIX = 784_111_777.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0), ("120", 120.0), (" 7\t", 7.0), ("007", 7.0), ("1.5", 1.5),
        ("-1", 0.0), ("-0.5", 0.0), ("-" + "9" * 400, 0.0),
        ("9" * 400, 2.0**31), ("9" * 5000, 2.0**31), ("2147483649", 2.0**31),
    ],
)  # fmt: skip
def test_seconds(value: str, seconds: float) -> None:
    assert parse_retry_after(value, 1e9) == seconds


@pytest.mark.parametrize(
    "value",
    [
        "", " ", "soon", "1e3", "inf", "nan", "0x10", "1_000", "+5", "--5", "1.", ".5", "5s", "5, 5", "5;5", "١٢",
        "1.5.5", "1\n", "12\x00",
        "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET", "sun, 06 nov 1994 08:49:37 gmt",
        "Sun, 6 Nov 1994 08:49:37 GMT", "06 Nov 1994 08:49:37 GMT", "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 0000 08:49:37 GMT", "1994-11-06T08:49:37Z",
        "Sun, 06 Nov 1994 08:49:37 GMT, 5", "Sun, ٠٦ Nov 1994 08:49:37 GMT",
    ],
)  # fmt: skip
def test_garbage_says_nothing(value: str) -> None:
    assert parse_retry_after(value, RFC_UNIX) is None


@pytest.mark.parametrize("value", RFC_DATES)
def test_a_date_in_each_of_the_three_forms(value: str) -> None:
    assert parse_retry_after(value, RFC_UNIX - 90) == 90.0
    assert parse_retry_after(value, RFC_UNIX) == 0.0
    assert parse_retry_after(value, RFC_UNIX + 90) == 0.0, "a date that has passed means now"


def test_a_leap_second_is_the_second_before_it() -> None:
    second_before = datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()

    assert parse_retry_after("Sat, 31 Dec 2016 23:59:60 GMT", second_before - 10) == 10.0


@pytest.mark.parametrize(
    ("digits", "year"), [("26", 2026), ("27", 2027), ("76", 2076), ("77", 1977), ("99", 1999), ("00", 2000)]
)
def test_two_digits_of_a_year_lie_at_most_fifty_years_ahead(digits: str, year: int) -> None:
    """RFC 9110, section 5.6.7: what would be further ahead is a century back.  Counted in whole years here."""
    now = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    ahead_s = datetime(year, 11, 6, 8, 49, 37, tzinfo=UTC).timestamp() - now

    assert parse_retry_after(f"Sunday, 06-Nov-{digits} 08:49:37 GMT", now) == max(0.0, ahead_s)


@given(st.datetimes(timezones=st.just(UTC)), st.integers(0, 10**6))
def test_every_date_that_python_writes_is_read(moment: datetime, ahead_s: int) -> None:
    moment = moment.replace(microsecond=0)
    written = format_datetime(moment, usegmt=True)

    assert parse_retry_after(written, moment.timestamp() - ahead_s) == ahead_s


@given(st.text(max_size=40), st.floats(0, 4e9))
def test_nothing_a_server_writes_raises(value: str, unix_now: float) -> None:
    seconds = parse_retry_after(value, unix_now)

    assert seconds is None or 0 <= seconds <= 2.0**31
