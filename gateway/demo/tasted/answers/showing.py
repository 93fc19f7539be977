"""Recipes and steps as cards and lists, and the same for the ear."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.demo.language.words import capital, joined
from gateway.demo.tasted.catalogue.recipe import Recipe, Step
from gateway.demo.tasted.choosing.search import Match
from gateway.demo.tasted.hearing.spans import span_text
from gateway.demo.tasted.session import HEARD_MAX
from gateway.demo.tasted.visit import Visit
from gateway.demo.wire import Button, Card, Item, List

__all__ = ["facts", "list_of", "list_spoken", "recipe_card", "step_card", "step_text"]

_DOING = {
    "bake": "in the oven",
    "boil": "in the pot",
    "cut": "on the board, being cut",
    "fry": "in the pan",
    "knead": "being kneaded",
    "mix": "being mixed in a bowl",
    "rest": "waiting, with a clock beside it",
}


def recipe_card(visit: Visit, recipe: Recipe) -> Card:
    """Return the recipe with its picture: what it takes, for as many as it is wanted for."""
    amounts = visit.amounts(recipe)
    optional = {one.ingredient for one in recipe.amounts if one.optional}
    lines = [f"• {text}{' (if you like)' if name in optional else ''}" for name, text in amounts.items()]
    return Card(
        title=recipe.name,
        subtitle=facts(visit, recipe),
        text="\n".join(lines),
        image=visit.image(recipe.slug, f"{recipe.name}, ready to be served"),
        buttons=(Button("Cook it", f"cook:{recipe.slug}"), Button("Favourite", f"favourite:{recipe.slug}")),
    )


def facts(visit: Visit, recipe: Recipe) -> str:
    """Return for how many, how long, and for whom."""
    diets = visit.catalogue.diets[recipe.slug]
    shown = [diet for diet in ("vegan", "vegetarian", "gluten-free") if diet in diets]
    if "vegan" in shown:
        shown.remove("vegetarian")
    return " · ".join((f"for {visit.serves(recipe)}", span_text(recipe.minutes * 60), *shown))


def step_card(visit: Visit, recipe: Recipe, number: int) -> Card:
    """Return step *number* (from 1) with its picture, and controls that lead on from exactly there."""
    step = recipe.steps[number - 1]
    buttons: list[Button] = []
    if step.timer_s and visit.rings:
        buttons.append(Button("Set the timer", f"timer:{recipe.slug}:{number}"))
    # By its number, so that a tap that comes twice, or late, leads nowhere else.
    if number < len(recipe.steps):
        buttons.append(Button("Next", f"step:{recipe.slug}:{number + 1}"))
    else:
        buttons.append(Button("Done", f"done:{recipe.slug}"))
    if number > 1:
        buttons.append(Button("Back", f"step:{recipe.slug}:{number - 1}"))
    alt = f"{recipe.name}, {_DOING[step.technique]}" if step.technique else ""
    return Card(
        title=f"Step {number} of {len(recipe.steps)}",
        subtitle=recipe.name,
        text=step_text(step),
        image=visit.image(f"{step.technique}-{recipe.slug}" if alt else recipe.slug, alt or recipe.name),
        buttons=tuple(buttons),
    )


def step_text(step: Step) -> str:
    """Return what is done in *step*, and how long it takes by itself."""
    return f"{step.text} ({span_text(step.timer_s)})" if step.timer_s else step.text


def list_of(visit: Visit, matches: Sequence[Match]) -> List:
    """Return *matches* as a numbered list; what is missing stands with each."""
    return List(
        items=tuple(
            Item(match.recipe.name, text=_about(visit, match), value=f"show:{match.recipe.slug}") for match in matches
        ),
        numbered=True,
    )


def list_spoken(matches: Sequence[Match]) -> str:
    """Return the names of *matches* for the ear, or of the first."""
    names = joined([match.recipe.name for match in matches[:HEARD_MAX]], "or")
    return f"{capital(names)}." if len(matches) <= HEARD_MAX else f"The first are {names}."


def _about(visit: Visit, match: Match) -> str:
    called = visit.catalogue.larder.called
    time = span_text(match.recipe.minutes * 60)
    return f"{time}; you would need {joined([called(name) for name in match.missing])}" if match.missing else time
