"""Finding something to cook: by what is at hand, who eats, how much time there is."""

from __future__ import annotations

from msgspec.structs import replace

from gateway.demo.language.words import counted, joined
from gateway.demo.tasted.answers.showing import list_of, list_spoken
from gateway.demo.tasted.catalogue.recipe import QUICK_MINUTES_MAX
from gateway.demo.tasted.choosing.search import Match, fitting
from gateway.demo.tasted.hearing.spans import span_text
from gateway.demo.tasted.said import Said
from gateway.demo.tasted.session import SEEN_MAX, Session, bounded
from gateway.demo.tasted.visit import Visit

__all__ = ["another", "find", "offer", "repeat_list"]

_AFTER_LIST = ("Show me the first one", "Something else", "Only vegetarian")


def find(visit: Visit) -> Said:
    """Answer "what can I cook with eggs and spinach?", "something vegan in 20 minutes"."""
    intent, before = visit.intent, visit.session
    kept = before if intent.extends or _only_narrows(visit) else Session()
    minutes = intent.seconds // 60 or (QUICK_MINUTES_MAX if intent.quick else kept.minutes)
    having = intent.ingredients if intent.having else ()
    wanted = () if intent.having else intent.ingredients
    return offer(
        visit,
        replace(
            before,
            have=bounded(name for name in (*kept.have, *having) if name not in intent.without),
            containing=bounded(name for name in (*kept.containing, *wanted) if name not in intent.without),
            tags=bounded((*kept.tags, *intent.tags)),
            diets=bounded((*kept.diets, *intent.diets)),
            without=bounded((*kept.without, *intent.without)),
            minutes=max(0, min(minutes, 10_000)),
            seen=kept.seen,
        ),
    )


def _only_narrows(visit: Visit) -> bool:
    """Whether a list is there already, and a diet or a time is said of it and nothing else."""
    intent = visit.intent
    narrower = intent.diets or intent.without or intent.quick or intent.seconds
    return bool(visit.session.results and narrower and not (intent.anew or intent.ingredients or intent.tags))


def offer(visit: Visit, session: Session, *, lead: str = "", skip: frozenset[str] = frozenset()) -> Said:
    """Return what fits *session*, or say what stands in the way."""
    matches = fitting(visit.catalogue, session, visit.tastes, skip=skip)
    if not matches:
        return _nothing(visit, session)
    shown = matches[: visit.at_once]
    slugs = tuple(match.recipe.slug for match in shown)
    count = counted(len(matches), "recipe", "recipes")
    best = "" if len(matches) <= visit.at_once else ", the best of them first"
    text = lead or f"{_asked(visit, session)}: {count}{best}."
    return visit.say(
        text,
        session=replace(session, results=slugs, current="", serves=visit.intent.serves),
        shown=[list_of(visit, shown)],
        spoken=f"{list_spoken(shown)} Which one?",
        next=_AFTER_LIST,
    )


def another(visit: Visit) -> Said:
    """Answer "something else": what has not been shown yet."""
    session = visit.session
    seen = bounded((*session.seen, *session.results, *filter(None, (session.current,))), SEEN_MAX)
    skip = frozenset(seen)
    if not fitting(visit.catalogue, session, visit.tastes, skip=skip):
        # Once round the kitchen: from the beginning.
        again = replace(session, seen=())
        return offer(visit, again, lead="Those were all of that kind, so once more from the top.")
    return offer(visit, replace(session, seen=seen), lead=visit.pick("Then these.", "How about these?"), skip=skip)


def repeat_list(visit: Visit) -> Said:
    """Answer "show me the list again"."""
    matches = [Match(recipe) for slug in visit.session.results if (recipe := visit.recipe(slug))]
    if not matches:
        return visit.say("There is no list yet. What have you got in the kitchen?", next=("Something quick", "A soup"))
    return visit.say(
        "Here they are again.",
        session=replace(visit.session, current=""),
        shown=[list_of(visit, matches)],
        spoken=list_spoken(matches),
        next=_AFTER_LIST,
    )


def _asked(visit: Visit, session: Session) -> str:
    """Return the question as it was understood."""
    called = visit.catalogue.larder.called
    words = []
    if session.diets:
        words.append(joined(session.diets))
    if session.tags:
        words.append(joined(["main dish" if tag == "main" else tag for tag in session.tags]))
    if session.have:
        words.append(f"with your {joined([called(name) for name in session.have])}")
    if session.containing:
        words.append(f"with {joined([called(name) for name in session.containing])}")
    if session.without:
        words.append(f"without {joined([called(name) for name in session.without], 'or')}")
    if session.minutes:
        words.append(f"in {span_text(session.minutes * 60)}")
    text = " ".join(words) or "for any day"
    return text[:1].upper() + text[1:]


def _named(visit: Visit, session: Session) -> str:
    return joined([visit.catalogue.larder.called(name) for name in (*session.have, *session.containing)], "or")


def _nothing(visit: Visit, session: Session) -> Said:
    """Say that nothing fits, and what to give up so that something would."""
    kept = replace(session, results=(), current="")
    for loosened, given_up in (
        (replace(session, minutes=0), "with more time"),
        (replace(session, tags=()), "as another kind of dish"),
        (replace(session, have=session.have[:1]), "with less of what you have"),
        (replace(session, containing=session.containing[:1]), "with only one of them"),
        (replace(session, containing=(), have=()), f"without {_named(visit, session)}"),
    ):
        found = fitting(visit.catalogue, loosened, visit.tastes) if loosened != session else []
        if found:
            names = joined([match.recipe.name for match in found[:3]], "or")
            text = f"{_asked(visit, session)}: I know nothing. But {given_up} there would be {names}."
            return visit.say(text, session=kept, next=tuple(match.recipe.name for match in found[:3]))
    return visit.say(
        f"{_asked(visit, session)}: I know nothing that fits.",
        session=replace(kept, have=(), containing=(), tags=(), diets=(), without=(), minutes=0),
        next=("Something quick", "A soup", "Something vegetarian"),
    )
