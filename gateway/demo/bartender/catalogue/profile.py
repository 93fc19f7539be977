"""How a drink tastes, worked out from what is in it: so that "sweeter" and "stronger" mean something."""

from __future__ import annotations

import msgspec

from gateway.demo.bartender.catalogue.drink import Drink
from gateway.demo.bartender.catalogue.measure import volume_ml
from gateway.demo.bartender.catalogue.shelf import Shelf

__all__ = ["Profile", "profile_of"]

#: Grams of sugar that one gram of acid, or one step of bitterness, hides from the tongue.
_ACID_HIDES = 5.0
_BITTER_HIDES = 5.0


class Profile(msgspec.Struct, frozen=True):
    """Figures before ice melts.  ``sweet`` is sugar as perceived, so it may be negative in a sour or bitter drink."""

    volume_ml: float
    alcohol_ml: float
    strong: float
    sweet: float
    sour: float
    bitter: float


def profile_of(drink: Drink, shelf: Shelf) -> Profile:
    """Return the profile of one glass of *drink*, with what is optional in it."""
    volume = alcohol = sugar = acid = bitter = 0.0
    for measure in drink.measures:
        part_ml = volume_ml(measure)
        known = shelf.ingredients[measure.ingredient]
        volume += part_ml
        alcohol += part_ml * known.abv / 100
        sugar += part_ml * known.sugar / 100
        acid += part_ml * known.acid / 100
        bitter += part_ml * known.bitter
    sour, bitter = 100 * acid / volume, bitter / volume
    return Profile(
        volume_ml=volume,
        alcohol_ml=alcohol,
        strong=100 * alcohol / volume,
        sweet=100 * sugar / volume - _ACID_HIDES * sour - _BITTER_HIDES * bitter,
        sour=sour,
        bitter=bitter,
    )
