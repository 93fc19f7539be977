"""Questions about drinks: why this one, what is in it, how strong, what instead, and what is the difference."""

from __future__ import annotations

from msgspec.structs import replace

from gateway.demo.bartender.answers.recipes import in_hand, which_drink
from gateway.demo.bartender.answers.showing import brief_card
from gateway.demo.bartender.catalogue.drink import Drink
from gateway.demo.bartender.catalogue.shelf import Shelf
from gateway.demo.bartender.choosing.reasons import reasons_for
from gateway.demo.bartender.choosing.wish import avoided
from gateway.demo.bartender.said import Said
from gateway.demo.bartender.tastes import Tastes
from gateway.demo.bartender.visit import Visit
from gateway.demo.language.words import capital, joined

__all__ = ["compare", "strength", "substitute", "suits", "why"]

#: Pure alcohol in one unit as British labels count it.
_ML_PER_UNIT = 10


def why(visit: Visit) -> Said:
    """Answer "why?" with the facts that chose the drink."""
    slug, drink = visit.meant()
    if drink is None and visit.session.results:
        slug = visit.session.results[0]
        drink = visit.drink(slug)
    if drink is None:
        return visit.say(
            "Why not? Tell me what you have or what you like, and I shall have reasons.", next=("Help",)
        )
    reasons = reasons_for(drink, visit.session, visit.wish(), visit.catalogue)
    because = joined(reasons) if reasons else "it is good, and you had not told me anything against it"
    return visit.say(f"The {drink.name}? Because {because}.", next=("How do I make it?", "Another one"))


def suits(visit: Visit) -> Said:
    """Answer "is it vegan?", "does it have egg?" of the drink: what its guest may have is another matter."""
    slug, drink = visit.meant()
    if drink is None:
        return which_drink(visit)
    shelf, intent = visit.catalogue.shelf, visit.intent
    sentences = []
    for name in dict.fromkeys((*intent.diets, *intent.ingredients)):
        out = _alcoholic(shelf, drink) if name == "alcohol" else avoided(Tastes(avoids=(name,)), shelf)
        found = [one for one in drink.needs if one in out]
        optional = [one.ingredient for one in drink.measures if one.optional and one.ingredient in out]
        is_diet = name in ("vegan", "vegetarian")
        if found:
            which = "" if found == [name] else f" ({joined(found)})"
            told = f"is not {name}, because of the {joined(found)}" if is_diet else f"has {name}{which}"
        else:
            told = f"is {name}" if is_diet else f"has no {name}"
            told += f" if you leave the {joined(optional)} out" if optional else ""
        sentences.append(f"The {drink.name} {told}.")
    strict = set(intent.diets) - {"alcohol"}
    care = " Please read the labels all the same, because brands differ." if strict else ""
    return visit.say(
        f"{' '.join(sentences)}{care}",
        session=in_hand(visit, slug),
        next=("How do I make it?", "Another one", "I am allergic to nuts"),
    )


def strength(visit: Visit) -> Said:
    """Answer "how strong is it?" by what is in it."""
    slug, drink = visit.meant()
    if drink is None:
        return which_drink(visit)
    figures = visit.profile(slug, drink)
    session = in_hand(visit, slug)
    if not figures.alcohol_ml:
        return visit.say(
            f"Not at all: there is no alcohol in the {drink.name}.", session=session, next=("Another one",)
        )
    units = figures.alcohol_ml / _ML_PER_UNIT
    words = "strong" if figures.strong >= 24 else "moderate" if figures.strong >= 15 else "light"
    return visit.say(
        f"The {drink.name} is {words}: about {figures.alcohol_ml:.0f} ml of pure alcohol in a glass, "
        f"or {units:.1f} units, at {figures.strong:.0f} % before the ice melts.",
        session=session,
        next=("Something lighter", "Make it non-alcoholic", "How do I make it?"),
    )


def substitute(visit: Visit) -> Said:
    """Answer "what can I use instead of triple sec?"."""
    shelf = visit.catalogue.shelf
    name = visit.intent.ingredients[-1]
    members = sorted(shelf.members(name))
    barred = visit.wish().barred
    options = dict.fromkeys(
        option
        for member in members
        for option in shelf.ingredients[member].instead
        if option not in (*members, *barred)
    )
    if not options:
        return visit.say(
            f"For {name} I know no honest substitute. Better another drink than a bad one.",
            next=(f"Something without {name}", "Surprise me"),
        )
    first = joined(list(options)[:3], "or")
    return visit.say(
        f"Instead of {name}, take {first}. It will be a slightly different drink: "
        "that is how most of them were invented.",
        next=(f"What can I make with {next(iter(options))}?", "Surprise me"),
    )


def _alcoholic(shelf: Shelf, drink: Drink) -> frozenset[str]:
    return frozenset(name for name in drink.needs if shelf.alcoholic(name))


def compare(visit: Visit) -> Said:
    """Answer "what is the difference between a negroni and an americano?"."""
    first, second = (visit.catalogue.drinks[slug] for slug in visit.intent.drinks[:2])
    mine, yours = set(first.needs), set(second.needs)
    shared = [name for name in first.needs if name in yours]
    both = f"Both have {joined(shared)}. " if shared else "They share nothing but the bar. "
    only_first = [name for name in first.needs if name not in yours]
    only_second = [name for name in second.needs if name not in mine]
    differences = [
        f"the {drink.name} has {joined(only)}"
        for drink, only in ((first, only_first), (second, only_second))
        if only
    ]
    profiles = visit.catalogue.profiles
    stronger = first if profiles[first.slug].strong >= profiles[second.slug].strong else second
    return visit.say(
        f"{both}{capital(', while '.join(differences))}. The stronger one is the {stronger.name}.".replace(
            "..", "."
        ),
        session=replace(visit.session, results=(first.slug, second.slug), current=""),
        shown=[brief_card(first.slug, first), brief_card(second.slug, second)],
        next=("How do I make the first one?", "How do I make the second one?"),
    )
