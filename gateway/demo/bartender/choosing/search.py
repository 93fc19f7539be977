"""Searching the catalogue: who fits the wish, what is missing, and in which order to offer."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from gateway.demo.bartender.catalogue.drink import Drink
from gateway.demo.bartender.catalogue.load import Catalogue
from gateway.demo.bartender.choosing.wish import Wish

__all__ = ["Match", "allowed", "fitting", "makeable", "taste_score"]

#: Ingredients that somebody may still have to fetch.
MISSING_MAX = 1
#: With fewer drinks than this within reach, those that miss one more are told too.
FEW = 3

_LIKED_TAG, _LIKED_INGREDIENT, _LIKED_DRINK, _DISLIKED_TAG = 2, 2, 3, -4


class Match(msgspec.Struct, frozen=True):
    """A drink that fits.

    ``missing``: what the guest does not have.  ``swaps``: (called for, taken in its place).  ``used``: how much of what
    the guest has it uses, the pantry not counted.
    """

    drink: Drink
    score: int = 0
    missing: tuple[str, ...] = ()
    swaps: tuple[tuple[str, str], ...] = ()
    used: int = 0


def allowed(catalogue: Catalogue, slug: str, wish: Wish) -> bool:
    """Whether *slug* breaks none of the exclusions of *wish*."""
    return not (
        slug in wish.barred_drinks
        or catalogue.needs[slug] & wish.barred
        or catalogue.tags[slug] & wish.unwanted_tags
        or (wish.alcohol_free and catalogue.profiles[slug].alcohol_ml > 0)
    )


def fitting(catalogue: Catalogue, wish: Wish) -> list[Match]:
    """Return the drinks that fit *wish*, whatever the guest has, the best first."""
    found = [Match(drink, taste_score(drink, wish)) for _, drink in _candidates(catalogue, wish)]
    found.sort(key=lambda match: (-match.score, "classic" not in match.drink.tags, match.drink.name))
    return found


def makeable(catalogue: Catalogue, wish: Wish) -> list[Match]:
    """Return what can be made of what the guest has, or nearly, the best first."""
    have = wish.have or catalogue.shelf.pantry
    found = [
        match
        for slug, drink in _candidates(catalogue, wish)
        if (match := _made_of(catalogue, slug, drink, have, wish))
    ]
    found.sort(
        key=lambda match: (
            len(match.missing),
            len(match.swaps),
            -match.used,
            -match.score,
            "classic" not in match.drink.tags,
            match.drink.name,
        )
    )
    near = [match for match in found if len(match.missing) <= MISSING_MAX]
    return near if len(near) >= FEW else found


def taste_score(drink: Drink, wish: Wish) -> int:
    """Return how well *drink* suits the guest's remembered tastes."""
    tags = wish.liked_tags.intersection(drink.tags)
    liked = wish.liked.intersection(drink.needs)
    return (
        _LIKED_TAG * len(tags)
        + _LIKED_INGREDIENT * len(liked)
        + _LIKED_DRINK * (drink.slug in wish.liked)
        + _DISLIKED_TAG * len(wish.disliked_tags.intersection(drink.tags))
    )


def _candidates(catalogue: Catalogue, wish: Wish) -> Iterator[tuple[str, Drink]]:
    for slug, drink in catalogue.drinks.items():
        if (
            allowed(catalogue, slug, wish)
            and wish.tags <= catalogue.tags[slug]
            and all(group & catalogue.needs[slug] for group in wish.containing)
        ):
            yield slug, drink


def _made_of(catalogue: Catalogue, slug: str, drink: Drink, have: frozenset[str], wish: Wish) -> Match | None:
    needs = catalogue.needs[slug]
    pantry = catalogue.shelf.pantry
    used = len((needs & have) - pantry)
    if not used:
        return None
    missing: list[str] = []
    swaps: list[tuple[str, str]] = []
    for ingredient in needs - have:
        stand_in = _stand_in(catalogue, ingredient, have - pantry - needs, wish)
        if stand_in:
            swaps.append((ingredient, stand_in))
        else:
            missing.append(ingredient)
    # Two exchanges, or two things to fetch, and it is another drink or another day.
    if len(missing) > MISSING_MAX + 1 or len(swaps) > 1 or len(missing) + len(swaps) >= used + 1:
        return None
    return Match(drink, taste_score(drink, wish), tuple(sorted(missing)), tuple(swaps), used + len(swaps))


def _stand_in(catalogue: Catalogue, ingredient: str, spare: frozenset[str], wish: Wish) -> str | None:
    options = catalogue.shelf.ingredients[ingredient].instead
    return next((name for name in options if name in spare and name not in wish.barred), None)
