"""What qualifies a wish: for how many, which of several, without what, sweeter or drier.

Each function takes out the words that it understood: "gin and lemon but no egg for four" leaves "gin and lemon".
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from gateway.demo.bartender.hearing.intent import Direction, Which
from gateway.demo.bartender.hearing.lexicon import Lexicon
from gateway.demo.language.sayings import compiled
from gateway.demo.language.text import NUMBERS, ORDINALS, singular

__all__ = ["GLASSES_MAX", "Excluded", "direction_in", "glasses_in", "which_in", "without_in"]

#: More than these and the shaker is a bathtub; the answer says so.
GLASSES_MAX = 100
_WITHOUT_CLAUSES_MAX = 4

_COUNT = "|".join([*NUMBERS, r"\d{1,4}"])
_PEOPLE = r"(?:people|persons?|guests?|friends?|of us|adults|glass(?:es)?|servings?|portions?)"
_GLASSES = re.compile(
    rf"\b(?:for|serves?|party of|times|x) (?:about |all |a |the )?(?P<a>{_COUNT})(?: {_PEOPLE})?\b"
    rf"|\b(?:we are |were |make )?(?P<b>{_COUNT}) {_PEOPLE}\b"
    rf"|\b(?P<c>{_COUNT}) of (?:those|them|these|that|it)\b"
)
_DOUBLE = re.compile(
    r"\b(?:a )?double(?: (?:it|that|the recipe|portion))?\b|\bfor both of us\b|\btwice as much\b"
)
_SINGLE = re.compile(r"\b(?:just|only) for (?:me|myself)\b|\ba single (?:one|glass|serving)\b")

_PLACE = re.compile(
    rf"\b(?:the )?(?P<ordinal>{'|'.join(ORDINALS)})(?: (?:one|drink|cocktail|recipe|option))?\b"
    rf"|\b(?:number|nr|option|no) (?P<number>\d{{1,2}}|{'|'.join(NUMBERS)})\b"
    r"|^(?P<bare>\d{1,2})$"
)

_WITHOUT = re.compile(
    r"\b(?:without(?: any)?|with no|hold the|leave (?:out|away)(?: the)?|skip the|minus|free of"
    r"|(?:i )?(?:dont|do not|havent|have not) (?:have|got)(?: any)?|(?:i )?have no|(?:i )?(?:ran|run|am|im) out of"
    r"|(?:i )?(?:dont|do not) want(?: any)?|nothing with|not? (?:too|so|that|very|much)|no(?: more)?|not|nor) (?=\w)"
)
_JOINERS = frozenset(
    {"and", "or", "any", "the", "a", "an", "no", "nor", "too", "fresh", "either", "my", "of"}
)

_DIRECTIONS: tuple[tuple[Direction, re.Pattern[str]], ...] = (
    ("drier", compiled("less/not_as/not_so/not_that/too sweet\n less sugar\n drier/dryer/more_dry")),
    ("less bitter", compiled("less/not_as/not_so/not_that/too bitter")),
    ("less sour", compiled("less/not_as/not_so/not_that/too sour/tart/acidic")),
    (
        "lighter",
        compiled(
            """
            lighter/weaker/milder/softer
            less/not_as/not_so/not_that/too strong/boozy
            less alcohol/alcoholic/booze/heavy
            """
        ),
    ),
    ("sweeter", compiled("sweeter\n more sweet/sugar\n too dry")),
    ("stronger", compiled("stronger/boozier\n more strong/alcohol/booze/boozy/punch/kick\n too weak/light")),
    ("more sour", compiled("more sour/tart/acidic\n sourer/tarter")),
    ("more bitter", compiled("more bitter\n bitterer")),
)


class Excluded(msgspec.Struct, frozen=True):
    """What is not wanted, and the sentence without the words that said so."""

    rest: str
    names: tuple[str, ...] = ()
    alcohol: bool = False


def glasses_in(sentence: str) -> tuple[int, str]:
    """Return for how many *sentence* asks (0: it does not say), and the rest of it."""
    found = _GLASSES.search(sentence)
    if found:
        said = next(group for group in found.groups() if group)
        count = NUMBERS.get(said) or int(said)
    elif found := _DOUBLE.search(sentence):
        count = 2
    elif found := _SINGLE.search(sentence):
        count = 1
    else:
        return 0, sentence
    return min(count, GLASSES_MAX + 1), _cut(sentence, found.start(), found.end())


def which_in(sentence: str) -> Which:
    """Return the place in the last list that *sentence* points to."""
    found = _PLACE.search(sentence)
    if not found:
        return Which()
    if found["ordinal"]:
        return Which(place=ORDINALS[found["ordinal"]])
    said = found["number"] or found["bare"]
    return Which(place=NUMBERS.get(said) or int(said))


def direction_in(sentence: str) -> Direction | None:
    """Return which way the next drink shall differ from the one in hand."""
    for direction, pattern in _DIRECTIONS:
        if pattern.search(f" {sentence} "):
            return direction
    return None


def without_in(sentence: str, lexicon: Lexicon) -> Excluded:
    """Return what *sentence* wants left out: "no egg or cream", "without alcohol", "not too sweet"."""
    names: list[str] = []
    alcohol = False
    start = 0
    for _ in range(_WITHOUT_CLAUSES_MAX):
        found = _WITHOUT.search(sentence, start)
        if not found:
            break
        clause = sentence[found.end() :].split()
        left_out, used = _leading_names(clause, lexicon)
        if not used:
            start = found.end()
            continue
        alcohol = alcohol or "alcohol" in left_out
        names += [name for name in left_out if name not in ("alcohol", *names)]
        sentence = f"{sentence[: found.start()].strip()} {' '.join(clause[used:])}".strip()
        start = 0
    return Excluded(sentence, tuple(names), alcohol)


def _leading_names(clause: Sequence[str], lexicon: Lexicon) -> tuple[list[str], int]:
    """Return the ingredients and tastes at the beginning of *clause*, and how many words they take."""
    names: list[str] = []
    used = 0
    for named in lexicon.names_in([singular(word) for word in clause]):
        if named.name.kind == "drink" or not _JOINERS.issuperset(clause[used : named.start]):
            break
        names.append(named.name.value)
        used = named.end
    return names, used


def _cut(sentence: str, start: int, end: int) -> str:
    return f"{sentence[:start].strip()} {sentence[end:].strip()}".strip()
