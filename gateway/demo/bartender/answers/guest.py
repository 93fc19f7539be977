"""About the guest: tastes, allergies and diets, what is remembered, and care."""

from __future__ import annotations

from msgspec.structs import replace

from gateway.demo.bartender.answers.going_on import another
from gateway.demo.bartender.answers.offers import offer
from gateway.demo.bartender.choosing.wish import wish_of
from gateway.demo.bartender.said import Said
from gateway.demo.bartender.session import INVENTED, Session
from gateway.demo.bartender.tastes import Tastes
from gateway.demo.bartender.visit import Visit
from gateway.demo.language.words import capital, joined

__all__ = ["allow", "avoid", "care", "dislike", "forget_me", "know_me", "like", "units"]


def like(visit: Visit) -> Said:
    """Answer "I love smoky", "I like it"."""
    subjects = _subjects(visit)
    if not subjects:
        slug, drink = visit.meant()
        if drink is None:
            return visit.say("I am glad. What exactly do you like?", next=("I love smoky", "I like gin"))
        if slug == INVENTED:
            return visit.say(
                f"I am relieved. The {drink.name} is in no book yet, so write it down before the ice melts.",
                next=("How do I make it?", "Invent another one"),
            )
        return visit.say(
            visit.pick(
                f"The {drink.name} thanks you. I shall remember.", f"Good taste. The {drink.name} is noted."
            ),
            tastes=visit.tastes.liking((slug,)),
            next=("Another one", "For four people"),
        )
    tastes = visit.tastes.liking(subjects)
    session = _unbarred(visit.session, subjects)
    lead = f"{capital(joined(_named(visit, subjects)))}, noted: I shall remember."
    ingredients, tags = visit.intent.ingredients, visit.intent.tags
    if visit.intent.drinks and not (ingredients or tags):
        return visit.say(lead, tastes=tastes, session=session, next=("Another one", "Surprise me"))
    found = offer(
        replace(visit, tastes=tastes),
        replace(session, containing=ingredients[:1], tags=tags[:1], have=(), seen=()),
        lead=f"{lead} Which reminds me of these.",
    )
    return found if found.shown else visit.say(lead, tastes=tastes, session=session, next=("Surprise me",))


def dislike(visit: Visit) -> Said:
    """Answer "I don't like campari": remembered, and what was just offered with it is taken back."""
    subjects = _subjects(visit)
    tastes = visit.tastes.disliking(subjects)
    lead = f"{visit.pick('No', 'Then no')} {joined(_named(visit, subjects), 'or')} for you. I shall remember."
    session = replace(
        visit.session, containing=tuple(n for n in visit.session.containing if n not in subjects)
    )
    return _taken_back(visit, tastes, session, lead)


def avoid(visit: Visit) -> Said:
    """Answer "I am allergic to nuts", "I'm vegan"."""
    names = _to_avoid(visit)
    if "alcohol" in names:
        kept = tuple(name for name in names if name != "alcohol")
        sober = replace(
            visit, intent=replace(visit.intent, topic="sober"), tastes=visit.tastes.avoiding(kept)
        )
        return care(sober)
    if not names:
        return visit.say(
            "I take that seriously. What must I leave out? I know egg, milk, nuts, gluten, fish and honey, "
            "and any ingredient by its name.",
            next=("I am allergic to nuts", "I am vegan", "I am allergic to egg"),
        )
    lead = (
        f"{capital(joined([_diet(name) for name in names]))}: never from me. I shall remember; "
        "please read the labels all the same, because brands differ."
    )
    return _taken_back(visit, visit.tastes.avoiding(names), visit.session, lead)


def allow(visit: Visit) -> Said:
    """Answer "forget that I don't like campari"."""
    subjects = _subjects(visit) or tuple(filter(None, (visit.session.current,)))
    if not subjects:
        return visit.say(
            "What shall I forget? Name it, or say “forget me” for everything.", next=("Forget me",)
        )
    tastes = visit.tastes.without_word_of(subjects)
    return visit.say(
        f"Forgotten. {capital(joined(_named(visit, subjects)))} and I start afresh.",
        tastes=tastes,
        session=_unbarred(visit.session, subjects),
        next=("What do you know about me?", "Surprise me"),
    )


def know_me(visit: Visit) -> Said:
    """Answer "what do you know about me?" with all that is kept."""
    tastes = visit.tastes
    facts: list[str] = []
    if tastes.likes:
        facts.append(f"you like {joined(_named(visit, tastes.likes))}")
    if tastes.dislikes:
        facts.append(f"you don't like {joined(_named(visit, tastes.dislikes), 'or')}")
    if tastes.avoids:
        facts.append(f"I must keep you from {joined([_diet(name) for name in tastes.avoids])}")
    if tastes.alcohol_free:
        facts.append("you drink no alcohol")
    if tastes.passed:
        facts.append(f"you sent back the {joined(_named(visit, tastes.passed), 'and the')}")
    if tastes.units == "oz":
        facts.append("you measure in ounces")
    if not facts:
        only = f"Your name, {visit.guest}, and that" if visit.guest else "Only that"
        return visit.say(
            f"{only} you have good taste in bars. Tell me what you like, and I shall remember.",
            next=("I love smoky", "I don't like Campari", "I'm allergic to nuts"),
        )
    whom = f"{visit.guest}, as far as I remember: " if visit.guest else "As far as I remember: "
    return visit.say(f"{whom}{joined(facts)}. That is all I keep.", next=("Forget me", "Surprise me"))


def forget_me(visit: Visit) -> Said:
    """Answer "forget me": memory and conversation both."""
    return visit.say(
        "Done. We have never met, and I am delighted to make your acquaintance.",
        session=Session(),
        tastes=Tastes(),
        next=("Hello", "What can you do?"),
    )


def units(visit: Visit) -> Said:
    """Answer "use ounces"."""
    wanted = "oz" if visit.intent.topic == "oz" else "ml"
    name = "ounces" if wanted == "oz" else "millilitres"
    return visit.say(
        f"{capital(name)} from now on.",
        tastes=replace(visit.tastes, units=wanted),
        next=("How do I make it?" if visit.session.current else "How do I make a Daiquiri?",),
    )


def care(visit: Visit) -> Said:
    """Answer those who should not or will not drink: kindly, and with something to hold in the hand."""
    topic = visit.intent.topic
    lead = {
        "driving": "Then nothing with alcohol tonight. You will be the best-looking driver in town with one of these.",
        "pregnant": "Congratulations! Nothing with alcohol, then, and nothing less festive for it.",
        "young": "Then from the alcohol-free page, which is the more inventive one anyway.",
        "drunk": "Then it is time for water, something to eat, and perhaps one of these. And please, no driving.",
        "sober": "Understood, and I shall remember. I have a whole page without alcohol, made with the same care.",
    }[topic]
    session = replace(visit.session, alcohol_free=True, have=(), containing=(), tags=(), seen=())
    lasting = topic in ("sober", "pregnant", "young")
    tastes = replace(visit.tastes, alcohol_free=True) if lasting else visit.tastes
    return offer(replace(visit, tastes=tastes), session, lead=lead)


def _subjects(visit: Visit) -> tuple[str, ...]:
    intent = visit.intent
    return (*intent.ingredients, *intent.tags, *intent.drinks)


def _named(visit: Visit, names: tuple[str, ...]) -> list[str]:
    """Return *names* as people say them: drinks by their name, not their slug."""
    return [drink.name if (drink := visit.catalogue.drinks.get(name)) else name for name in names]


def _to_avoid(visit: Visit) -> tuple[str, ...]:
    """Return what was named, and what it contains: who is allergic to cream had better have no milk either."""
    shelf, intent = visit.catalogue.shelf, visit.intent
    contained = [
        allergen
        for name in intent.ingredients
        for member in sorted(shelf.members(name))
        for allergen in shelf.ingredients[member].contains
    ]
    return tuple(dict.fromkeys((*intent.diets, *intent.ingredients, *contained)))


def _diet(name: str) -> str:
    return {"vegan": "what vegans don't have", "vegetarian": "what vegetarians don't have"}.get(name, name)


def _unbarred(session: Session, names: tuple[str, ...]) -> Session:
    return replace(session, without=tuple(name for name in session.without if name not in names))


def _taken_back(visit: Visit, tastes: Tastes, session: Session, lead: str) -> Said:
    """Remember *tastes*; where the drink in hand or the list offends them, offer what does not."""
    barred = wish_of(session, tastes, visit.catalogue.shelf).barred
    visit = replace(visit, tastes=tastes, session=session)
    current = visit.drink(session.current)
    if current is not None and (barred.intersection(current.needs) or session.current in tastes.dislikes):
        said = another(visit)
        return replace(said, text=f"{lead} {said.text}")
    listed = (drink for slug in session.results if (drink := visit.drink(slug)))
    if any(barred.intersection(drink.needs) for drink in listed):
        said = offer(visit, session, lead=f"{lead} So rather one of these.")
        if said.shown:
            return said
    return visit.say(lead, next=("Surprise me", "What do you know about me?"))
