"""Going on from what was offered: another one, something sweeter, not this one, a surprise, the list again."""

from __future__ import annotations

from msgspec.structs import replace

from gateway.demo.bartender.answers.offers import (
    AFTER_LIST,
    hand_over,
    narrowed,
    nothing_fits,
    offer,
    pool,
    title_of,
)
from gateway.demo.bartender.answers.showing import list_of, list_spoken
from gateway.demo.bartender.choosing.neighbours import OPPOSITE_TAG, further
from gateway.demo.bartender.choosing.search import Match
from gateway.demo.bartender.said import Said
from gateway.demo.bartender.session import INVENTED, SEEN_MAX, bounded
from gateway.demo.bartender.visit import Visit
from gateway.demo.language.words import capital, draw

__all__ = ["adjust", "another", "reject", "repeat_list", "surprise"]


def another(visit: Visit) -> Said:
    """Answer "another one", "more": what has not been shown yet, as a list after a list."""
    session = visit.session
    if session.results and not session.current:
        seen = bounded((*session.seen, *session.results), SEEN_MAX)
        if pool(visit, session, skip=seen):
            lead = visit.pick("There are these as well.", "Turning the page.")
            return offer(visit, replace(session, seen=seen), lead=lead, skip=seen)
    fits = pool(visit, session, skip=(*session.seen, session.current))
    lead = visit.pick("Then this one.", "How about this?", "Something else, then.")
    if not fits:
        # Once round the bar: from the beginning, but not the one in hand again.
        session = replace(session, seen=())
        fits = pool(visit, session, skip=(session.current,))
        lead = "That was my last one of this kind, so once more from the top."
    if not fits:
        return nothing_fits(visit, session)
    if session.because == "surprise":
        return hand_over(visit, session, fits[draw(visit.seed, len(fits))], "surprise", lead)
    return hand_over(visit, session, fits[0], "", lead)


def reject(visit: Visit) -> Said:
    """Answer "not for me": never again, and the next one."""
    slug, drink = visit.meant()
    if drink is None:
        return visit.say(
            "Not to worry. What would suit you better?", next=("Something refreshing", "Surprise me")
        )
    # An invention is gone when it is refused; only what is in the book can come up again.
    passed = visit if slug == INVENTED else replace(visit, tastes=visit.tastes.passing(slug))
    said = another(passed)
    regret = visit.pick(f"No {drink.name} for you, noted.", f"The {drink.name} goes back on the shelf.")
    return replace(said, text=f"{regret} {said.text}")


def adjust(visit: Visit) -> Said:
    """Answer "something sweeter", starting from the drink in hand."""
    direction = visit.intent.direction
    assert direction is not None
    session = narrowed(visit, visit.session)
    slug, drink = visit.meant()
    if drink is None and session.results:
        slug = session.results[0]
        drink = visit.drink(slug)
    if drink is None:
        return offer(visit, replace(session, tags=bounded((*visit.intent.tags, OPPOSITE_TAG[direction]))))
    session = replace(session, tags=visit.intent.tags)
    for wider in (session, replace(session, have=(), containing=())):
        found = further(
            visit.catalogue, drink, direction, pool(visit, wider, skip=(slug,)), visit.profile(slug, drink)
        )
        if found:
            beyond = "" if wider is session or not session.have else " It goes beyond what you have, though."
            lead = f"{capital(direction)} than the {drink.name}:{beyond}"
            return hand_over(visit, session, found, f"{direction}:{drink.name}", lead)
    return visit.say(
        f"The {drink.name} is as far as I can go in that direction.",
        session=session,
        next=("Surprise me", "Another one"),
    )


def surprise(visit: Visit) -> Said:
    """Answer "surprise me": anything that is not against the guest's tastes, by the turn's own luck."""
    intent, before = visit.intent, visit.session
    session = replace(
        narrowed(visit, before),
        have=() if intent.ingredients else before.have,
        containing=intent.ingredients,
        tags=intent.tags,
    )
    fits = pool(visit, session, skip=before.seen) or pool(visit, replace(session, have=()))
    if not fits:
        return nothing_fits(visit, session)
    # Those that suit the guest best, but enough of them that it stays a surprise.
    best = fits[: max(12, len(fits) // 3)]
    lead = visit.pick("Close your eyes. Open them.", "Trust me on this one.", "I had a feeling about you.")
    return hand_over(visit, session, best[draw(visit.seed, len(best))], "surprise", lead)


def repeat_list(visit: Visit) -> Said:
    """Answer "show me the list again"."""
    matches = [Match(drink) for slug in visit.session.results if (drink := visit.drink(slug))]
    if not matches:
        return visit.say(
            "There is no list yet. What have you got at home?", next=("What can you do?", "Surprise me")
        )
    return visit.say(
        "Here they are again.",
        session=replace(visit.session, current=""),
        shown=[list_of(matches, title_of(visit.session))],
        spoken=list_spoken(matches),
        next=AFTER_LIST,
    )
