"""One line of a recipe: how much of what.

Written in the catalogue as a bartender writes it: ``"30 ml gin"``, ``"8 leaf mint"``, ``"20 ml egg white, optional"``.
The unit is a word of :data:`UNITS`, always singular; the ingredient is a name of the shelf.
"""

from __future__ import annotations

import math
import re
from typing import Literal, get_args

import msgspec

__all__ = ["ML_PER_OUNCE", "UNITS", "Measure", "Units", "amount_text", "parse_measure", "volume_ml"]

Units = Literal["ml", "oz"]
Unit = Literal["ml", "g", "dash", "drop", "leaf", "slice", "piece", "pinch", "pod", "stick", "whole"]

#: What each unit is called when there are several, and what it brings to the glass in millilitres.
UNITS: dict[str, tuple[str, float]] = {
    "ml": ("ml", 1.0),
    "g": ("g", 1.0),
    "dash": ("dashes", 0.9),
    "drop": ("drops", 0.05),
    "leaf": ("leaves", 0.0),
    "slice": ("slices", 0.0),
    "piece": ("pieces", 0.0),
    "pinch": ("pinches", 0.0),
    "pod": ("pods", 0.0),
    "stick": ("sticks", 0.0),
    "whole": ("", 30.0),
}
#: Bartenders' ounce: recipes are written in thirds of it, and the true 29.57 would turn every figure crooked.
ML_PER_OUNCE = 30

_LINE = re.compile(r"(?P<amount>\d+(?:\.\d+)?) (?P<unit>[a-z]+) (?P<ingredient>.+?)(?P<optional>, optional)?")
_QUARTERS = {0: "", 1: "¼", 2: "½", 3: "¾"}
#: Units whose thing is named before them: "8 mint leaves", but "2 dashes of absinthe".
_AFTER = frozenset({"leaf", "pod", "stick"})


class Measure(msgspec.Struct, frozen=True):
    """So much of an ingredient, for one glass."""

    amount: float
    unit: Unit
    ingredient: str
    optional: bool = False


def parse_measure(line: str) -> Measure:
    """Return the measure that *line* of the catalogue stands for.

    :raises ValueError: it is not of the form ``AMOUNT UNIT INGREDIENT[, optional]``.
    """
    found = _LINE.fullmatch(line)
    if not found or found["unit"] not in get_args(Unit) or not float(found["amount"]):
        raise ValueError(f"expected 'AMOUNT UNIT INGREDIENT[, optional]', got {line!r}")
    unit: Unit = msgspec.convert(found["unit"], Unit)
    return Measure(float(found["amount"]), unit, found["ingredient"], found["optional"] is not None)


def volume_ml(measure: Measure) -> float:
    """Return what *measure* adds to the volume of the glass, before ice."""
    return measure.amount * UNITS[measure.unit][1]


def amount_text(measure: Measure, glasses: int = 1, units: Units = "ml", *, spoken: bool = False) -> str:
    """Return *measure* for so many *glasses* in words: ``60 ml gin``, spoken ``60 millilitres of gin``."""
    amount = measure.amount * glasses
    name = measure.ingredient
    if measure.unit == "ml":
        return _liquid(amount, name, units, spoken)
    if measure.unit == "g":
        return f"{amount:.0f} grams of {name}" if spoken else f"{amount:.0f} g {name}"
    count = math.ceil(amount)
    plural = count > 1
    if measure.unit in ("whole", "piece"):
        return f"{count} {name}s" if plural else f"1 {name}"
    unit = UNITS[measure.unit][0] if plural else measure.unit
    return f"{count} {name} {unit}" if measure.unit in _AFTER else f"{count} {unit} of {name}"


def _liquid(amount_ml: float, name: str, units: Units, spoken: bool) -> str:
    joint = " of " if spoken else " "
    if units == "oz":
        ounces = _quarters(amount_ml / ML_PER_OUNCE)
        return f"{ounces} {'ounces' if spoken else 'oz'}{joint}{name}" if ounces else f"a splash of {name}"
    if amount_ml >= 1_000:
        return f"{amount_ml / 1_000:.1f} {'litres' if spoken else 'l'}{joint}{name}"
    return f"{amount_ml:.0f} {'millilitres' if spoken else 'ml'}{joint}{name}"


def _quarters(value: float) -> str:
    """Return *value* to the nearest quarter (``1½``); empty where that is nothing."""
    whole, quarters = divmod(round(value * 4), 4)
    return f"{whole or ''}{_QUARTERS[quarters]}"
