"""When schedules tick, above all when clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.cron import check_cron, next_tick

BERLIN = ZoneInfo("Europe/Berlin")


def unix(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def ticks(cron: str, after: str, count: int) -> list[str]:
    """The next ticks in Berlin, in UTC."""
    found, at = [], unix(after)
    for _ in range(count):
        at = next_tick(cron, BERLIN, at)
        found.append(datetime.fromtimestamp(at, UTC).strftime("%m-%d %H:%M"))
    return found


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        # 2026-03-29: at 01:00 UTC it is 03:00 in Berlin; 02:00 to 03:00 is skipped.
        ("30 2 * * *", "2026-03-28T12:00", ["03-29 01:00", "03-30 00:30", "03-31 00:30"]),
        ("15,45 2 * * *", "2026-03-28T12:00", ["03-29 01:00", "03-30 00:15"]),
        ("*/30 * * * *", "2026-03-29T00:15", ["03-29 00:30", "03-29 01:00", "03-29 01:30"]),
        # 2026-10-25: at 01:00 UTC it is 02:00 in Berlin for the second time.
        ("30 2 * * *", "2026-10-24T12:00", ["10-25 00:30", "10-26 01:30"]),
        ("30 2 * * *", "2026-10-25T00:30", ["10-26 01:30"]),
        # Asked in the hour that is there a second time: never a time that has been.
        ("30 2 * * *", "2026-10-25T01:15", ["10-26 01:30"]),
        ("*/30 * * * *", "2026-10-25T00:15", ["10-25 00:30", "10-25 01:00", "10-25 01:30", "10-25 02:00"]),
        ("0 * * * *", "2026-10-24T23:30", ["10-25 00:00", "10-25 01:00", "10-25 02:00"]),
    ],
)
def test_when_clocks_are_changed(cron: str, after: str, expected: list[str]) -> None:
    """Law: a fixed time ticks once a day, whatever clocks do; what begins with a star goes by real time."""
    assert ticks(cron, after, len(expected)) == expected


@given(
    st.sampled_from(["30 2 * * *", "*/7 * * * *", "0 2,3 * * *", "59 1-3 * * SUN", "0 0 29 2 *", "0 12 L * *"]),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Pacific/Apia"]),
    st.integers(min_value=int(unix("2020-01-01")), max_value=int(unix("2040-01-01"))),
)
def test_the_next_tick_is_always_to_come(cron: str, zone: str, after: int) -> None:
    """Law: a whole second later than the question, so that no tick can come twice."""
    tick = next_tick(cron, ZoneInfo(zone), after)
    assert tick > after
    assert tick == int(tick)


@pytest.mark.parametrize(
    ("cron", "why"),
    [
        ("* * * *", "not five fields"),
        ("0 * * * * *", "not five fields"),
        ("", "not five fields"),
        ("@daily", "not five fields: .* no @daily"),
        ("0 25 * * *", "bad hour: expected 0 to 23"),
        ("61 * * * *", "bad minute: expected 0 to 59"),
        ("0 0 30 2 *", "bad day-of-month: expected 1 to 31, .* one that the month has"),
        ("0 0 * JANUARY *", "bad month: expected 1 to 12, or JAN to DEC"),
        ("0 0 * * 8", "bad day-of-week: expected 0 to 7"),
        ("0 0 */0 * *", "bad day-of-month"),
        ("9" * 5_000 + " * * * *", "more than 200 characters"),
    ],
)
def test_what_is_no_cron_says_why(cron: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check_cron(cron)


@given(st.text(alphabet="0123456789*/,-#LWMON ", max_size=40) | st.text(max_size=20))
def test_any_text_is_a_cron_or_refused(text: str) -> None:
    try:
        check_cron(text)
    except ValueError:
        return
    assert next_tick(text, UTC, unix("2026-01-01")) > unix("2026-01-01")
