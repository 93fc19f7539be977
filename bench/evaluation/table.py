"""The results for a terminal: a table a measure, best first; or what two runs say of each other.  Pure."""

from __future__ import annotations

from collections.abc import Iterator

from bench.evaluation.agreement import agreements
from bench.evaluation.amounts import amount_of
from bench.evaluation.results import Measured, Result, Results
from bench.evaluation.sentences import listed

__all__ = ["compared", "lines_of"]

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
        # What several lack is said once.
        for lack in dict.fromkeys(contestant.lack for contestant in lacking):
            yield f"  {listed([each.title for each in lacking if each.lack == lack])}: {lack}"


def compared(first: Results, second: Results) -> Iterator[str]:
    """Return where two runs agree within their spreads, and where not; whose order is another one."""
    titles = {contestant.name: contestant.title for contestant in first.contestants}
    found = agreements(first, second)
    measures = (*first.measures, *second.measures)
    spread = any(len(result.takes) > 1 for measured in measures for result in measured.results)
    if not spread:
        yield "Both runs have one take each, so no spreads: figures cannot agree, and only the order says something.\n"
    for each in found:
        agree = f"{each.both_n - len(each.apart)} of {each.both_n} agree within their spreads, " if spread else ""
        yield (
            f"{each.title}: {agree}"
            f"{each.pairs_n - len(each.turned)} of {each.pairs_n} pairs that are apart in the first run are in order"
        )
        for one, again in each.apart:
            before, now = (" ".join(_median(each.value, result)).strip() for result in (one, again))
            yield f"  {titles[one.contestant]}: {before}, then {now}"
        for better, worse in each.turned:
            yield f"  turned: {titles[better.contestant]} was before {titles[worse.contestant]}"
    both_n, apart_n = sum(each.both_n for each in found), sum(len(each.apart) for each in found)
    pairs_n, turned_n = sum(each.pairs_n for each in found), sum(len(each.turned) for each in found)
    agree = f"{both_n - apart_n} of {both_n} agree, " if spread else ""
    yield f"\nIn all: {agree}{pairs_n - turned_n} of {pairs_n} pairs are in order."


def _told(measured: Measured, result: Result) -> str:
    beside = [
        form.format(result.values[name]) for name, form in _BESIDE if name in result.values and name != measured.value
    ]
    median, spread = _median(measured.value, result)
    return "  ".join(text for text in (f"{median:>9}", spread, *beside, *result.notes) if text)


def _median(value: str, result: Result) -> tuple[str, str]:
    """Return the median and, of several takes, their spread; shares in percent."""
    scale = amount_of(value).scale
    median, least, greatest = (_number(each * scale) for each in (result.median, result.least, result.greatest))
    bound = "≥ " if result.at_least else ""
    return f"{bound}{median}", f"({least} to {greatest})" if len(result.takes) > 1 else ""


def _number(value: float) -> str:
    """Return a number with about three digits that say something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"
