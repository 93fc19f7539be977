"""What the page says of ours in words: first, second, or plainly neither, and by how much.  Pure.

A place is the run's own word (:attr:`Measured.place`): who touches our spread shares it.  Ratios are of medians and
always ours to the other's, so that one number means the same in every sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from bench.contestants import CONTESTANTS, OURS
from bench.evaluation.amounts import amount_of, plain, times
from bench.evaluation.results import Measured, Result, Results

__all__ = ["Answer", "answer", "listed", "number", "ordinal", "sharing", "standing", "titles"]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The whole run in a paragraph: one sentence in front, then measures by what came of them."""

    lead: str
    first: Sequence[Measured]
    second: Sequence[Measured]
    #: Measures in which ours is neither, each with the sentence that says so.
    behind: Sequence[tuple[Measured, str]]
    #: Measures in which ours has no result.
    without: Sequence[tuple[Measured, str]]


def titles(results: Results) -> dict[str, str]:
    """Return the titles of contestants by their names; that of ours also where it was no part of the run."""
    return {OURS: CONTESTANTS[OURS].title} | {each.name: each.title for each in results.contestants}


def answer(results: Results) -> Answer:
    """Return what the run says of ours."""
    names = titles(results)
    first = [each for each in results.measures if each.place == 1]
    second = [each for each in results.measures if each.place == 2]
    behind = [(each, _behind(each, names)) for each in results.measures if each.place > 2]
    without = [(each, standing(each, names)) for each in results.measures if each.place == 0]
    placed = len(first) + len(second) + len(behind)
    ours = names.get(OURS, OURS)
    is_first = f"{ours} is first on {_of(len(first), placed)}{_shared(first)}"
    is_second = f"second on {number(len(second))}{_shared(second)}"
    if not placed:
        lead = f"{ours} has no result in this run."
    elif not behind:
        lead = f"{is_first}, and {is_second}." if second else f"{is_first}."
    else:
        lead = f"{is_first}, {is_second}, and neither on {number(len(behind))}."
    return Answer(lead=lead, first=first, second=second, behind=behind, without=without)


def standing(measured: Measured, names: Mapping[str, str]) -> str:
    """Return where ours stands in a measure, beside whom, and by how much."""
    ours = next((each for each in measured.results if each.contestant == OURS), None)
    title = names.get(OURS, OURS)
    if ours is None:
        reason = measured.out.get(OURS)
        return f"{title} has no result here: {reason}." if reason else f"{title} has no result here."
    others = [each for each in measured.results if each is not ours]
    if not others:
        return f"{title} has {_has(ours, measured)}; nobody else has a result here."
    of = f"{ordinal(measured.place)} of {number(len(measured.results))}"
    touching = sharing(measured, ours)
    if measured.place == 1 and touching:
        whom = listed([names.get(each.contestant, each.contestant) for each in touching])
        scale = amount_of(measured.value).scale
        theirs = listed([plain(each.median * scale) for each in touching])
        return (
            f"{title} shares the first place of {number(len(measured.results))} with {whom}: "
            f"it has {_has(ours, measured)}, beside {theirs}, and the spreads touch."
        )
    if measured.place == 1:
        return f"{title} is {of}, with {_has(ours, measured)}; next is {_beside(others[0], ours, measured, names)}."
    if measured.place == 2:
        return f"{title} is {_behind(measured, names)}"
    return f"{title} is neither first nor second here but {_behind(measured, names)}"


def _behind(measured: Measured, names: Mapping[str, str]) -> str:
    """Return the place of ours where it is not the first, and by how much."""
    ours = next(each for each in measured.results if each.contestant == OURS)
    touching = sharing(measured, ours)
    with_us = listed([names.get(each.contestant, each.contestant) for each in touching])
    shared = f", shared with {with_us}," if touching else ","
    # Whose spread touches ours is not in front of it, though his median may be the best.
    ahead = next(each for each in measured.results if each is not ours and each not in touching)
    first = _beside(ahead, ours, measured, names)
    of = f"{ordinal(measured.place)} of {number(len(measured.results))}"
    return f"{of}{shared} with {_has(ours, measured)}; first is {first}."


def sharing(measured: Measured, ours: Result) -> list[Result]:
    """Return those whose spread touches that of ours."""
    return [each for each in measured.results if each is not ours and each.touches(ours)]


def _shared(measures: Sequence[Measured]) -> str:
    """Return on how many of those lines others touch the spread of ours: such a place is less than one's own."""
    count = sum(
        any(sharing(each, result) for result in each.results if result.contestant == OURS) for each in measures
    )
    if not count:
        return ""
    of_them = "all of them shared" if count == len(measures) else f"{number(count)} of them shared"
    return " (shared)" if len(measures) == 1 else f" ({of_them})"


def _has(ours: Result, measured: Measured) -> str:
    return amount_of(measured.value, measured.unit).text(ours.median)


def listed(words: Sequence[str]) -> str:
    """Return words as a sentence lists them; titles have commas of their own."""
    if len(words) < 2:
        return "".join(words)
    comma = "; " if any("," in word and not word[0].isdigit() for word in words) else ", "
    last = " and " if len(words) == 2 else f"{comma}and "
    return f"{comma.join(words[:-1])}{last}{words[-1]}"


def _beside(other: Result, ours: Result, measured: Measured, names: Mapping[str, str]) -> str:
    """Return another one with what it has, and what ours is of it."""
    amount = amount_of(measured.value, measured.unit)
    ratio = f" (ours is {times(ours.median / other.median)} that)" if other.median else ""
    return f"{names.get(other.contestant, other.contestant)} with {amount.text(other.median)}{ratio}"


def _of(count: int, whole: int) -> str:
    if count == whole:
        return "the one line" if whole == 1 else f"all {number(whole)} lines"
    return f"{number(count)} of {number(whole)} lines"


_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_NUMBERS = (
    "none", "one", "two", "three", "four", "five", "six",
    "seven", "eight", "nine", "ten", "eleven", "twelve",
)  # fmt: skip


def number(count: int) -> str:
    """Return a count in words, as far as words are shorter to read."""
    return _NUMBERS[count] if count < len(_NUMBERS) else f"{count:,}"


def ordinal(place: int) -> str:
    """Return a place in words."""
    return _ORDINALS[place - 1] if place <= len(_ORDINALS) else f"{place}th"
