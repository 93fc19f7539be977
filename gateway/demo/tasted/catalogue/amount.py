"""One line of a recipe: how much of what, for how many.

Written as a cook writes it, units singular: ``"200 g flour"``, ``"2 clove garlic"``, ``"3 egg"``, ``"10 g dill,
optional"``.
Where no unit stands, the thing itself is counted.
"""

from __future__ import annotations

import re

import msgspec

__all__ = ["UNITS", "Amount", "amount_text", "how_many", "parse_amount"]

#: What each unit is called when there are several, and how it is said.
UNITS: dict[str, tuple[str, str]] = {
    "g": ("g", "grams of"),
    "ml": ("ml", "millilitres of"),
    "tbsp": ("tbsp", "tablespoons of"),
    "tsp": ("tsp", "teaspoons of"),
    "clove": ("cloves of", "cloves of"),
    "pinch": ("pinches of", "pinches of"),
    "slice": ("slices of", "slices of"),
    "sprig": ("sprigs of", "sprigs of"),
    "stalk": ("stalks of", "stalks of"),
}
_LINE = re.compile(rf"(\d+(?:\.\d+)?) (?:({'|'.join(UNITS)}) )?([^,\d]+?)(, optional)?")
_FRACTIONS = ((0.25, "¼"), (1 / 3, "⅓"), (0.5, "½"), (2 / 3, "⅔"), (0.75, "¾"))
_SPOKEN = {"¼": "a quarter", "⅓": "a third", "½": "half", "⅔": "two thirds", "¾": "three quarters"}
#: A fraction is named if the amount is this close to it; what is smaller than half of the least is still the least.
_NEAR = 0.09
#: From so much on, grams are told in tens and millilitres too: nobody weighs 333 g of potatoes.
_ROUND_FROM = 100


class Amount(msgspec.Struct, frozen=True):
    """So much of an ingredient, for as many as the recipe serves."""

    number: float
    unit: str
    ingredient: str
    optional: bool = False


def parse_amount(line: str) -> Amount:
    """Return the amount that *line* of a recipe stands for.

    :raises ValueError: it is not of the form ``NUMBER [UNIT] INGREDIENT[, optional]``.
    """
    found = _LINE.fullmatch(line)
    if not found or not float(found[1]):
        raise ValueError(f"expected 'NUMBER [UNIT] INGREDIENT[, optional]', got {line!r}")
    return Amount(float(found[1]), found[2] or "", found[3], found[4] is not None)


def amount_text(amount: Amount, plural: str, factor: float = 1.0, *, spoken: bool = False) -> str:
    """Return *amount*, times *factor*, in words: ``400 g flour``, spoken ``400 grams of flour``."""
    number, unit = amount.number * factor, amount.unit
    if unit in ("g", "ml"):
        return _weighed(number, unit, plural, spoken)
    many, counted = _counted(number)
    if spoken:
        counted = _spoken(counted)
    if not unit:
        return f"{counted} {plural if many else amount.ingredient}"
    several, aloud = UNITS[unit]
    name = aloud if spoken else several
    if not many:
        name = name.replace("pinches", "pinch").replace("s of", " of").replace("spoons", "spoon")
    return f"{counted} {name} {plural}"


def how_many(number: float) -> str:
    """Return *number* as a cook writes it: ``2``, ``1½``."""
    return _counted(number)[1]


def _weighed(number: float, unit: str, plural: str, spoken: bool) -> str:
    if number >= _ROUND_FROM:
        number = round(number / 5) * 5
    if number >= 1_000:
        text, unit = f"{number / 1_000:.2f}".rstrip("0").rstrip("."), "kg" if unit == "g" else "l"
    else:
        text = f"{max(1, round(number))}"
    if not spoken:
        return f"{text} {unit} {plural}"
    said = {"g": "grams", "ml": "millilitres", "kg": "kilos", "l": "litres"}[unit]
    return f"{text} {said.removesuffix('s') if text == '1' else said} of {plural}"


def _counted(number: float) -> tuple[bool, str]:
    """Return whether *number* is several, and how it is written, to the nearest fraction that a kitchen knows."""
    whole = int(number)
    rest = number - whole
    if rest > 1 - _NEAR or whole >= 10:
        return round(number) > 1, str(round(number))
    if rest < _NEAR and whole:
        return whole > 1, str(whole)
    fraction = min(_FRACTIONS, key=lambda known: abs(known[0] - rest))[1]
    return whole >= 1, f"{whole or ''}{fraction}"


def _spoken(counted: str) -> str:
    whole, fraction = counted[:-1], counted[-1]
    if fraction not in _SPOKEN:
        return counted
    said = _SPOKEN[fraction]
    return f"{whole} and {'a half' if said == 'half' else said}" if whole else said
