"""Reading the recipes: TOML into values, checked once at the start.

A mistake in a file (an unknown ingredient, two recipes of one name) stops the start with a message that names the
recipe.
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

from gateway.demo.tasted.catalogue.amount import parse_amount
from gateway.demo.tasted.catalogue.larder import CONTAINS, DIETS, Ingredient, Larder
from gateway.demo.tasted.catalogue.recipe import TAGS, Picture, Recipe, parse_step

__all__ = ["FOLDER", "Catalogue", "load_catalogue"]

FOLDER = Path(__file__).parent
_LARDER_FILE = "ingredients.toml"


class _LarderFile(msgspec.Struct, forbid_unknown_fields=True):
    family: dict[str, tuple[str, ...]]
    ingredient: dict[str, Ingredient]


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=60)]
    serves: Annotated[int, Meta(ge=1, le=20)]
    minutes: Annotated[int, Meta(ge=1, le=600)]
    ingredients: Annotated[tuple[str, ...], Meta(min_length=1)]
    steps: Annotated[tuple[str, ...], Meta(min_length=1)]
    picture: Picture
    tags: tuple[str, ...]
    aka: tuple[str, ...] = ()


class _RecipesFile(msgspec.Struct, forbid_unknown_fields=True):
    recipe: tuple[_Entry, ...]


class Catalogue:
    """All recipes, by slug, with what is worked out of them once."""

    def __init__(self, recipes: Iterable[Recipe], larder: Larder) -> None:
        self.larder = larder
        self.recipes: dict[str, Recipe] = {}
        for recipe in recipes:
            if recipe.slug in self.recipes:
                raise ValueError(f"{recipe.name}: there are two recipes of this name")
            _check(recipe, larder)
            self.recipes[recipe.slug] = recipe
        self.needs: Mapping[str, frozenset[str]] = {
            slug: frozenset(recipe.needs) for slug, recipe in self.recipes.items()
        }
        #: Optional ingredients can be left out, so they decide no diet.
        self.diets: Mapping[str, tuple[str, ...]] = {
            slug: tuple(diet for diet, out in DIETS.items() if not larder.containing(out) & needs)
            for slug, needs in self.needs.items()
        }


def _check(recipe: Recipe, larder: Larder) -> None:
    for amount in recipe.amounts:
        if amount.ingredient not in larder.ingredients:
            near = difflib.get_close_matches(amount.ingredient, larder.ingredients, n=1)
            hint = f", did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"{recipe.name}: unknown ingredient {amount.ingredient!r}{hint}")
    if strange := set(recipe.tags).difference(TAGS):
        raise ValueError(f"{recipe.name}: unknown tag {min(strange)!r}; expected one of {', '.join(TAGS)}")


@cache
def load_catalogue(folder: Path = FOLDER) -> Catalogue:
    """Return the recipes of *folder*; read once per process.

    :raises ValueError: a file says something that cannot be (:exc:`msgspec.ValidationError` included).
    """
    larder_file = msgspec.convert(_toml(folder / _LARDER_FILE), _LarderFile)
    for name, ingredient in larder_file.ingredient.items():
        if strange := {*ingredient.contains, *ingredient.instead_contains} - CONTAINS:
            known = ", ".join(sorted(CONTAINS))
            raise ValueError(f"{name}: contains unknown {min(strange)!r}; expected some of {known}")
    larder = Larder(larder_file.ingredient, larder_file.family)
    recipes: list[Recipe] = []
    for path in sorted(folder.glob("*.toml")):
        if path.name != _LARDER_FILE:
            recipes += map(_recipe, msgspec.convert(_toml(path), _RecipesFile).recipe)
    return Catalogue(recipes, larder)


def _toml(path: Path) -> object:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _recipe(entry: _Entry) -> Recipe:
    try:
        amounts = tuple(map(parse_amount, entry.ingredients))
        steps = tuple(map(parse_step, entry.steps))
    except ValueError as error:
        raise ValueError(f"{entry.name}: {error}") from error
    return Recipe(entry.name, entry.serves, entry.minutes, amounts, steps, entry.picture, entry.tags, entry.aka)
