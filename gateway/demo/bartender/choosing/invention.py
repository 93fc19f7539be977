"""Inventing a drink: a style for the guest's tastes, an ingredient for each of its parts, and a name.

What the guest may not or will not have is never taken; what they like and have is taken first; the seed decides
between equals, so the same turn invents the same drink again.
"""

from __future__ import annotations

import msgspec

from gateway.demo.bartender.catalogue.drink import Drink, slug_of
from gateway.demo.bartender.catalogue.load import Catalogue
from gateway.demo.bartender.catalogue.measure import Measure
from gateway.demo.bartender.choosing.ideas import ADJECTIVES, NOUNS, PARTS, STYLES, Slot, Style
from gateway.demo.bartender.choosing.wish import Wish
from gateway.demo.language.words import a, draw

__all__ = ["Invention", "invent"]

_SMOKY = frozenset({"mezcal", "Islay Scotch whisky"})
_SPICY = frozenset({"ginger beer", "cinnamon syrup", "falernum", "ginger ale"})


class Invention(msgspec.Struct, frozen=True):
    """A new drink, and how it came about: what the bartender mutters while making it.

    ``missed``: which of the wished-for groups of ingredients found no place in it, by their order.
    """

    drink: Drink
    told: tuple[str, ...]
    missed: tuple[int, ...] = ()


def invent(catalogue: Catalogue, wish: Wish, seed: str) -> Invention | None:
    """Return a drink for *wish* that is not in the catalogue, or None when too much is forbidden."""
    style = _style(wish, seed)
    picked: list[tuple[Slot, str]] = []
    for slot in style.slots:
        ingredient = _ingredient(catalogue, slot, wish, f"{seed}:{slot.part}")
        if ingredient is None:
            return None
        picked.append((slot, ingredient))
    name = _name(catalogue, seed)
    measures = tuple(
        msgspec.convert({"amount": slot.amount, "unit": slot.unit, "ingredient": ingredient}, Measure)
        for slot, ingredient in picked
    )
    ingredients = {ingredient for _, ingredient in picked}
    tags = (
        *style.tags,
        *(["smoky"] if ingredients & _SMOKY else []),
        *(["spicy"] if ingredients & _SPICY else []),
    )
    drink = Drink(
        name=name,
        measures=measures,
        method=style.method,
        glass=style.glass,
        tags=(*tags, "non-alcoholic") if style.alcohol_free else tags,
        origin="this very bar, a moment ago",
        story="Nobody has ever drunk it before you.",
    )
    missed = tuple(place for place, group in enumerate(wish.containing) if not group & ingredients)
    return Invention(drink, _told(style, picked, wish, name), missed)


def _style(wish: Wish, seed: str) -> Style:
    wanted = (wish.liked_tags | wish.tags) - wish.disliked_tags
    unwanted = wish.unwanted_tags | wish.disliked_tags
    styles = [
        style
        for style in STYLES
        if style.alcohol_free == wish.alcohol_free
        and not (any(slot.part == "cream" for slot in style.slots) and "cream" in wish.barred)
    ]

    def suits(style: Style) -> int:
        return (
            4
            * sum(
                any(group.intersection(PARTS[slot.part]) for slot in style.slots) for group in wish.containing
            )
            + 2 * len(wanted.intersection(style.tags))
            + (2 if "smoky" in wanted and style.name == "stirred drink" else 0)
            - 3 * len(unwanted.intersection(style.tags))
        )

    best = max(map(suits, styles))
    equals = [style for style in styles if suits(style) == best]
    return equals[draw(f"{seed}:style", len(equals))]


def _ingredient(catalogue: Catalogue, slot: Slot, wish: Wish, seed: str) -> str | None:
    options = [
        name
        for name in PARTS[slot.part]
        if name not in wish.barred and not (wish.alcohol_free and catalogue.shelf.alcoholic(name))
    ]
    if not options:
        return None

    def pull(name: str) -> int:
        tasty = ("smoky" in wish.liked_tags | wish.tags and name in _SMOKY) or (
            "spicy" in wish.liked_tags | wish.tags and name in _SPICY
        )
        wanted = any(name in group for group in wish.containing)
        return (
            8 * wanted
            + 4 * (wish.have is not None and name in wish.have - catalogue.shelf.pantry)
            + 2 * (name in wish.liked)
            + 3 * tasty
        )

    best = max(map(pull, options))
    equals = [name for name in options if pull(name) == best]
    return equals[draw(seed, len(equals))]


def _name(catalogue: Catalogue, seed: str) -> str:
    adjective = ADJECTIVES[draw(f"{seed}:adjective", len(ADJECTIVES))]
    for attempt in range(len(NOUNS)):
        name = f"{adjective} {NOUNS[(draw(f'{seed}:noun', len(NOUNS)) + attempt) % len(NOUNS)]}"
        if slug_of(name) not in catalogue.drinks:
            return name
    return f"{adjective} Nameless"


def _told(style: Style, picked: list[tuple[Slot, str]], wish: Wish, name: str) -> tuple[str, ...]:
    """Return the muttering, sentence by sentence."""
    told = ["Give me a moment, and don't look at my hands. "]
    if liked := sorted(wish.liked_tags | wish.tags):
        told.append(f"You like it {liked[0]}, so I am thinking of {a(style.name)}. ")
    else:
        told.append(f"I am in the mood for {a(style.name)}. ")
    first, *rest = [ingredient for _, ingredient in picked]
    told.append(f"{first[:1].upper()}{first[1:]} comes first{_remark(first, wish)}. ")
    told += [f"Then {ingredient}{_remark(ingredient, wish)}. " for ingredient in rest]
    told.append("Ice. A taste. A little longer. ")
    told.append(f"There. I call it the {name}. ")
    return tuple(told)


def _remark(ingredient: str, wish: Wish) -> str:
    if ingredient in wish.liked:
        return ", because you like it"
    if wish.have is not None and ingredient in wish.have:
        return ", which you have"
    return ""
