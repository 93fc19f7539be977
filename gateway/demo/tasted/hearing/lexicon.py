"""The words that name something: recipes, ingredients, kinds of dishes, diets.  Found by the longest match.

Typos are forgiven in a second reading, of a sentence that meant nothing in the first: so no word that was understood is
ever taken for another one.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

import msgspec

from gateway.demo.language.text import singular, singular_words
from gateway.demo.tasted.catalogue.larder import CONTAINS, DIETS
from gateway.demo.tasted.catalogue.load import Catalogue
from gateway.demo.tasted.catalogue.recipe import TAGS
from gateway.demo.tasted.hearing.table import TABLE

__all__ = ["Lexicon", "Named"]

Kind = Literal["recipe", "ingredient", "tag", "diet", "content"]
_WORDS_PER_NAME_MAX = 5
#: Words of one sentence that may be corrected, and how alike they must be, by difflib's ratio.
_CORRECTED_MAX = 6
_LIKENESS_MIN = 0.85

_TAG_WORDS = {
    "lunch": "main", "dinner": "main", "supper": "main", "meal": "main", "main course": "main", "warm meal": "main",
    "starter": "soup", "sweets": "sweet", "pudding": "dessert", "afters": "dessert", "baking": "cake",
    "cookie": "biscuit", "spread": "dip", "hot": "spicy", "fiery": "spicy", "savory": "savoury", "hearty": "savoury",
    "brunch": "breakfast", "salads": "salad", "noodle dish": "pasta", "side dish": "side", "finger food": "snack",
    "casserole": "stew",
}  # fmt: skip
_DIET_WORDS = {
    "veggie": "vegetarian", "meatless": "vegetarian", "meat free": "vegetarian", "plant based": "vegan",
    "gluten free": "gluten-free", "celiac": "gluten-free", "coeliac": "gluten-free", "dairy free": "dairy-free",
    "lactose free": "dairy-free", "lactose intolerant": "dairy-free", "lactose": "dairy-free",
    "milk free": "dairy-free", "egg free": "egg-free", "nut free": "nut-free",
}  # fmt: skip
_CONTENT_WORDS = {"dairy": "milk", "wheat": "gluten", "peanut": "nuts", "shrimp": "shellfish", "prawn": "shellfish"}


class Named(msgspec.Struct, frozen=True):
    """A name found in a text: what it stands for, and its words ``start`` to ``end`` (excluded)."""

    kind: Kind
    value: str
    start: int
    end: int


class Lexicon:
    """All names that the catalogue knows, by the words that they are called."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._names: dict[tuple[str, ...], tuple[Kind, str]] = {}
        larder = catalogue.larder
        # Later ones win: a recipe's own name outranks an ingredient's, and that one a content's and a kind's.
        self._add_all("tag", {tag: tag for tag in TAGS} | _TAG_WORDS)
        self._add_all("content", {word: word for word in CONTAINS} | _CONTENT_WORDS)
        self._add_all("diet", {diet: diet for diet in DIETS} | _DIET_WORDS)
        for family, called in larder.families.items():
            # "Pasta" and "rice" are kinds of dishes first: whoever has pasta gets a pasta dish that way too.
            self._add_all("ingredient", {word: family for word in (family, *called) if word not in TAGS})
        for name, known in larder.ingredients.items():
            words = (name, *known.aka, *filter(None, (known.plural,)))
            self._add_all("ingredient", {word: name for word in words if word not in larder.families})
        for slug, recipe in catalogue.recipes.items():
            # "Salmon" is a fish before it is a dish.
            taken = larder.ingredients.keys()
            self._add_all("recipe", {word: slug for word in (recipe.name, *recipe.aka) if word not in taken})
        self._said = frozenset().union(*(line.words for line in TABLE))
        self._alike: dict[str, list[str]] = defaultdict(list)
        for word in sorted({word for words in self._names for word in words if len(word) > 3}):
            self._alike[word[0]].append(word)

    def _add_all(self, kind: Kind, names: dict[str, str]) -> None:
        for called, value in names.items():
            self._names[singular_words(called)] = (kind, value)

    def names_in(self, words: Sequence[str]) -> tuple[Named, ...]:
        """Return the names in *words* (plain), in order, the longest at each place."""
        known = [singular(word) for word in words]
        found: list[Named] = []
        start = 0
        while start < len(known):
            for end in range(min(len(known), start + _WORDS_PER_NAME_MAX), start, -1):
                name = self._names.get(tuple(known[start:end]))
                if name:
                    found.append(Named(*name, start, end))
                    start = end
                    break
            else:
                start += 1
        return tuple(found)

    def corrected(self, words: Sequence[str]) -> tuple[str, ...]:
        """Return *words* with those that are nearly the word of a name replaced by it."""
        left = _CORRECTED_MAX
        result: list[str] = []
        for word in words:
            near: list[str] = []
            if left and len(word) > 4 and word not in self._said:
                left -= 1
                near = difflib.get_close_matches(singular(word), self._alike[word[0]], n=1, cutoff=_LIKENESS_MIN)
            result.append(near[0] if near else word)
        return tuple(result)
