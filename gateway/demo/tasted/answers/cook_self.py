"""About the cook: favourites, diets and allergies, what is remembered."""

from __future__ import annotations

from msgspec.structs import replace

from gateway.demo.language.words import capital, joined
from gateway.demo.tasted.answers.find import offer
from gateway.demo.tasted.answers.recipes import which_recipe
from gateway.demo.tasted.answers.showing import list_of, list_spoken
from gateway.demo.tasted.catalogue.larder import CONTAINS, DIETS
from gateway.demo.tasted.choosing.search import Match, forbidden_to
from gateway.demo.tasted.said import Said
from gateway.demo.tasted.session import Session
from gateway.demo.tasted.tastes import Tastes
from gateway.demo.tasted.timers import stop_timers
from gateway.demo.tasted.visit import Visit

__all__ = ["allow", "avoid", "favourite", "favourites", "forget_me", "know_me", "unfavourite"]


def favourite(visit: Visit) -> Said:
    """Answer "save it"."""
    recipe = visit.meant()
    if recipe is None:
        return which_recipe(visit)
    if recipe.slug in visit.tastes.favourites:
        return visit.say(f"{recipe.name} is among your favourites already.", next=("My favourites", "Cook it"))
    return visit.say(
        f"{recipe.name} is one of your favourites now, on any day you ask.",
        session=visit.holding(visit.session, recipe),
        tastes=visit.tastes.with_favourite(recipe.slug),
        next=("My favourites", "Cook it"),
    )


def unfavourite(visit: Visit) -> Said:
    """Answer "remove it from my favourites"."""
    recipe = visit.meant()
    if recipe is None or recipe.slug not in visit.tastes.favourites:
        return visit.say("That is none of your favourites.", next=("My favourites",))
    return visit.say(
        f"{recipe.name} is no longer among your favourites.",
        tastes=visit.tastes.without_favourite(recipe.slug),
        next=("My favourites", "Something else"),
    )


def favourites(visit: Visit) -> Said:
    """Answer "my favourites", the latest first."""
    kept = [recipe for slug in reversed(visit.tastes.favourites) if (recipe := visit.recipe(slug))]
    if not kept:
        text = "You have no favourites yet. Say “save it” at a recipe."
        return visit.say(text, next=("Something quick", "A dessert"))
    shown = [Match(recipe) for recipe in kept[: visit.at_once]]
    return visit.say(
        "Your favourites." if len(shown) == len(kept) else f"Your latest {len(shown)} favourites of {len(kept)}.",
        session=replace(visit.session, results=tuple(match.recipe.slug for match in shown), current=""),
        shown=[list_of(visit, shown)],
        spoken=list_spoken(shown),
        next=("Show me the first one", "Something else"),
    )


def avoid(visit: Visit) -> Said:
    """Answer "I am vegan", "I'm allergic to nuts": remembered, and obeyed at once."""
    names = visit.intent.avoided
    if not names:
        return visit.say(
            f"I take that seriously. What must I leave out? I know {joined(sorted(CONTAINS - {'rennet'}))}, "
            "and any ingredient by its name.",
            next=("I am allergic to nuts", "I am vegan", "I don't eat pork"),
        )
    tastes = visit.tastes.avoiding(names)
    lead = f"{_told(names)}: I shall remember, in every conversation. Please read the labels all the same."
    recipe = visit.on_the_stove()
    found = forbidden_to(recipe, tastes, visit.catalogue) if recipe else []
    if recipe and found:
        lead += f" What is on the stove, {recipe.name}, has {joined(found)}!"
    if not visit.session.results:
        return visit.say(lead, tastes=tastes, next=("What can I cook?", "What do you know about me?"))
    said = offer(replace(visit, tastes=tastes), visit.session, lead=lead)
    return replace(said, tastes=tastes)


def allow(visit: Visit) -> Said:
    """Answer "I can eat nuts again"."""
    return visit.say(
        f"{capital(joined(visit.intent.avoided))}: back on the table.",
        tastes=visit.tastes.allowing(visit.intent.avoided),
        next=("What do you know about me?", "What can I cook?"),
    )


def know_me(visit: Visit) -> Said:
    """Answer "what do you know about me?" with all that is kept."""
    tastes = visit.tastes
    facts = []
    if tastes.avoids:
        facts.append(f"you leave out, or live by: {joined(tastes.avoids)}")
    if names := _names(visit, tastes.favourites):
        facts.append(f"your favourites are {joined(names)}")
    if names := _names(visit, tastes.cooked):
        facts.append(f"you cooked {joined(names)}")
    whom = f"{visit.cook}, as" if visit.cook else "As"
    if not facts:
        return visit.say("Nothing yet but that you are hungry.", next=("I am vegetarian", "What can I cook?"))
    return visit.say(f"{whom} far as I remember: {'; '.join(facts)}. That is all I keep.", next=("Forget me",))


def forget_me(visit: Visit) -> Said:
    """Answer "forget me": memory and conversation both, and no timer rings for a stranger."""
    _, stopped = stop_timers(visit.session, visit.session.timers)
    return visit.say(
        "Forgotten: your favourites, your diet, your pots on the stove. Nice to meet you.",
        session=Session(),
        tastes=Tastes(),
        next=("What can I cook with eggs?", "Something quick"),
        timers=stopped,
    )


def _names(visit: Visit, slugs: tuple[str, ...]) -> list[str]:
    return [recipe.name for slug in slugs if (recipe := visit.recipe(slug))]


def _told(names: tuple[str, ...]) -> str:
    diets = [name for name in names if name in DIETS]
    others = [f"no {name}" for name in names if name not in DIETS]
    return capital(joined([*diets, *others]))
