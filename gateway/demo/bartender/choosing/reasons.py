"""Why this drink?  The same facts that chose it, in words."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.demo.bartender.catalogue.drink import Drink
from gateway.demo.bartender.catalogue.load import Catalogue
from gateway.demo.bartender.choosing.wish import Wish
from gateway.demo.bartender.session import Session
from gateway.demo.language.words import joined

__all__ = ["reasons_for"]


def reasons_for(drink: Drink, session: Session, wish: Wish, catalogue: Catalogue) -> list[str]:
    """Return what speaks for *drink*, each as "you ..." or "it ...", the weightiest first."""
    reasons = [*_how_chosen(session), *_asked_for(drink, session, wish, catalogue), *_liked(drink, wish)]
    if not reasons and "classic" in drink.tags:
        return ["it is a classic, and classics have had time to prove themselves"]
    return reasons


def _how_chosen(session: Session) -> Iterator[str]:
    how, _, other = session.because.partition(":")
    match how:
        case "":
            return
        case "surprise":
            yield "you wanted to be surprised, and I like the look on people's faces"
        case "named":
            yield "you asked for it by name"
        case "invented":
            yield "you asked me to invent one"
        case "instead":
            yield f"it comes closest to the {other}"
        case direction if other:
            yield f"it is {direction} than the {other}"


def _asked_for(drink: Drink, session: Session, wish: Wish, catalogue: Catalogue) -> Iterator[str]:
    shelf, needs = catalogue.shelf, frozenset(drink.needs)
    # Counted in what the guest named, so that a whole family on the shelf is one thing.
    if used := [name for name in session.have if shelf.members(name) & needs]:
        yield f"you have {joined(used)}"
    if wanted := [name for name in session.containing if shelf.members(name) & needs]:
        yield f"you wanted it with {joined(wanted)}"
    if asked := [tag for tag in session.tags if tag in drink.tags]:
        yield f"you asked for something {joined(asked)}"
    if session.without:
        yield f"it does without {joined(session.without, 'or')}"
    if wish.alcohol_free and not any(map(shelf.alcoholic, needs)):
        yield "there is no alcohol in it"


def _liked(drink: Drink, wish: Wish) -> Iterator[str]:
    if tags := sorted(wish.liked_tags.intersection(drink.tags)):
        yield f"you like {joined(tags)} drinks"
    if favourites := sorted(wish.liked.intersection(drink.needs)):
        yield f"you told me that you like {joined(favourites)}"
