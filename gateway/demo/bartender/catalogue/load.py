"""Reading the catalogue: TOML into values, checked once at the start.

A mistake in a file (an unknown ingredient, two drinks of one name) stops the start with a message that names the drink:
an assistant with half a catalogue would be wrong all evening.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.demo.bartender.catalogue.drink import Drink
from gateway.demo.bartender.catalogue.measure import parse_measure
from gateway.demo.bartender.catalogue.profile import Profile, profile_of
from gateway.demo.bartender.catalogue.shelf import Ingredient, Shelf

__all__ = ["FOLDER", "Catalogue", "load_catalogue"]

FOLDER = Path(__file__).parent
_SHELF_FILE = "ingredients.toml"


class _ShelfFile(msgspec.Struct, forbid_unknown_fields=True):
    family: dict[str, tuple[str, ...]]
    ingredient: dict[str, Ingredient]


class _DrinkEntry(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    ingredients: Annotated[tuple[str, ...], Meta(min_length=1)]
    method: str
    glass: str
    tags: tuple[str, ...]
    garnish: str = ""
    origin: str = ""
    story: str = ""
    aka: tuple[str, ...] = ()
    instead_of: tuple[str, ...] = ()


class _DrinksFile(msgspec.Struct, forbid_unknown_fields=True):
    drink: tuple[_DrinkEntry, ...]


class Catalogue:
    """All drinks, by slug, with what is worked out of them once."""

    def __init__(self, drinks: Iterable[Drink], shelf: Shelf) -> None:
        self.shelf = shelf
        self.drinks: dict[str, Drink] = {}
        for drink in drinks:
            if drink.slug in self.drinks:
                raise ValueError(f"{drink.name}: there are two drinks of this name")
            _check_ingredients(drink, shelf)
            self.drinks[drink.slug] = drink
        self.profiles: Mapping[str, Profile] = {
            slug: profile_of(drink, shelf) for slug, drink in self.drinks.items()
        }
        self.needs: Mapping[str, frozenset[str]] = {
            slug: frozenset(drink.needs) for slug, drink in self.drinks.items()
        }
        self.tags: Mapping[str, frozenset[str]] = {
            slug: frozenset(drink.tags) for slug, drink in self.drinks.items()
        }


def _check_ingredients(drink: Drink, shelf: Shelf) -> None:
    for measure in drink.measures:
        if measure.ingredient not in shelf.ingredients:
            near = difflib.get_close_matches(measure.ingredient, shelf.ingredients, n=1)
            hint = f", did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"{drink.name}: unknown ingredient {measure.ingredient!r}{hint}")


@cache
def load_catalogue(folder: Path = FOLDER) -> Catalogue:
    """Return the catalogue of *folder*; read once per process.

    :raises ValueError: a file says something that cannot be (:exc:`msgspec.ValidationError` included).
    """
    shelf_file = msgspec.convert(_toml(folder / _SHELF_FILE), _ShelfFile)
    shelf = Shelf(shelf_file.ingredient, shelf_file.family)
    drinks: list[Drink] = []
    for path in sorted(folder.glob("*.toml")):
        if path.name != _SHELF_FILE:
            drinks += map(_drink, msgspec.convert(_toml(path), _DrinksFile).drink)
    return Catalogue(drinks, shelf)


def _toml(path: Path) -> object:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _drink(entry: _DrinkEntry) -> Drink:
    try:
        measures = tuple(map(parse_measure, entry.ingredients))
    except ValueError as error:
        raise ValueError(f"{entry.name}: {error}") from error
    return Drink(
        name=entry.name,
        measures=measures,
        method=entry.method,
        glass=entry.glass,
        tags=entry.tags,
        garnish=entry.garnish,
        origin=entry.origin,
        story=entry.story,
        aka=entry.aka,
        instead_of=entry.instead_of,
    )
