"""Drinks as cards and lists, and the same for the ear."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gateway.demo.bartender.catalogue.drink import Drink
from gateway.demo.bartender.catalogue.measure import Measure, amount_text, volume_ml
from gateway.demo.bartender.choosing.search import Match
from gateway.demo.bartender.session import HEARD_MAX
from gateway.demo.bartender.visit import Visit
from gateway.demo.language.words import capital, joined
from gateway.demo.wire import Button, Card, Item, List

__all__ = [
    "brief_card",
    "brief_spoken",
    "list_of",
    "list_spoken",
    "needs_text",
    "recipe_card",
    "recipe_spoken",
]

#: From so many glasses on, a jug is the better shaker.
JUG_GLASSES_MIN = 4
#: What melting ice would have added, in parts of the whole.
_JUG_WATER = 0.25


def brief_card(slug: str, drink: Drink) -> Card:
    """Return *drink* as a suggestion: what it is, and what to do about it."""
    text = f"{capital(joined(drink.needs))}."
    return Card(
        title=drink.name,
        subtitle=_subtitle(drink),
        text=f"{drink.story}\n{text}" if drink.story else text,
        buttons=(
            Button("Make it", f"make:{slug}"),
            Button("Another", f"another:{slug}"),
            Button("Not for me", f"reject:{slug}"),
        ),
    )


def brief_spoken(drink: Drink) -> str:
    """Return what a voice says of a suggestion."""
    return f"The {drink.name}: {joined(drink.needs)}. {drink.story}".strip()


def recipe_card(
    visit: Visit, slug: str, drink: Drink, *, glasses: int, leave_out: Collection[str] = ()
) -> Card:
    """Return the whole recipe of *drink* for so many *glasses*, without what is optional and left out."""
    units = visit.tastes.units
    lines = [f"• {_line(measure, glasses, units)}" for measure in _taken(drink, leave_out)]
    served = f"Served in a {drink.glass} glass" if "mug" not in drink.glass else f"Served in a {drink.glass}"
    if drink.glass in ("julep cup", "pint"):
        served = f"Served in a {drink.glass}"
    steps = [drink.method, f"{served}{f', with {drink.garnish}' if drink.garnish else ''}."]
    if glasses >= JUG_GLASSES_MIN:
        steps.append(_jug(visit, drink, glasses))
    buttons = [Button("Another", f"another:{slug}"), Button("Not for me", f"reject:{slug}")]
    if glasses < JUG_GLASSES_MIN:
        buttons.insert(1, Button("For four", f"serve:{slug}:4"))
    else:
        buttons.insert(1, Button("Just one", f"serve:{slug}:1"))
    return Card(
        title=drink.name if glasses == 1 else f"{drink.name} for {glasses}",
        subtitle=_subtitle(drink),
        text="\n".join([*lines, "", *steps]),
        buttons=tuple(buttons),
    )


def recipe_spoken(visit: Visit, drink: Drink, *, glasses: int, leave_out: Collection[str] = ()) -> str:
    """Return the recipe for the ear."""
    measures = _taken(drink, leave_out)
    amounts = [amount_text(measure, glasses, visit.tastes.units, spoken=True) for measure in measures]
    return f"You need {joined(amounts)}. {drink.method}"


def list_of(matches: Sequence[Match], title: str) -> List:
    """Return *matches* as a numbered list; what is missing stands with each."""
    return List(
        items=tuple(
            Item(match.drink.name, text=needs_text(match), value=f"show:{match.drink.slug}")
            for match in matches
        ),
        title=title,
        numbered=True,
    )


def list_spoken(matches: Sequence[Match]) -> str:
    """Return the names of *matches* for the ear, or of the first."""
    names = joined([f"the {match.drink.name}" for match in matches[:HEARD_MAX]])
    return f"{capital(names)}." if len(matches) <= HEARD_MAX else f"The first are {names}."


def needs_text(match: Match) -> str:
    """Return what stands under a drink in a list."""
    ingredients = capital(joined(match.drink.needs))
    notes = [f"with {used} instead of {wanted}" for wanted, used in match.swaps]
    if match.missing:
        notes.append(f"you would need {joined(match.missing)}")
    return f"{ingredients} ({'; '.join(notes)})" if notes else ingredients


def _subtitle(drink: Drink) -> str:
    tags = ", ".join(tag for tag in drink.tags if tag != "classic")
    return " · ".join(filter(None, (tags, drink.origin)))


def _taken(drink: Drink, leave_out: Collection[str]) -> list[Measure]:
    return [m for m in drink.measures if not (m.optional and m.ingredient in leave_out)]


def _line(measure: Measure, glasses: int, units: str) -> str:
    text = amount_text(measure, glasses, "oz" if units == "oz" else "ml")
    return f"{text} (if you like)" if measure.optional else text


def _jug(visit: Visit, drink: Drink, glasses: int) -> str:
    shelf = visit.catalogue.shelf.ingredients
    if "hot" in drink.tags:
        return "For so many, warm it all in one pot, and keep it below the boil."
    still_ml = sum(volume_ml(m) for m in drink.measures if not shelf[m.ingredient].fizzy) * glasses
    bubbles = any(shelf[measure.ingredient].fizzy for measure in drink.measures)
    water = amount_text(Measure(round(still_ml * _JUG_WATER, -1), "ml", "cold water"), 1, visit.tastes.units)
    last = "; the bubbles go in last" if bubbles else ""
    return (
        f"For so many, mix it in a jug with {water} in place of the shaken ice, and pour it over ice{last}."
    )
