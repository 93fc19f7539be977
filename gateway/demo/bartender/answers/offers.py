"""Offering drinks: from what is at hand, or by taste."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from gateway.demo.bartender.answers.showing import brief_card, brief_spoken, list_of, list_spoken
from gateway.demo.bartender.choosing.search import Match, fitting, makeable
from gateway.demo.bartender.said import Said
from gateway.demo.bartender.session import Session, bounded
from gateway.demo.bartender.visit import Visit
from gateway.demo.language.words import a, capital, counted, draw, joined

__all__ = [
    "AFTER_LIST",
    "AFTER_ONE",
    "hand_over",
    "have",
    "narrowed",
    "nothing_fits",
    "offer",
    "pool",
    "title_of",
    "wish",
]

AFTER_LIST = ("How do I make the first one?", "Something sweeter", "Surprise me")
AFTER_ONE = ("How do I make it?", "Another one", "Why?")


def have(visit: Visit) -> Said:
    """Answer "I have gin, lemon and honey"."""
    intent, before = visit.intent, visit.session
    kept = before.have if intent.extends else ()
    on_shelf = bounded(name for name in (*kept, *intent.ingredients) if name not in intent.without)
    return offer(
        visit,
        replace(
            narrowed(visit, before),
            have=on_shelf,
            without=bounded(n for n in (*before.without, *intent.without) if n not in intent.ingredients),
            containing=(),
            tags=intent.tags,
            seen=(),
        ),
    )


def wish(visit: Visit) -> Said:
    """Answer "something bitter with gin", "show me mocktails", "what can I make?"."""
    intent, before = visit.intent, visit.session
    if intent.extends and intent.ingredients and before.have:
        return have(visit)
    session = narrowed(visit, before)
    if intent.extends:
        session = replace(session, tags=bounded((*session.tags, *intent.tags)))
    else:
        # Only tastes: the shelf still counts.  Ingredients: a new question.
        session = replace(
            session,
            have=() if intent.ingredients else session.have,
            containing=intent.ingredients,
            tags=intent.tags,
            seen=(),
        )
        if session.have and session.tags and not pool(visit, session):
            lead = f"Nothing {joined(session.tags)} with {joined(session.have)}. Beyond that, though:"
            return offer(visit, replace(session, have=()), lead=lead)
    return offer(visit, session)


def offer(visit: Visit, session: Session, *, lead: str = "", skip: Sequence[str] = ()) -> Said:
    """Offer what fits *session*, but for the drinks of *skip*: a list, or the one drink that there is."""
    matches = pool(visit, session, skip=skip)
    if not matches:
        return nothing_fits(visit, session, lead)
    if not (session.have or session.containing or session.tags):
        # No question was asked: another choice every time, the guest's tastes first.
        matches.sort(key=lambda match: (-match.score, draw(f"{visit.seed}:{match.drink.name}", 1_000_000)))
    lead = lead or _lead(visit, session, matches)
    best = matches[: visit.at_once]
    slugs = tuple(match.drink.slug for match in best)
    session = replace(session, results=slugs)
    if len(best) == 1:
        return hand_over(visit, session, best[0], "", lead)
    more = (
        ""
        if len(matches) <= len(best)
        else f" Here are {len(best)} of {len(matches)}; say “more” for others."
    )
    return visit.say(
        f"{lead}{more}",
        session=replace(session, current="", because=""),
        shown=[list_of(best, title_of(session))],
        spoken=list_spoken(best),
        next=AFTER_LIST,
    )


def pool(visit: Visit, session: Session, *, skip: Sequence[str] = ()) -> list[Match]:
    """Return what fits *session*, but for the drinks of *skip*, the best first."""
    question = visit.wish(session, skip=skip)
    return makeable(visit.catalogue, question) if session.have else fitting(visit.catalogue, question)


def hand_over(visit: Visit, session: Session, match: Match, because: str, lead: str) -> Said:
    """Put the drink of *match* into the guest's hand."""
    slug = match.drink.slug
    return visit.say(
        f"{lead} {_note(match)}".strip(),
        session=visit.holding(session, slug, because),
        shown=[brief_card(slug, match.drink)],
        spoken=brief_spoken(match.drink),
        next=AFTER_ONE,
    )


def narrowed(visit: Visit, session: Session) -> Session:
    """Return *session* with the exclusions and quantities of this turn, and none that it contradicts."""
    intent = visit.intent
    members = visit.catalogue.shelf.members
    strong = "strong" in intent.tags or any(
        visit.catalogue.shelf.alcoholic(bottle) for name in intent.ingredients for bottle in members(name)
    )
    return replace(
        session,
        without=bounded(
            name
            for name in (*session.without, *intent.without)
            if name not in (*intent.tags, *intent.ingredients)
        ),
        alcohol_free=intent.alcohol_free or (session.alcohol_free and not strong),
        glasses=min(intent.glasses, 100) or session.glasses,
    )


def nothing_fits(visit: Visit, session: Session, lead: str = "") -> Said:
    """Say that nothing fits, and let go of the narrowest wishes."""
    if session.have:
        text = f"With {joined(session.have)} alone I would only embarrass us both. What else is there?"
    elif session.containing:
        text = f"I know no drink with {joined(session.containing)} that fits all that you asked for."
    else:
        text = "Nothing in my book fits all of that. Shall we let go of one wish?"
    cleared = replace(session, tags=(), containing=())
    return visit.say(
        f"{lead} {text}".strip(), session=cleared, next=("Surprise me", "Invent one for me", "Help")
    )


def title_of(session: Session) -> str:
    """Return the title of a list of drinks."""
    return "From your shelf" if session.have else "Drinks for you"


def _lead(visit: Visit, session: Session, matches: Sequence[Match]) -> str:
    kind = joined(session.tags)
    if session.have:
        ready = sum(1 for match in matches if not match.missing)
        given = f"With {joined(session.have)}"
        if not ready:
            what = f"{kind} drink".strip()
            return f"{given} alone there is no {what} that I would sign, but you are close."
        what = counted(ready, f"{kind} drink".strip(), f"{kind} drinks".strip())
        close = (
            f", and {counted(len(matches) - ready, 'more', 'more')} for one errand"
            if len(matches) > ready
            else ""
        )
        return f"{given}, and the sugar and ice of any kitchen, you can make {what} right now{close}."
    if session.containing:
        which = a(kind) if kind and len(matches) == 1 else kind
        what = f"{which} drink{'s' if len(matches) > 1 else ''}".strip()
        return f"I know {counted(len(matches), what, what)} with {joined(session.containing)}."
    if kind:
        free = " without alcohol" if visit.wish(session).alcohol_free else ""
        return f"{capital(kind)}{free}? {visit.pick('Gladly.', 'With pleasure.', 'I hoped you would ask.')}"
    if visit.wish(session).alcohol_free:
        return "No alcohol, no loss. These are all good company."
    return visit.pick("This is what I would pour you.", "Let me think of something for you.")


def _note(match: Match) -> str:
    notes = [f"Take {used} instead of {wanted}." for wanted, used in match.swaps]
    if match.missing:
        notes.append(f"You would need {joined(match.missing)}.")
    return " ".join(notes)
