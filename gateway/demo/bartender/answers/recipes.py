"""One drink: its story, its recipe, for how many, and without what."""

from __future__ import annotations

from msgspec.structs import replace

from gateway.demo.bartender.answers.offers import offer
from gateway.demo.bartender.answers.showing import brief_card, brief_spoken, recipe_card, recipe_spoken
from gateway.demo.bartender.catalogue.drink import Drink
from gateway.demo.bartender.choosing.neighbours import nearest, nearest_alcohol_free
from gateway.demo.bartender.choosing.wish import avoided
from gateway.demo.bartender.hearing.modifiers import GLASSES_MAX
from gateway.demo.bartender.said import Said
from gateway.demo.bartender.session import Session, bounded
from gateway.demo.bartender.visit import Visit
from gateway.demo.language.words import capital, counted, joined

__all__ = ["in_hand", "make", "serve", "show", "which_drink", "without"]

_GLASSES_TOO_MANY = f"My shaker stops at {GLASSES_MAX} glasses. For more, call a caterer."


def show(visit: Visit) -> Said:
    """Answer "what is a negroni?"."""
    slug, drink = visit.meant()
    if drink is None:
        return which_drink(visit)
    origin = f", from {drink.origin}" if drink.origin else ""
    return visit.say(
        f"The {drink.name}{origin}.{_warning(visit, drink)}",
        session=in_hand(visit, slug),
        shown=[brief_card(slug, drink)],
        spoken=brief_spoken(drink),
        next=("How do I make it?", "How strong is it?", "Another one"),
    )


def make(visit: Visit) -> Said:
    """Answer "how do I make it?"."""
    slug, drink = visit.meant()
    if drink is None:
        return which_drink(visit)
    if visit.intent.glasses > GLASSES_MAX:
        return visit.say(_GLASSES_TOO_MANY, next=("For four people", "Another one"))
    glasses = visit.intent.glasses or visit.session.glasses
    session = replace(in_hand(visit, slug), glasses=glasses)
    left_out = visit.wish(session).barred
    whom = "" if glasses == 1 else f" for {counted(glasses, 'guest', 'guests')}"
    lead = visit.pick(f"{drink.name}{whom}, coming up.", f"Here is how to make the {drink.name}{whom}.")
    return visit.say(
        f"{lead}{_warning(visit, drink)}",
        session=session,
        shown=[recipe_card(visit, slug, drink, glasses=glasses, leave_out=left_out)],
        spoken=recipe_spoken(visit, drink, glasses=glasses, leave_out=left_out),
        next=("For four people" if glasses != 4 else "Just for me", "Something sweeter", "Why?"),
    )


def serve(visit: Visit) -> Said:
    """Answer "for four people"."""
    if not visit.meant()[1] and 0 < visit.intent.glasses <= GLASSES_MAX:
        return visit.say(
            f"{capital(counted(visit.intent.glasses, 'glass', 'glasses'))} it is. Of what?",
            session=replace(visit.session, glasses=visit.intent.glasses),
            next=("Surprise me", "Something refreshing", "Sangria"),
        )
    return make(visit)


def without(visit: Visit) -> Said:
    """Answer "without egg", "make it non-alcoholic", "a negroni without Campari"."""
    intent, session = visit.intent, visit.session
    session = replace(
        session,
        without=bounded((*session.without, *intent.without)),
        have=bounded(name for name in session.have if name not in intent.without),
        alcohol_free=session.alcohol_free or intent.alcohol_free,
    )
    said = "alcohol" if intent.alcohol_free else joined(intent.without, "or")
    slug, drink = visit.meant()
    if drink is None:
        if session.results or session.have:
            return offer(visit, session, lead=f"Without {said}, then.")
        return visit.say(
            f"No {said} tonight, understood. What shall it be?",
            session=session,
            next=("Something refreshing", "Surprise me", "I have lemon and honey"),
        )
    if _harmless(visit, drink, session):
        return _left_out(visit, slug, drink, session, said)
    search = replace(session, have=(), containing=(), tags=())
    question = visit.wish(search, skip=(slug,))
    find = nearest_alcohol_free if question.alcohol_free else nearest
    found = find(visit.catalogue, drink, question)
    if found is None:
        return visit.say(
            f"Without {said} I know nothing like the {drink.name}.", session=session, next=("Surprise me",)
        )
    other = found.drink
    return visit.say(
        f"A {drink.name} without {said} would not be one. The nearest thing is the {other.name}.",
        session=visit.holding(session, other.slug, f"instead:{drink.name}"),
        shown=[brief_card(other.slug, other)],
        spoken=brief_spoken(other),
        next=("How do I make it?", "Another one", "Why?"),
    )


def which_drink(visit: Visit) -> Said:
    """Ask which drink is meant."""
    if visit.intent.which.slug:
        return visit.say("That drink is no longer in my book.", next=("Surprise me", "Something refreshing"))
    if visit.session.results:
        text = "Which one of them? A number will do."
        if visit.intent.which.place:
            text = f"My list only goes to {len(visit.session.results)}. Which one of them?"
        return visit.say(text, next=("Show me the list again", "The first one", "Surprise me"))
    return visit.say(
        "Which drink do you mean? Name one, or tell me what you have.",
        next=("What is a Negroni?", "I have gin and lemon", "Surprise me"),
    )


def in_hand(visit: Visit, slug: str) -> Session:
    """Return the session with *slug* in hand; a drink that was there already keeps its reason."""
    session, drink = visit.session, visit.drink(slug)
    if slug == session.current or drink is None:
        return session
    if not visit.intent.drinks:
        return visit.holding(session, slug, "")
    # Who asks for a drink with alcohol by its name has changed their mind for this evening; not for good.
    alcohol_free = session.alcohol_free and not visit.profile(slug, drink).alcohol_ml
    return visit.holding(replace(session, alcohol_free=alcohol_free), slug, "named")


def _warning(visit: Visit, drink: Drink) -> str:
    """Return a word of care where a drink asked for by name has what the guest must avoid."""
    forbidden = sorted(avoided(visit.tastes, visit.catalogue.shelf).intersection(drink.needs))
    if forbidden:
        return f" Careful: it has {joined(forbidden)}, which you must avoid."
    if visit.tastes.alcohol_free and not {"non-alcoholic"}.intersection(drink.tags):
        return " Careful: this one has alcohol."
    return ""


def _harmless(visit: Visit, drink: Drink, session: Session) -> bool:
    """Whether *drink* can stay, because what is not wanted is not in it or may be left out."""
    shelf = visit.catalogue.shelf
    question = visit.wish(session)
    with_alcohol = any(shelf.alcoholic(name) for name in drink.needs)
    return not (
        question.barred.intersection(drink.needs)
        or question.unwanted_tags.intersection(drink.tags)
        or (question.alcohol_free and with_alcohol)
    )


def _left_out(visit: Visit, slug: str, drink: Drink, session: Session, said: str) -> Said:
    unwanted = visit.wish(session).barred
    optional = [m.ingredient for m in drink.measures if m.optional and m.ingredient in unwanted]
    if optional:
        text = f"Easily done: the {drink.name} stands without {joined(optional)}, only less round."
    else:
        text = f"There is no {said} in the {drink.name} anyway, so it may stay."
    glasses = session.glasses
    return visit.say(
        text,
        session=replace(session, current=slug),
        shown=[recipe_card(visit, slug, drink, glasses=glasses, leave_out=unwanted)],
        spoken=recipe_spoken(visit, drink, glasses=glasses, leave_out=unwanted),
        next=("Another one", "For four people"),
    )
