"""One recipe: what it takes, for how many, without what, for whom, and how long."""

from __future__ import annotations

from msgspec.structs import replace

from gateway.demo.language.words import joined
from gateway.demo.tasted.answers.find import offer
from gateway.demo.tasted.answers.showing import facts, recipe_card
from gateway.demo.tasted.catalogue.larder import CONTAINS, DIETS
from gateway.demo.tasted.catalogue.recipe import Recipe
from gateway.demo.tasted.choosing.search import forbidden_to
from gateway.demo.tasted.hearing.spans import span_text
from gateway.demo.tasted.hearing.understand import SERVES_MAX
from gateway.demo.tasted.said import Said
from gateway.demo.tasted.session import bounded
from gateway.demo.tasted.timers import left_text
from gateway.demo.tasted.visit import Visit

__all__ = ["how_long", "how_much", "ingredients", "instead", "serve", "show", "suits", "which_recipe", "without"]

_AFTER_ONE = ("Cook it", "For 6 people", "Something else")


def show(visit: Visit) -> Said:
    """Answer "show me the second one", "carbonara"."""
    recipe = visit.meant()
    if recipe is None:
        return which_recipe(visit)
    if visit.intent.serves > SERVES_MAX:
        return _too_many(visit)
    return _shown(visit, recipe, f"{recipe.name}.{_warning(visit, recipe)}")


def ingredients(visit: Visit) -> Said:
    """Answer "what do I need?"."""
    recipe = visit.meant()
    if recipe is None:
        return which_recipe(visit)
    return _shown(visit, recipe, f"For {recipe.name} you need this.", spoken=f"{_list(visit, recipe)}.")


def how_much(visit: Visit) -> Said:
    """Answer "how much flour?"."""
    recipe = visit.meant()
    if recipe is None:
        return which_recipe(visit)
    amounts = visit.amounts(recipe)
    asked = visit.catalogue.larder.expand(visit.intent.ingredients)
    found = [text for name, text in amounts.items() if name in asked]
    if not found:
        names = joined(visit.intent.ingredients, "or")
        return visit.say(f"{recipe.name} has no {names}.", next=("What do I need?", "Cook it"))
    return visit.say(f"{joined(found)}, for {visit.serves(recipe)}.", next=("Cook it", "What do I need?"))


def serve(visit: Visit) -> Said:
    """Answer "for six people"."""
    if visit.intent.serves > SERVES_MAX:
        return _too_many(visit)
    recipe = visit.meant()
    if recipe is None:
        number = visit.intent.serves
        return visit.say(
            f"For {number}, then. What shall it be?",
            session=replace(visit.session, serves=number),
            next=("Something vegetarian", "A soup", "A dessert"),
        )
    said = _shown(visit, recipe, f"{recipe.name} for {visit.intent.serves}.", spoken=f"{_list(visit, recipe)}.")
    if recipe.slug != visit.session.cooking:
        return said
    return replace(said, session=replace(said.session, cooking_serves=visit.intent.serves))


def without(visit: Visit) -> Said:
    """Answer "without butter?": left out, replaced, or another dish."""
    recipe = visit.meant()
    left_out = visit.intent.without
    if recipe is None:
        session = visit.session
        asked = replace(
            session,
            have=bounded(name for name in session.have if name not in left_out),
            containing=bounded(name for name in session.containing if name not in left_out),
            without=bounded((*session.without, *left_out)),
        )
        return offer(visit, asked)
    out = visit.catalogue.larder.forbidden(left_out)
    used = [one for one in recipe.amounts if one.ingredient in out]
    said = joined(left_out, "or")
    held = visit.holding(visit.session, recipe)
    if not used:
        return visit.say(f"{recipe.name} has no {said} anyway.", session=held, next=_AFTER_ONE)
    sentences = []
    for one in used:
        hint = visit.catalogue.larder.substitute(one.ingredient, (*left_out, *visit.tastes.avoids))
        if one.optional:
            sentences.append(f"Just leave the {one.ingredient} out: {recipe.name} stands without it.")
        elif hint and not visit.catalogue.larder.ingredients[one.ingredient].pantry:
            sentences.append(f"In place of the {one.ingredient}, take {hint}.")
        else:
            sentences.append(f"{recipe.name} without {one.ingredient} would be another dish.")
    return visit.say(
        " ".join(sentences), session=held, next=("Cook it", f"Something without {left_out[0]}", "Something else")
    )


def instead(visit: Visit) -> Said:
    """Answer "what can I take instead of buttermilk?"."""
    larder = visit.catalogue.larder
    name = next(iter(visit.intent.ingredients), "")
    if not name:
        return visit.say("Instead of what? Name the ingredient.", next=("What do I need?",))
    # "Chicken" is any of it: what is in the dish counts, if one is at hand.
    recipe = visit.meant()
    meant = sorted(larder.members(name), key=lambda one: (recipe is None or one not in recipe.needs, one != name, one))
    hint = next(filter(None, (larder.substitute(one, visit.tastes.avoids) for one in meant)), "")
    if not hint:
        return visit.say(f"For {name} I know nothing that would do.", next=(f"Something without {name}",))
    return visit.say(f"In place of {name}, take {hint}.", next=("Cook it", "What do I need?"))


def suits(visit: Visit) -> Said:
    """Answer "is it vegan?", "are there nuts in it?"."""
    recipe = visit.meant()
    if recipe is None:
        return which_recipe(visit)
    catalogue = visit.catalogue
    sentences = []
    for name in visit.intent.avoided:
        out = catalogue.larder.forbidden((name,))
        found = [one for one in recipe.needs if one in out]
        optional = [one.ingredient for one in recipe.amounts if one.optional and one.ingredient in out]
        if name in DIETS:
            sentences.append(_diet(recipe, name, found, optional))
        elif found:
            which = "" if found == [name] else f" ({joined(found)})"
            sentences.append(f"Yes, {recipe.name} has {name}{which}.")
        elif optional:
            sentences.append(f"Only the {joined(optional)}, and that may be left out.")
        else:
            sentences.append(f"No, {recipe.name} has no {name}.")
    care = " Please read the labels all the same, because brands differ."
    careful = any(name in CONTAINS or name in DIETS for name in visit.intent.avoided)
    return visit.say(
        (" ".join(sentences) or facts(visit, recipe)) + (care if careful else ""),
        session=visit.holding(visit.session, recipe),
        next=_AFTER_ONE,
    )


def how_long(visit: Visit) -> Said:
    """Answer "how long does it take?"."""
    recipe = visit.meant()
    if recipe is None:
        return which_recipe(visit)
    waits = sum(step.timer_s for step in recipe.steps)
    alone = f", of which about {span_text(waits)} by itself" if waits and waits < recipe.minutes * 60 else ""
    running = [] if visit.intent.recipe else [f" {left_text(one, visit.now_s)}." for one in visit.session.timers]
    return visit.say(
        f"{recipe.name} takes {span_text(recipe.minutes * 60)}{alone}.{''.join(running)}",
        session=visit.holding(visit.session, recipe),
        next=_AFTER_ONE,
    )


def which_recipe(visit: Visit) -> Said:
    """Ask which recipe is meant."""
    if visit.intent.recipe:
        return visit.say("That recipe is no longer in my book.", next=("Something quick", "A soup"))
    if visit.session.results:
        count = len(visit.session.results)
        text = f"My list only goes to {count}. Which one of them?" if count > 1 else "There is only one on my list."
        if not visit.intent.place:
            text = "Which of the recipes do you mean?"
        return visit.say(text, next=("The first one", "Show me the list again"))
    return visit.say(
        "Which recipe do you mean? Name one, or tell me what you have.",
        next=("What can I cook with eggs?", "Something quick", "Carbonara"),
    )


def _shown(visit: Visit, recipe: Recipe, text: str, *, spoken: str = "") -> Said:
    told = f"For {visit.serves(recipe)}, {span_text(recipe.minutes * 60)}. Shall we cook it?"
    return visit.say(
        text,
        session=visit.holding(visit.session, recipe),
        shown=[recipe_card(visit, recipe)],
        spoken=spoken or told,
        next=_AFTER_ONE,
    )


def _list(visit: Visit, recipe: Recipe) -> str:
    return joined(list(visit.amounts(recipe, spoken=True).values()))


def _warning(visit: Visit, recipe: Recipe) -> str:
    """Return a word of care where a recipe asked for by name has what the cook must not eat."""
    found = forbidden_to(recipe, visit.tastes, visit.catalogue)
    return f" Careful: it has {joined(found)}, which you leave out." if found else ""


def _diet(recipe: Recipe, diet: str, found: list[str], optional: list[str]) -> str:
    if found:
        return f"No, {recipe.name} is not {diet}, because of the {joined(found)}."
    leave = f" if you leave the {joined(optional)} out" if optional else ""
    return f"Yes, {recipe.name} is {diet}{leave}."


def _too_many(visit: Visit) -> Said:
    return visit.say(f"My pots are enough for {SERVES_MAX}. For more, call a caterer.", next=("For 6 people",))
