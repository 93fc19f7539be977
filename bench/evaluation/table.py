"""The results for a terminal: a table a measure, best first.  Pure."""

from __future__ import annotations

from collections.abc import Iterator

from bench.evaluation.amounts import amount_of
from bench.evaluation.results import Measured, Result, Results

__all__ = ["lines_of"]

#: Told beside the number that contestants are ordered by, where a measure has them.
_BESIDE = (("p50_ms", "p50 {:.1f} ms"), ("p99_ms", "p99 {:.1f} ms"), ("server_us", "{:.1f} µs a request"))


def lines_of(results: Results) -> Iterator[str]:
    """Return all tables."""
    titles = {contestant.name: contestant.title for contestant in results.contestants}
    for measured in results.measures:
        yield ""
        yield f"{measured.title}, {measured.unit} ({measured.better} is better)"
        for number, result in enumerate(measured.results, 1):
            yield f"  {number:>2}. {titles[result.contestant]:<26} {_told(measured, result)}"
        for name, reason in measured.out.items():
            yield f"   -  {titles[name]:<26} out: {reason}"
    lacking = [contestant for contestant in results.contestants if contestant.lack]
    if lacking:
        yield "\nnot run"
        yield from (f"  {contestant.title:<30} {contestant.lack}" for contestant in lacking)


def _told(measured: Measured, result: Result) -> str:
    # Shares are told in percent.
    scale = amount_of(measured.value).scale
    median, least, greatest = (_number(each * scale) for each in (result.median, result.least, result.greatest))
    spread = f"({least} to {greatest})" if len(result.takes) > 1 else ""
    beside = [
        form.format(result.values[name]) for name, form in _BESIDE if name in result.values and name != measured.value
    ]
    return "  ".join(text for text in (f"{median:>9}", spread, *beside, *result.notes) if text)


def _number(value: float) -> str:
    """Return a number with about three digits that say something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"
