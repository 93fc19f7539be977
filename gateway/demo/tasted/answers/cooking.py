"""At the stove: step by step, and where it was left, tomorrow too."""

from __future__ import annotations

from msgspec.structs import replace

from gateway.demo.language.words import joined
from gateway.demo.tasted.answers.clock import cancel
from gateway.demo.tasted.answers.recipes import which_recipe
from gateway.demo.tasted.answers.showing import step_card, step_text
from gateway.demo.tasted.catalogue.recipe import Recipe
from gateway.demo.tasted.choosing.search import forbidden_to
from gateway.demo.tasted.said import Said
from gateway.demo.tasted.session import Session
from gateway.demo.tasted.timers import left_text, spoken, stop_timers
from gateway.demo.tasted.visit import Visit

__all__ = ["back", "cook", "done", "go_to", "next_step", "repeat", "stop", "where"]

_NOT_COOKING = ("Something quick", "What can I cook with eggs?", "My favourites")


def cook(visit: Visit) -> Said:
    """Answer "cook it": from the first step, or from where it was left."""
    recipe = visit.meant()
    if recipe is None:
        return which_recipe(visit)
    session = visit.session
    if session.cooking == recipe.slug and session.step > 1:
        return _at(visit, recipe, session.step, f"We are in the middle of {recipe.name}, so on from there.")
    found = forbidden_to(recipe, visit.tastes, visit.catalogue)
    care = f" Careful: it has {joined(found)}, which you leave out." if found else ""
    return _at(visit, recipe, 1, f"{recipe.name} for {visit.serves(recipe)}, step by step.{care}")


def next_step(visit: Visit) -> Said:
    """Answer "next"."""
    recipe = visit.on_the_stove()
    if recipe is None:
        return cook(visit) if visit.meant() and not visit.just_done else _nothing(visit)
    if visit.session.step >= len(recipe.steps):
        return done(visit)
    return _at(visit, recipe, visit.session.step + 1)


def back(visit: Visit) -> Said:
    """Answer "back"."""
    recipe = visit.on_the_stove()
    if recipe is None:
        return _nothing(visit)
    if visit.session.step <= 1:
        return _at(visit, recipe, 1, "That was the first step already.")
    return _at(visit, recipe, visit.session.step - 1)


def repeat(visit: Visit) -> Said:
    """Answer "repeat"."""
    recipe = visit.on_the_stove()
    return _at(visit, recipe, visit.session.step) if recipe else _nothing(visit)


def where(visit: Visit) -> Said:
    """Answer "where was I?"."""
    recipe = visit.on_the_stove()
    if recipe is None:
        return _nothing(visit)
    running = [left_text(one, visit.now_s) for one in visit.session.timers]
    timers = f" {joined(running)}." if running else ""
    return _at(visit, recipe, visit.session.step, f"You are cooking {recipe.name}.{timers}")


def go_to(visit: Visit) -> Said:
    """Answer "step 3", and a tap on "Next step"."""
    recipe = visit.recipe(visit.intent.recipe) or visit.on_the_stove() or visit.meant()
    if recipe is None:
        return _nothing(visit)
    number = visit.intent.number
    if not 1 <= number <= len(recipe.steps):
        last = len(recipe.steps)
        return visit.say(f"{recipe.name} has {last} steps.", next=(f"Step {last}", "Where was I?"))
    return _at(visit, recipe, number)


def stop(visit: Visit) -> Said:
    """Answer "stop": the place is kept."""
    recipe = visit.on_the_stove()
    step, timers = visit.session.step, visit.session.timers
    if recipe is None:
        return cancel(visit) if timers else visit.say("Nothing is on the stove.", next=_NOT_COOKING)
    running = [left_text(one, visit.now_s) for one in timers]
    return visit.say(
        f"I keep your place: {recipe.name}, step {step} of {len(recipe.steps)}. Say “go on” whenever you like, "
        f"tomorrow too.{f' {joined(running)}.' if running else ''}",
        next=("Go on", "Cancel all timers" if running else "Where was I?"),
    )


def done(visit: Visit) -> Said:
    """Answer "done", and "next" after the last step."""
    recipe = visit.on_the_stove()
    if recipe is None:
        return visit.say("Then enjoy it, whatever it is.", next=_NOT_COOKING)
    known = recipe.slug in visit.tastes.favourites
    enjoy = visit.pick(f"Enjoy your {recipe.name}!", f"The {recipe.name} is yours. Enjoy!")
    of_it = {step.timer_name for step in recipe.steps}
    session, stopped = stop_timers(visit.session, [one for one in visit.session.timers if one.name in of_it])
    if stopped:
        # It would call to a pot that is empty.
        enjoy += f" I stop {joined([spoken(one.name) for one in stopped])}."
    return visit.say(
        enjoy if known else f"{enjoy} Shall I keep it among your favourites?",
        session=replace(
            session,
            cooking="",
            step=0,
            cooking_serves=0,
            current=recipe.slug,
            just_done=True,
        ),
        tastes=visit.tastes.having_cooked(recipe.slug),
        next=("Something else",) if known else ("Save it", "Something else"),
        timers=stopped,
    )


def _at(visit: Visit, recipe: Recipe, number: int, lead: str = "") -> Said:
    """Return step *number* of *recipe*, and stay there."""
    step = recipe.steps[number - 1]
    forth = "Next" if number < len(recipe.steps) else "Done"
    going_on: tuple[str, ...] = (forth, "Back") if number > 1 else (forth,)
    offered = step.timer_s and visit.rings
    told = step_text(step)
    if offered:
        told += " Shall I set a timer?"
    return visit.say(
        lead or f"Step {number} of {len(recipe.steps)}.",
        session=_cooking(visit, recipe, number),
        shown=[step_card(visit, recipe, number)],
        spoken=told,
        next=("Set the timer", *going_on) if offered else going_on,
    )


def _cooking(visit: Visit, recipe: Recipe, number: int) -> Session:
    session = visit.session
    same = session.cooking == recipe.slug
    serves = visit.serves(recipe)
    return replace(
        session,
        cooking=recipe.slug,
        step=number,
        cooking_serves=(session.cooking_serves if same else 0) or (serves if serves != recipe.serves else 0),
        current=recipe.slug,
        serves=session.serves if session.current == recipe.slug else 0,
    )


def _nothing(visit: Visit) -> Said:
    return visit.say("Nothing is on the stove. What shall we cook?", next=_NOT_COOKING)
