"""Hello, goodbye, yes and no, help, and what was not understood."""

from __future__ import annotations

from gateway.demo.tasted.answers.cook_self import favourite
from gateway.demo.tasted.answers.cooking import next_step
from gateway.demo.tasted.answers.find import another
from gateway.demo.tasted.answers.recipes import which_recipe
from gateway.demo.tasted.said import Said
from gateway.demo.tasted.visit import Visit

__all__ = ["cannot_see", "goodbye", "greet", "help_", "insult", "no", "nothing", "thanks", "unknown", "yes"]

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
    going_on = "Next" if visit.on_the_stove() else "My favourites"
    text = visit.pick("With pleasure.", "You did the cooking.")
    return visit.say(text, next=(going_on, "Something else"))


def yes(visit: Visit) -> Said:
    """Answer a bare "yes", by what it is said to."""
    if visit.just_done:
        # That is what it was asked for.
        return favourite(visit)
    if visit.on_the_stove() or visit.meant():
        return next_step(visit)
    if visit.session.results:
        return which_recipe(visit)
    return visit.say("Good! To what, though? Name a dish, or what you have at hand.", next=_FIRST)


def no(visit: Visit) -> Said:
    """Answer a bare "no": to what is offered it means "something else"."""
    recipe = visit.on_the_stove()
    if recipe:
        text = f"No hurry. We are at step {visit.session.step} of {recipe.name}."
        return visit.say(text, next=("Next", "Repeat", "Stop"))
    if not visit.just_done and (visit.session.results or visit.session.current):
        return another(visit)
    return visit.say("As you like. I am here when you are hungry.", next=_FIRST)


def insult(visit: Visit) -> Said:
    """Answer what is shouted in kitchens."""
    recipe = visit.on_the_stove()
    if recipe:
        text = f"It is hot in here. We are at step {visit.session.step} of {recipe.name}."
        return visit.say(text, next=("Next", "Repeat", "Stop"))
    return visit.say("Kitchens are loud, I have heard worse. What shall there be to eat?", next=_FIRST)


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
