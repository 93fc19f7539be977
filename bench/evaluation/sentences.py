"""What the page says of ours in words: first, second, or plainly neither, and by how much.  Pure.

A place is the run's own word (:attr:`Measured.place`): who touches our spread shares it.  Ratios are of medians and
always ours to the other's, so that one number means the same in every sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from bench.contestants import CONTESTANTS, OURS
from bench.evaluation.amounts import amount_of, plain, times
from bench.evaluation.measure import DISTURBED
from bench.evaluation.results import Contestant, Measured, Result, Results

__all__ = ["Answer", "absent", "answer", "disturbed", "listed", "number", "ordinal", "sharing", "standing", "titles"]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The whole run in a paragraph: one sentence in front, then measures by what came of them."""

    lead: str
    #: Beside how many of all that could be there: "six of ten servers".
    among: str
    #: What belongs to the lead wherever it stands: who did not take part, and that nothing has a spread.
    beside: Sequence[str]
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
    without = [
        (each, standing(each, names))
        for each in results.measures
        if all(result.contestant != OURS for result in each.results)
    ]
    ours, among = names[OURS], _among(results)
    if first or second or behind:
        lead = f"Among {among} {ours} is {_counted(first, second, len(behind))}."
    elif len(without) < len(results.measures):
        lead = f"{ours} has no place in this run: nobody else has a result."
    else:
        lead = f"{ours} has no result in this run."
    busy_n, takes_n = disturbed(results.measures)
    if busy_n:
        lead += f" Disturbed: during {busy_n:,} of {takes_n:,} takes other processes were busy on the machine."
    return Answer(
        lead=lead,
        among=among,
        beside=[*_missed(results), *_unspread(results)],
        first=first,
        second=second,
        behind=behind,
        without=without,
    )


def absent(results: Results) -> list[Contestant]:
    """Return who could have taken part and has no result: not asked for, not able to run, or out on every line."""
    there = {each.contestant for measured in results.measures for each in measured.results}
    return [each for each in results.contestants if each.lack or (results.measures and each.name not in there)]


def disturbed(measures: Sequence[Measured]) -> tuple[int, int]:
    """Return beside how many takes others were busy on the machine, and of how many takes."""
    takes = [taken for measured in measures for each in measured.results for taken in each.takes]
    return sum(any(note.startswith(DISTURBED) for note in taken.notes) for taken in takes), len(takes)


def _among(results: Results) -> str:
    all_n = len(results.contestants)
    there_n = all_n - len(absent(results))
    return f"all {number(all_n)} servers" if there_n == all_n else f"{number(there_n)} of {number(all_n)} servers"


def _missed(results: Results) -> list[str]:
    """Return the sentence that names who did not take part, if there is anybody."""
    gone = [each.title for each in absent(results)]
    if len(gone) < 2:
        return [f"{title} did not take part." for title in gone]
    count = number(len(gone))
    return [f"{count[0].upper()}{count[1:]} did not take part: {listed(gone)}."]


def _unspread(results: Results) -> list[str]:
    """Return the sentence that a run of one take each needs."""
    takes_n = max((len(each.takes) for measured in results.measures for each in measured.results), default=0)
    return ["One take each, so no spread: who is a little ahead may be behind in the next run."] if takes_n == 1 else []


def _counted(first: Sequence[Measured], second: Sequence[Measured], behind_n: int) -> str:
    """Return on how many lines ours is what."""
    placed = len(first) + len(second) + behind_n
    if behind_n == placed:
        return f"neither first nor second on {'the one line' if placed == 1 else f'any of {number(placed)} lines'}"
    if len(second) == placed:
        return f"second on {_of(placed, placed)}{_shared(second)}"
    is_first = f"first on {_of(len(first), placed)}{_shared(first)}"
    is_second = f"second on {number(len(second))}{_shared(second)}"
    if not behind_n:
        return f"{is_first}, and {is_second}" if second else is_first
    if not second:
        return f"{is_first}, and neither first nor second on {number(behind_n)}"
    return f"{is_first}, {is_second}, and neither on {number(behind_n)}"


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
        theirs = listed([f"{_bound(each)}{plain(each.median * scale)}" for each in touching])
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
    return f"{_bound(ours)}{amount_of(measured.value, measured.unit).text(ours.median)}"


def _bound(result: Result) -> str:
    return "at least " if result.at_least else ""


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
    # Of what is no more than a bound there is no ratio.
    bound = ours.at_least or other.at_least
    ratio = f" (ours is {times(ours.median / other.median)} that)" if other.median and not bound else ""
    return f"{names.get(other.contestant, other.contestant)} with {_bound(other)}{amount.text(other.median)}{ratio}"


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
