"""What recipes are made of: families, other names, and what some people must or will not eat.

A recipe's diets are worked out from its ingredients, so that no recipe can claim to be what it is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

__all__ = ["CONTAINS", "DIETS", "Ingredient", "Larder"]

#: What an ingredient can contain.  "rennet": a cheese that is made with that of calves.
CONTAINS = frozenset(
    {
        "meat", "pork", "fish", "shellfish", "milk", "rennet", "egg", "honey", "gluten", "nuts", "sesame", "soy",
        "celery", "mustard", "alcohol",
    }
)  # fmt: skip
#: What each diet leaves out.
DIETS: Mapping[str, frozenset[str]] = {
    "vegan": frozenset({"meat", "fish", "shellfish", "milk", "rennet", "egg", "honey"}),
    "vegetarian": frozenset({"meat", "fish", "shellfish", "rennet"}),
    "pescatarian": frozenset({"meat"}),
    "gluten-free": frozenset({"gluten"}),
    "dairy-free": frozenset({"milk"}),
    "egg-free": frozenset({"egg"}),
    "nut-free": frozenset({"nuts"}),
}


_WORD = re.compile(r"\w+")


class Ingredient(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing in the larder."""

    contains: tuple[str, ...] = ()
    of: tuple[str, ...] = ()
    aka: tuple[str, ...] = ()
    plural: str = ""
    #: In every kitchen: never reported as missing.
    pantry: bool = False
    #: What may take its place, as it is said to the cook.
    instead: str = ""
    #: What that contains.
    instead_contains: tuple[str, ...] = ()


class Larder:
    """The known ingredients.  A family ("pasta") stands for all of its members wherever a cook names it."""

    def __init__(self, ingredients: Mapping[str, Ingredient], families: Mapping[str, tuple[str, ...]]) -> None:
        self.ingredients = dict(ingredients)
        self.families = dict(families)
        self.pantry = frozenset(name for name, known in self.ingredients.items() if known.pantry)
        self._members: dict[str, frozenset[str]] = {name: frozenset({name}) for name in self.ingredients}
        for family in self.families:
            self._members.setdefault(family, frozenset())
        for name, known in self.ingredients.items():
            for whole in known.of:
                # Of a family, or of an ingredient: "tomato" is any tomato.
                self._members[whole] = self._members.get(whole, frozenset()) | {name}

    def members(self, name: str) -> frozenset[str]:
        """Return the ingredients that *name* stands for; none where it is unknown."""
        return self._members.get(name, frozenset())

    def expand(self, names: Iterable[str]) -> frozenset[str]:
        """Return all ingredients that any of *names* stands for."""
        return frozenset().union(*(self.members(name) for name in names))

    def containing(self, what: Iterable[str]) -> frozenset[str]:
        """Return the ingredients that contain any of *what*."""
        wanted = frozenset(what)
        return frozenset(name for name, known in self.ingredients.items() if wanted.intersection(known.contains))

    def forbidden(self, avoided: Iterable[str]) -> frozenset[str]:
        """Return the ingredients that somebody must not eat who avoids diets, contents or ingredients of *avoided*."""
        names: set[str] = set()
        for one in avoided:
            names |= self.containing(DIETS.get(one, (one,))) | self.members(one)
        return frozenset(names)

    def substitute(self, name: str, avoided: Iterable[str]) -> str:
        """Return what may take the place of the ingredient *name* for somebody who avoids *avoided*; empty: nothing.

        Bacon does for pancetta, but not where there must be no pork.
        """
        known, out = self.ingredients[name], set(avoided)
        families = {word for family in out & self.families.keys() for word in (family, *self.families[family])}
        contents = out.union(*(DIETS.get(one, ()) for one in out))
        if contents.intersection(known.instead_contains) or families.intersection(_WORD.findall(known.instead)):
            return ""
        return known.instead

    def plural(self, name: str) -> str:
        """Return what several of *name* are called."""
        return self.ingredients[name].plural or f"{name}s"

    def called(self, name: str) -> str:
        """Return how *name* is spoken of: an ingredient by its plural, anything else as it is."""
        return self.plural(name) if name in self.ingredients else name
