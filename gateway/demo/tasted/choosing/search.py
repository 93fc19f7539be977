"""Searching the recipes: what fits, what is missing, and in which order to offer it.  Pure."""

from __future__ import annotations

import msgspec

from gateway.demo.tasted.catalogue.load import Catalogue
from gateway.demo.tasted.catalogue.recipe import Recipe
from gateway.demo.tasted.session import Session
from gateway.demo.tasted.tastes import Tastes

__all__ = ["Match", "fitting", "forbidden_to"]

#: Of what a recipe needs, pantry aside, so many may still have to be fetched when it is told what is at hand.
_MISSING_MAX = 3
#: With fewer recipes than this within reach, all that use something of what is at hand are told.
_FEW = 3


class Match(msgspec.Struct, frozen=True):
    """A recipe that fits.  ``missing``: what the cook does not have, where it was said what there is."""

    recipe: Recipe
    missing: tuple[str, ...] = ()
    used: int = 0


def fitting(
    catalogue: Catalogue, session: Session, tastes: Tastes, *, skip: frozenset[str] = frozenset()
) -> list[Match]:
    """Return the recipes that *session* asks for and that somebody of *tastes* may eat, the best first."""
    larder = catalogue.larder
    have = larder.expand(session.have) | larder.pantry if session.have else frozenset[str]()
    barred = larder.forbidden((*tastes.avoids, *session.diets, *session.without))
    groups = [larder.members(name) or larder.containing((name,)) for name in session.containing]
    found: list[Match] = []
    for slug, recipe in catalogue.recipes.items():
        needs = catalogue.needs[slug]
        if (
            slug in skip
            or needs & barred
            or not frozenset(session.tags).issubset(recipe.tags)
            or (session.minutes and recipe.minutes > session.minutes)
            or not all(group & needs for group in groups)
        ):
            continue
        used = sum(1 for name in session.have if larder.members(name) & needs)
        missing = tuple(name for name in recipe.needs if name not in have) if have else ()
        if used or not have:
            found.append(Match(recipe, missing, used))
    found.sort(key=lambda match: _rank(match, tastes))
    near = [match for match in found if len(match.missing) <= max(_MISSING_MAX, 2 * match.used)]
    return near if len(near) >= _FEW else found


def _rank(match: Match, tastes: Tastes) -> tuple[int, int, int, int, str]:
    """Return what decides the order: what little is missing, favourites, what was not cooked lately, what is quick."""
    slug = match.recipe.slug
    return (
        # Each thing that is used weighs as much as one that is missing: the cook wants it gone.
        len(match.missing) - match.used,
        slug not in tastes.favourites,
        slug in tastes.cooked,
        match.recipe.minutes,
        match.recipe.name,
    )


def forbidden_to(recipe: Recipe, tastes: Tastes, catalogue: Catalogue) -> list[str]:
    """Return what is in *recipe* that somebody of *tastes* must not eat, as the recipe calls it."""
    out = catalogue.larder.forbidden(tastes.avoids)
    return [name for name in recipe.needs if name in out]
