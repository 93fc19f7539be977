"""The words that name something: ingredients, drinks, tastes.  Found by the longest match, then by likeness.

Typos are forgiven for words that nothing else explains, by :mod:`difflib` against names of about the same length and
the same first letter: a whole-vocabulary comparison would cost more than the rest of the answer together.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

import msgspec

from gateway.demo.bartender.catalogue.drink import TAGS
from gateway.demo.bartender.catalogue.load import Catalogue
from gateway.demo.bartender.hearing.table import TABLE
from gateway.demo.bartender.hearing.vocabulary import ORDINARY_WORDS, TAG_WORDS
from gateway.demo.language.text import singular, singular_words

__all__ = ["Lexicon", "Name", "Named"]

Kind = Literal["ingredient", "drink", "tag"]
#: Words of one text that may be corrected; the rest of a long story is left as it is.
CORRECTED_WORDS_MAX = 8
#: How alike two words must be, by difflib's ratio.
LIKENESS_MIN = 0.8
_WORDS_PER_NAME_MAX = 5


class Name(msgspec.Struct, frozen=True):
    """What a phrase stands for.  ``value``: an ingredient or family, a drink's slug, a tag."""

    kind: Kind
    value: str


class Named(msgspec.Struct, frozen=True):
    """A name found in a text, and where: words ``start`` to ``end`` (excluded)."""

    name: Name
    start: int
    end: int


class Lexicon:
    """All names the catalogue knows, by the words that they are called."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._names: dict[tuple[str, ...], Name] = {}
        self._alike: dict[tuple[str, int], list[str]] = defaultdict(list)
        # Later ones win: a drink's own name outranks an ingredient's, and that one a taste's.
        for tag in TAGS:
            self._add(tag, Name("tag", tag))
        for word, tag in TAG_WORDS.items():
            self._add(word, Name("tag", tag))
        for family, other_names in catalogue.shelf.families.items():
            for called in (family, *other_names):
                self._add(called, Name("ingredient", family))
        for ingredient, known in catalogue.shelf.ingredients.items():
            for called in (ingredient, *known.aka):
                self._add(called, Name("ingredient", ingredient), unless_family=catalogue.shelf.families)
        for slug, drink in catalogue.drinks.items():
            for called in (drink.name, *drink.aka):
                self._add(called, Name("drink", slug), keep_ingredient=True)
        self._words = frozenset().union(ORDINARY_WORDS, *self._names, *(line.words for line in TABLE))
        for word in sorted(self._words):
            self._alike[word[0], len(word)].append(word)

    def _add(
        self, called: str, name: Name, *, unless_family: object = (), keep_ingredient: bool = False
    ) -> None:
        words = singular_words(called)
        known = self._names.get(words)
        if known and known.kind == "ingredient":
            if keep_ingredient:
                return  # "Aperol" is a bottle first, and a spritz only with the word
            if isinstance(unless_family, dict) and known.value in unless_family:
                return  # "coffee" alone means any coffee
        self._names[words] = name

    def corrected(self, words: Sequence[str]) -> tuple[str, ...]:
        """Return *words* with those that nothing explains replaced by the known word most like them."""
        left = CORRECTED_WORDS_MAX
        result: list[str] = []
        for word in words:
            # Short words are too alike one another: "run" is no rum.
            if left and len(word) > 3 and not self._explains(word):
                left -= 1
                result.append(self._most_alike(word))
            else:
                result.append(word)
        return tuple(result)

    def _explains(self, word: str) -> bool:
        return word in self._words or singular(word) in self._words or word.isdigit()

    def _most_alike(self, word: str) -> str:
        candidates = [
            known
            for length in range(max(3, len(word) - 2), len(word) + 3)
            for known in self._alike.get((word[0], length), ())
        ]
        near = difflib.get_close_matches(word, candidates, n=1, cutoff=LIKENESS_MIN)
        return near[0] if near else word

    def names_in(self, words: Sequence[str]) -> tuple[Named, ...]:
        """Return the names in *words* (plain and singular), in order, the longest at each place."""
        found: list[Named] = []
        start = 0
        while start < len(words):
            for end in range(min(len(words), start + _WORDS_PER_NAME_MAX), start, -1):
                name = self._names.get(tuple(words[start:end]))
                if name:
                    found.append(Named(name, start, end))
                    start = end
                    break
            else:
                start += 1
        return tuple(found)
