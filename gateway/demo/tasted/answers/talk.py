"""Hello, goodbye, help, and what was not understood."""

from __future__ import annotations

from gateway.demo.tasted.said import Said
from gateway.demo.tasted.visit import Visit

__all__ = ["cannot_see", "goodbye", "greet", "help_", "nothing", "thanks", "unknown"]

_FIRST = ("What can I cook with eggs?", "Something vegan in 20 minutes", "Spaghetti Carbonara")


def greet(visit: Visit) -> Said:
    """Answer a greeting; whoever left something on the stove is led back to it."""
    name = f", {visit.cook}" if visit.cook else ""
    recipe = visit.on_the_stove()
    if recipe:
        return visit.say(
            f"Hello{name}! You left {recipe.name} at step {visit.session.step} of {len(recipe.steps)}. Shall we go on?",
            next=("Go on", "Something else"),
        )
    return visit.say(
        f"Hello{name}! Tell me what is in your kitchen, what you feel like, or how little time you have.", next=_FIRST
    )


def help_(visit: Visit) -> Said:
    """Answer "what can you do?"."""
    count = len(visit.catalogue.recipes)
    timers = "and set timers that call you" if visit.rings else "and keep your place until you are back"
    return visit.say(
        f"I know {count} recipes. Tell me what you have or what you may eat; ask “how much flour?”, “for 6 people”, "
        f"“without butter?”; say “cook it”, and I go through the steps with you, {timers}.",
        next=_FIRST,
    )


def thanks(visit: Visit) -> Said:
    """Answer thanks."""
    return visit.say(visit.pick("With pleasure.", "You did the cooking."), next=("Next", "Something else"))


def goodbye(visit: Visit) -> Said:
    """Answer a goodbye; what is on the stove stays there."""
    recipe = visit.on_the_stove()
    kept = f" I keep your place in {recipe.name}." if recipe else ""
    return visit.say(f"{visit.pick('See you at the table.', 'Eat well!')}{kept}", end=True)


def nothing(visit: Visit) -> Said:
    """Answer silence."""
    return visit.say("I am listening. What is in your kitchen?", next=_FIRST)


def cannot_see(visit: Visit) -> Said:
    """Answer a picture."""
    return visit.say("I cannot look at pictures, only make some. Tell me what is on it.", next=_FIRST)


def unknown(visit: Visit) -> Said:
    """Answer what was not understood, with what may be said here."""
    recipe = visit.on_the_stove()
    if recipe:
        return visit.say(
            f"I did not get that. We are at step {visit.session.step} of {recipe.name}.",
            next=("Next", "Repeat", "Stop"),
        )
    return visit.say("I did not get that. Name a dish, or what you have at hand.", next=_FIRST)
