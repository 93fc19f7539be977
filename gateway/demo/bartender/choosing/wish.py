"""Everything that decides which drinks come into question, gathered from the conversation and the guest's tastes."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from gateway.demo.bartender.catalogue.drink import TAGS
from gateway.demo.bartender.catalogue.shelf import ALLERGENS, Shelf
from gateway.demo.bartender.session import Session
from gateway.demo.bartender.tastes import Tastes

__all__ = ["Wish", "avoided", "wish_of"]

#: What each diet forbids, in the shelf's words for what an ingredient contains.
_DIETS: dict[str, tuple[str, ...]] = {
    "vegan": ("egg", "milk", "honey", "fish"),
    "vegetarian": ("fish",),
}


class Wish(msgspec.Struct, frozen=True):
    """A question to the catalogue.  Ingredients are expanded: "rum" has become every rum."""

    #: Nothing is said about the shelf where this is None.
    have: frozenset[str] | None = None
    #: Of each group the drink must contain one.
    containing: tuple[frozenset[str], ...] = ()
    tags: frozenset[str] = frozenset()
    unwanted_tags: frozenset[str] = frozenset()
    barred: frozenset[str] = frozenset()
    barred_drinks: frozenset[str] = frozenset()
    alcohol_free: bool = False
    liked: frozenset[str] = frozenset()
    liked_tags: frozenset[str] = frozenset()
    disliked_tags: frozenset[str] = frozenset()


def wish_of(session: Session, tastes: Tastes, shelf: Shelf, *, skip: Iterable[str] = ()) -> Wish:
    """Return what *session* and *tastes* ask for, leaving out the drinks of *skip*."""
    disliked_tags = _tags(tastes.dislikes)
    return Wish(
        have=shelf.expand(session.have) | shelf.pantry if session.have else None,
        containing=tuple(shelf.members(name) for name in session.containing),
        tags=frozenset(session.tags),
        unwanted_tags=_tags(session.without),
        # What the guest asks for by name outranks an old dislike, but never an allergy.
        barred=(shelf.expand((*tastes.dislikes, *session.without)) - shelf.expand(session.containing))
        | avoided(tastes, shelf),
        barred_drinks=frozenset((*tastes.passed, *tastes.dislikes, *skip)),
        alcohol_free=session.alcohol_free or tastes.alcohol_free,
        liked=shelf.expand(tastes.likes) | frozenset(tastes.likes),
        liked_tags=_tags(tastes.likes),
        disliked_tags=disliked_tags,
    )


def avoided(tastes: Tastes, shelf: Shelf) -> frozenset[str]:
    """Return the ingredients that must never be served to a guest of these *tastes*."""
    forbidden: set[str] = set()
    for name in tastes.avoids:
        if name in ALLERGENS or name in _DIETS:
            for allergen in _DIETS.get(name, (name,)):
                forbidden |= shelf.containing(allergen)
        forbidden |= shelf.members(name)
    return frozenset(forbidden)


def _tags(names: Iterable[str]) -> frozenset[str]:
    return frozenset(names).intersection(TAGS)
