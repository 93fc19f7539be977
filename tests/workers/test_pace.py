"""Who was read less far is read sooner, nobody is left out, and a statement stays within its rows."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from workers.pace import rows_each


@given(st.lists(st.integers(0, 10**9) | st.none(), min_size=1, max_size=32), st.integers(1, 500))
def test_everybody_gets_a_row_and_together_they_stay_within_what_there_is(
    marks: list[int | None], rows: int
) -> None:
    each = rows_each(marks, rows)
    assert len(each) == len(marks)
    assert min(each) >= 1
    assert sum(each) <= max(rows, len(marks))


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=32, unique=True), st.integers(1, 500))
def test_who_was_read_less_far_gets_no_fewer(marks: list[int], rows: int) -> None:
    by_mark = [each for _, each in sorted(zip(marks, rows_each(marks, rows), strict=True))]
    assert by_mark == sorted(by_mark, reverse=True)


@given(st.lists(st.integers(0, 10**9) | st.none(), min_size=1, max_size=32), st.integers(32, 500))
def test_next_to_nothing_is_left_over(marks: list[int | None], rows: int) -> None:
    assert sum(rows_each(marks, rows)) > rows - len(marks)


@given(st.integers(0, 10**9), st.integers(1, 31), st.integers(100, 500))
def test_who_has_no_backlog_takes_little_of_who_has(mark: int, others: int, rows: int) -> None:
    assert rows_each([*[None] * others, mark], rows)[-1] > rows * 2 // 3 - others


@example([5] * 16 + [20] * 16)
@given(st.lists(st.integers(5, 20), min_size=2, max_size=32))
def test_partitions_of_unequal_length_are_read_through_together(every: list[int]) -> None:
    """Of each partition one place in so many is its own; one may hold four times as much as another."""
    marks, furthest = [0] * len(every), 0
    for _ in range(500):
        rows = rows_each(marks, 500)
        marks = [mark + each * step for mark, each, step in zip(marks, rows, every, strict=True)]
        furthest = max(furthest, max(marks) - min(marks))
    one_statement = 500 * 2 * max(every)
    assert furthest <= 4 * one_statement
