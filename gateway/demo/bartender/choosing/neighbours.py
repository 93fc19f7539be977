"""Drinks near to another one: sweeter, stronger, without what it needs, or without alcohol."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gateway.demo.bartender.catalogue.drink import Drink
from gateway.demo.bartender.catalogue.load import Catalogue
from gateway.demo.bartender.catalogue.profile import Profile
from gateway.demo.bartender.choosing.search import Match, allowed, fitting, taste_score
from gateway.demo.bartender.choosing.wish import Wish
from gateway.demo.bartender.hearing.intent import Direction

__all__ = ["OPPOSITE_TAG", "further", "nearest", "nearest_alcohol_free"]

#: Which figure a direction is about, which way is up, and by how much a drink must differ to be worth a mention.
_AXES: dict[Direction, tuple[Callable[[Profile], float], int, float]] = {
    "sweeter": (lambda profile: profile.sweet, 1, 1.5),
    "drier": (lambda profile: profile.sweet, -1, 1.5),
    "stronger": (lambda profile: profile.strong, 1, 2.0),
    "lighter": (lambda profile: profile.strong, -1, 2.0),
    "more sour": (lambda profile: profile.sour, 1, 0.2),
    "less sour": (lambda profile: profile.sour, -1, 0.2),
    "more bitter": (lambda profile: profile.bitter, 1, 0.2),
    "less bitter": (lambda profile: profile.bitter, -1, 0.2),
}
#: The taste that stands for a direction when there is no drink in hand to go on from.
OPPOSITE_TAG: dict[Direction, str] = {
    "sweeter": "sweet",
    "drier": "sour",
    "stronger": "strong",
    "lighter": "light",
    "more sour": "sour",
    "less sour": "sweet",
    "more bitter": "bitter",
    "less bitter": "sweet",
}


def further(
    catalogue: Catalogue, origin: Drink, direction: Direction, pool: Iterable[Match], profile: Profile
) -> Match | None:
    """Return the match of *pool* that lies in *direction* of *origin* (of this *profile*) and is most like it."""
    figure, sign, step = _AXES[direction]
    here = figure(profile)
    found = [
        match
        for match in pool
        if match.drink.slug != origin.slug
        and sign * (figure(catalogue.profiles[match.drink.slug]) - here) >= step
    ]
    return _most_like(origin, found)


def nearest(catalogue: Catalogue, origin: Drink, wish: Wish) -> Match | None:
    """Return the drink most like *origin* among those that fit *wish*."""
    return _most_like(
        origin, [match for match in fitting(catalogue, wish) if match.drink.slug != origin.slug]
    )


def nearest_alcohol_free(catalogue: Catalogue, origin: Drink, wish: Wish) -> Match | None:
    """Return the drink without alcohol that takes the place of *origin*: the one made for it, or the most like it."""
    for slug, drink in catalogue.drinks.items():
        if origin.name in drink.instead_of and allowed(catalogue, slug, wish):
            return Match(drink, taste_score(drink, wish))
    return nearest(catalogue, origin, wish)


def _most_like(origin: Drink, found: list[Match]) -> Match | None:
    needs, tags = frozenset(origin.needs), frozenset(origin.tags)
    return max(
        found,
        key=lambda match: (
            -len(match.missing),
            2 * len(needs.intersection(match.drink.needs)) + len(tags.intersection(match.drink.tags)),
            match.score,
            "classic" in match.drink.tags,
            match.drink.name,
        ),
        default=None,
    )
