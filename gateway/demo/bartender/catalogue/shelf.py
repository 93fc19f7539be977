"""The shelf: every ingredient that a drink may name, with its family, its other names and what can stand in for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

__all__ = ["ALLERGENS", "Ingredient", "Shelf"]

#: What an ingredient can contain that somebody must avoid.
ALLERGENS = frozenset({"egg", "milk", "nuts", "gluten", "fish", "honey"})


class Ingredient(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One bottle, fruit or spice.  Figures: % by volume, grams per 100 ml, bitterness from 0 to 3."""

    abv: float = 0.0
    sugar: float = 0.0
    acid: float = 0.0
    bitter: int = 0
    of: str = ""
    aka: tuple[str, ...] = ()
    instead: tuple[str, ...] = ()
    contains: tuple[str, ...] = ()
    fizzy: bool = False
    #: In every kitchen: never reported as missing.
    pantry: bool = False


class Shelf:
    """The known ingredients.  A family ("rum") stands for all of its members wherever a guest names it."""

    def __init__(
        self, ingredients: Mapping[str, Ingredient], families: Mapping[str, tuple[str, ...]]
    ) -> None:
        self.ingredients = dict(ingredients)
        self.families = dict(families)
        self.pantry = frozenset(name for name, known in self.ingredients.items() if known.pantry)
        self._members: dict[str, frozenset[str]] = {name: frozenset({name}) for name in self.ingredients}
        for family in self.families:
            members = {name for name, known in self.ingredients.items() if known.of == family}
            self._members[family] = self._members.get(family, frozenset()) | members
        self._join("whiskey", "scotch")
        self._join("wine", "sparkling wine")
        self._join("wine", "port")
        self._join("egg", "egg white")

    def _join(self, family: str, part: str) -> None:
        """Let *part*, a family or an ingredient, count as *family* too."""
        self._members[family] = self._members.get(family, frozenset()) | self._members.get(part, frozenset())

    def knows(self, name: str) -> bool:
        """Whether *name* is an ingredient or a family."""
        return name in self._members

    def members(self, name: str) -> frozenset[str]:
        """Return the ingredients that *name* stands for: itself, or its family's members."""
        return self._members.get(name, frozenset())

    def expand(self, names: Iterable[str]) -> frozenset[str]:
        """Return all ingredients that any of *names* stands for."""
        found: set[str] = set()
        for name in names:
            found |= self.members(name)
        return frozenset(found)

    def containing(self, allergen: str) -> frozenset[str]:
        """Return the ingredients that contain *allergen*."""
        return frozenset(name for name, known in self.ingredients.items() if allergen in known.contains)

    def alcoholic(self, name: str) -> bool:
        """Whether ingredient *name* has alcohol in it."""
        return self.ingredients[name].abv > 0
